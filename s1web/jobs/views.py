"""Pages of jobs and workers, and the fragments by which they keep up to date."""

import json
from itertools import chain
from typing import Any

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from curation.errors import S1WebError
from s1web.jobs import queries, rights, services
from s1web.jobs.detail import read_detail
from s1web.jobs.forms import FORMS, form_of
from s1web.jobs.kinds import KINDS, QUEUES
from s1web.jobs.logs import log_path
from s1web.jobs.models import Job
from s1web.jobs.submitting import plan_jobs
from s1web.roles import Role, has_role
from s1web.versions import code_version

# htmx stops asking for a fragment that came with it
STOP_POLLING = 286


@require_safe
def job_list(request: HttpRequest) -> HttpResponse:
    return render(request, "jobs/job_list.html", _board(request))


@never_cache
@require_safe
def job_rows(request: HttpRequest) -> HttpResponse:
    return render(request, "jobs/_board.html", _board(request))


@never_cache
@require_safe
def meter(request: HttpRequest) -> HttpResponse:
    """The line in the top bar."""
    queues = queries.read_queues()
    context = {
        "num_running": sum(queue.running for queue in queues),
        "num_waiting": sum(queue.waiting for queue in queues),
        "stuck": [queue for queue in queues if queue.is_stuck],
    }
    return render(request, "jobs/_meter.html", context)


@require_safe
def job_detail(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "jobs/job_detail.html", _detail(request, pk))


@never_cache
@require_safe
def job_now(request: HttpRequest, pk: int) -> HttpResponse:
    context = _detail(request, pk)
    return render(request, "jobs/_job.html", context, status=STOP_POLLING if context["job"].has_ended else 200)


@never_cache
@require_safe
def job_log(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The whole log as plain text."""
    get_object_or_404(Job.objects.only("pk"), pk=pk)
    try:
        file = log_path(pk).open("rb")
    except OSError:
        raise Http404 from None
    # to a file: whatever a log says, no browser shows it as a page
    return FileResponse(file, as_attachment=True, filename=f"job-{pk}.log", content_type="text/plain; charset=utf-8")


@never_cache
@require_safe
def job_record(request: HttpRequest, pk: int) -> HttpResponse:
    """Everything that is known of the job, as JSON."""
    job = get_object_or_404(Job, pk=pk)
    names = [field.attname for field in Job._meta.concrete_fields if field.name not in ("id", "claim")]
    record = {"job": job.pk} | {name: getattr(job, name) for name in names}
    text = json.dumps(record, default=str, indent=2)
    headers = {"Content-Disposition": f'attachment; filename="job-{pk}.json"'}
    return HttpResponse(text, content_type="application/json", headers=headers)


@require_safe
def worker_list(request: HttpRequest) -> HttpResponse:
    return render(request, "jobs/worker_list.html", _workers())


@never_cache
@require_safe
def worker_rows(request: HttpRequest) -> HttpResponse:
    return render(request, "jobs/_workers.html", _workers())


@require_safe
def kind_list(request: HttpRequest) -> HttpResponse:
    """Which kind of job it is to be."""
    listening = {queue.name: queue.workers for queue in queries.read_queues()}
    kinds = [
        {
            "kind": kind,
            "form": form_of(kind.name),
            "role": rights.role_for_kind(kind.name),
            "is_allowed": has_role(request.user, rights.role_for_kind(kind.name)),
            "workers": listening[kind.queue],
        }
        for kind in KINDS.values()
        if kind.name in FORMS
    ]
    return render(request, "jobs/kind_list.html", {"kinds": kinds})


@require_http_methods(["GET", "HEAD", "POST"])
def new_job(request: HttpRequest, kind: str) -> HttpResponseBase:
    """The form of a kind; sent, it makes a planned job, whose page shows what it would do and cost."""
    if kind not in KINDS or kind not in FORMS:
        raise Http404
    rights.demand_for_kind(request.user, kind)
    form_class = form_of(kind)
    like = _find_like(request, kind)
    if request.method == "POST":
        form = form_class(request.POST)
        if form.is_valid():
            try:
                job = plan_jobs(kind, form, request.user)  # type: ignore[arg-type]
            except S1WebError as error:
                form.add_error(None, str(error))
            else:
                return redirect("jobs:detail", pk=job.pk)
    else:
        form = form_class(initial=form_class.from_params(like.params) if like else None)
    outlook = services.outlook(Job(kind=kind, queue=KINDS[kind].queue))
    return render(request, "jobs/new_job.html", {"form": form, "kind": KINDS[kind], "like": like, "outlook": outlook})


def _find_like(request: HttpRequest, kind: str) -> Job | None:
    """The job that the new one is to be like."""
    text = request.GET.get("like", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        return None
    return Job.objects.only("kind", "params", "title").filter(pk=int(text), kind=kind).first()


def _board(request: HttpRequest) -> dict[str, Any]:
    filters = queries.Filters.read(request.GET, request.user.pk)
    board = queries.read_board(filters)
    # looked up once: hundreds of addresses a page are a quarter of its time
    root = reverse("jobs:list")
    for job in chain(board.running or (), board.queued or (), board.held or (), board.ended or ()):
        job.address = f"{root}{job.pk}/"  # type: ignore[attr-defined]
    return {
        "board": board,
        "filters": filters,
        "kinds": list(KINDS.values()),
        "queues": QUEUES,
        "states": queries.STATE_CHOICES,
        "may_submit": has_role(request.user, Role.CURATOR),
        "may_move": has_role(request.user, Role.OPERATOR),
        "may_stop_all": has_role(request.user, Role.OPERATOR),
        "may_pause_all": has_role(request.user, Role.CURATOR),
        "user_pk": request.user.pk,
    }


def _detail(request: HttpRequest, pk: int) -> dict[str, Any]:
    job = Job.objects.select_related("created_by", "parent").filter(pk=pk).first()
    if job is None:
        raise Http404
    return read_detail(job, request.user)


def _workers() -> dict[str, Any]:
    return {
        "workers": queries.read_workers(),
        "queues": [(queue, services.how_to_start(queue.name)) for queue in queries.read_queues()],
        "version": code_version(),
    }
