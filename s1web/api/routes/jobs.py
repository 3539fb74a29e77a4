"""Jobs: what is there, what one would do, submitting and steering them."""

from typing import Any

from django import forms
from django.db import transaction
from django.http import QueryDict
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from curation.errors import ConfigError
from s1web.api.auth import demand
from s1web.api.base import Operations, paged
from s1web.api.operations import Example, operation
from s1web.api.paging import PagingQuery, newest_first
from s1web.api.scopes import Scope, scope_for_kind
from s1web.api.shapes import jobs as shapes
from s1web.forms import JobForm
from s1web.jobs import queries, rights, services
from s1web.jobs.actions import ACTIONS
from s1web.jobs.forms import FORMS, form_of
from s1web.jobs.kinds import KINDS
from s1web.jobs.models import Job
from s1web.jobs.submitting import plan_jobs

# what is done to a job, of all that pages offer
NAMES = ("confirm", "pause", "resume", "retry", "cancel")
JOB = OpenApiParameter("job_id", int, OpenApiParameter.PATH, description="Number of a job.")
ACTION = OpenApiParameter(
    "action",
    str,
    OpenApiParameter.PATH,
    enum=NAMES,
    description="confirm queues a planned job; pause and cancel of a running one take a moment.",
)
_LONG = ("params", "plan", "caps", "spent", "result", "error", "note")
_CURATE = {"kind": "curate", "params": {"preset": "paper", "size": 100}}


class JobsQuery(shapes.JobsQuery, PagingQuery):
    pass


class Jobs(Operations):
    @operation(
        "list_jobs",
        "Jobs",
        scope=Scope.JOBS_READ,
        answer=paged(shapes.JobRow),
        query=JobsQuery,
        example=Example(query=[("state", "ended"), ("limit", "5")]),
    )
    def get(self, request: Request) -> Response:
        """The newest first."""
        asked = self.query(JobsQuery)
        pager = self.pager(asked)
        filters = queries.Filters.read(asked, request.user.pk)
        jobs = filters.apply(Job.objects.select_related("created_by").defer(*_LONG))
        if filters.state:
            states = queries.ENDED_STATES if filters.state == "ended" else (filters.state,)
            jobs = jobs.filter(state__in=states)
        return self.page(pager, newest_first(jobs, pager), shapes.JobRow)

    @operation(
        "submit_job",
        "Submit a job",
        scope=None,
        answer=shapes.Job,
        status=202,
        body=shapes.NewJob,
        example=Example(body={**_CURATE, "confirm": True}),
        errors=(400, 404, 409),
        headers={"Location": "Address of the job."},
    )
    def post(self, request: Request) -> Response:
        """Plans it, and queues it where `confirm` is true; jobs that are to follow it are planned with it."""
        asked = self.body(shapes.NewJob)
        form = _form(request, asked)
        caps = asked.get("caps")
        if caps is not None:
            services.check_caps(caps)
            if not asked["confirm"]:
                raise ConfigError("caps are given when a job is confirmed; send confirm true, or leave caps out")
        with transaction.atomic():
            job = plan_jobs(asked["kind"], form, request.user)
            if asked["confirm"]:
                services.confirm(job, caps)
        return _accepted(job.pk)


class JobPlan(Operations):
    @operation(
        "plan_job",
        "What a job would do and cost",
        scope=None,
        answer=shapes.Plan,
        body=shapes.PlanBody,
        example=Example(body=_CURATE),
        errors=(400, 404),
    )
    def post(self, request: Request) -> Response:
        """Nothing is changed."""
        asked = self.body(shapes.PlanBody)
        plan = services.make_plan(asked["kind"], _form(request, asked).to_params())
        outlook = services.outlook(Job(kind=asked["kind"], queue=KINDS[asked["kind"]].queue))
        return Response(shapes.Plan(plan.to_json() | {"outlook": outlook}).data)


class JobKinds(Operations):
    @operation("list_job_kinds", "Kinds of jobs and what they take", scope=Scope.JOBS_READ, answer=paged(shapes.Kind))
    def get(self, request: Request) -> Response:
        """All of them at once: `next` is null."""
        kinds = [_kind(name) for name in KINDS if name in FORMS]
        found = {"items": kinds, "next": None, "previous": None, "total": len(kinds)}
        return Response(paged(shapes.Kind)(found).data)


class JobDetail(Operations):
    @operation(
        "read_job",
        "A job",
        scope=Scope.JOBS_READ,
        answer=shapes.Job,
        parameters=[JOB],
        example=Example(path={"job_id": "1"}),
        errors=(404,),
    )
    def get(self, request: Request, job_id: int) -> Response:
        """What was asked, how far it is, whether anybody will take it, what came of it."""
        return Response(_job(_find(job_id)))


class JobAction(Operations):
    @operation(
        "change_job",
        "Confirm, pause, resume, retry or cancel a job",
        scope=Scope.JOBS_WRITE,
        answer=shapes.Job,
        status=202,
        parameters=[JOB, ACTION],
        body=shapes.CapsBody,
        example=Example(path={"job_id": "1", "action": "cancel"}, body={}),
        errors=(400, 404, 409),
        headers={"Location": "Address of the job."},
    )
    def post(self, request: Request, job_id: int, action: str) -> Response:
        """Caps are for confirm and resume. Of one's own job anybody may pause and cancel; else it takes the role that
        submits its kind, to cancel another's job operator."""
        caps = self.body(shapes.CapsBody).get("caps")
        job = _find(job_id)
        rights.demand(request.user, action, job)
        wanted = ACTIONS[action]
        if caps is not None and not wanted.has_caps:
            raise ConfigError(f"{action} takes no caps; leave them out")
        wanted.do(job, caps)
        return _accepted(job_id)


def _form(request: Request, asked: dict[str, Any]) -> JobForm:
    """The filled-in form of a kind, the same that the page has.

    Raises:
        PermissionDenied: the scope or the role is missing.
        ValidationError: fields that cannot be used.
    """
    kind = asked["kind"]
    demand(request, scope_for_kind(kind))
    rights.demand_for_kind(request.user, kind)
    form_class = form_of(kind)
    unknown = [name for name in asked["params"] if name not in form_class.base_fields]
    if unknown:
        allowed = ", ".join(form_class.base_fields) or "none"
        raise exceptions.ValidationError({f"params.{unknown[0]!s:.60}": f"is no parameter; there are {allowed}"})
    form = form_class(_as_typed(form_class, asked["params"]))
    if not form.is_valid():
        errors = {
            f"params.{name}" if name != "__all__" else "params": list(lines) for name, lines in form.errors.items()
        }
        raise exceptions.ValidationError(errors)
    return form


def _as_typed(form_class: type[JobForm], params: dict[str, Any]) -> QueryDict:
    """JSON as a form sends it; what is left out has the value that the form starts with."""
    typed = QueryDict(mutable=True)
    for name, field in form_class.base_fields.items():
        value = params.get(name, field.initial)
        value = value() if callable(value) else value
        items = value if isinstance(value, list | tuple) else [value]
        for item in items:
            if isinstance(item, dict | list):
                raise exceptions.ValidationError({f"params.{name}": "is an object; give a text, a number or a list"})
        if isinstance(field, forms.BooleanField):
            typed.setlist(name, ["on"] if value is True else [])
        else:
            typed.setlist(name, [str(item) for item in items if item is not None])
    return typed


def _kind(name: str) -> dict[str, Any]:
    kind, form = KINDS[name], form_of(name)()
    fields = [
        {
            "name": bound.name,
            "label": str(bound.label),
            "help": str(bound.help_text or ""),
            "is_required": bound.field.required,
            "choices": [str(value) for value, _ in getattr(bound.field, "choices", ()) if value],
        }
        for bound in form
    ]
    scope = scope_for_kind(name).value
    role = rights.role_for_kind(name).value
    found = {"name": name, "label": kind.label, "summary": form.summary, "queue": kind.queue}
    return found | {"scope": scope, "role": role, "params": fields}


def _find(job_id: int) -> Job:
    """The job with whoever made it.

    Raises:
        NotFoundError: there is none.
    """
    found = Job.objects.select_related("created_by", "parent").filter(pk=job_id).first()
    return found or services.find_job(job_id)


def _job(job: Job) -> dict[str, Any]:
    job.outlook = services.outlook(job)  # type: ignore[attr-defined]
    job.family = [child.pk for child in queries.children_of(job)]  # type: ignore[attr-defined]
    return dict(shapes.Job(job).data)


def _accepted(job_id: int) -> Response:
    """The job as it stands now, and where it is."""
    return Response(_job(_find(job_id)), status=202, headers={"Location": f"/api/v1/jobs/{job_id}"})
