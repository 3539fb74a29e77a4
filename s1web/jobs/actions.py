"""What people do to a job from a page: one POST each, which says in a line what came of it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from curation.errors import S1WebError
from s1web.jobs import rights, services, transitions
from s1web.jobs.forms import CapsForm
from s1web.jobs.models import Job

Caps = dict[str, float] | None


@dataclass(frozen=True)
class Action:
    """Something done to a job.

    Attributes:
        do: does it; takes caps where `has_caps`.
        said: what came of it, by the state that the job is in then ("" is any other).
        has_caps: whether the form that asks for it has the caps with it.
    """

    do: Callable[[Job, Caps], None]
    said: Mapping[str, str]
    has_caps: bool = False


State = Job.State
# what happened, not what is: the line stays on a page that keeps up to date below it
_IN_QUEUE = {"": "Job {pk} was put into the queue."}
ACTIONS = {
    "confirm": Action(services.confirm, _IN_QUEUE, has_caps=True),
    "pause": Action(
        lambda job, _caps: transitions.pause(job),
        {State.PAUSED: "Job {pk} was paused.", "": "Job {pk} was asked to pause."},
    ),
    "resume": Action(services.resume, _IN_QUEUE, has_caps=True),
    "retry": Action(lambda job, _caps: services.retry(job), _IN_QUEUE),
    "cancel": Action(
        lambda job, _caps: transitions.cancel(job),
        {State.CANCELLED: "Job {pk} was cancelled.", "": "Job {pk} was asked to end."},
    ),
    "move_up": Action(
        lambda job, _caps: transitions.move_up(job), {"": "Job {pk} was moved to place {position} of its queue."}
    ),
    "to_front": Action(
        lambda job, _caps: transitions.move_to_front(job), {"": "Job {pk} was made the next of its queue."}
    ),
}


@require_POST
def act(request: HttpRequest, pk: int, name: str) -> HttpResponseBase:
    """Do it, then show the page that it was asked from; a fragment's request gets the line alone."""
    job = _find(pk)
    rights.demand(request.user, name, job)
    action = ACTIONS[name]
    try:
        action.do(job, _caps(request, job) if action.has_caps else None)
    except S1WebError as error:
        messages.error(request, str(error))
    else:
        said = action.said.get(job.state, action.said[""])
        job.refresh_from_db(fields=["place"])
        position = services.position_of(job) if "{position}" in said else None
        messages.success(request, said.format(pk=job.pk, position=position))
    if request.headers.get("HX-Request") == "true":
        answer = render(request, "_messages.html")
        answer["HX-Trigger"] = json.dumps({"jobs-changed": True})
        return answer
    return _back(request, job)


def _find(pk: int) -> Job:
    job = Job.objects.defer("result").filter(pk=pk).first()
    if job is None:
        raise Http404
    return job


def _caps(request: HttpRequest, job: Job) -> Caps:
    """The caps that came with the form; None where it had none, which leaves those of the job.

    Raises:
        ConfigError: one that is no limit.
    """
    form = CapsForm(job, request.POST)
    if not any(form.add_prefix(name) in request.POST for name in form.fields):
        return None
    if form.is_valid():
        return form.caps()
    pairs = {name: request.POST.get(form.add_prefix(name), "") for name in form.errors}
    return services.check_caps(dict[str, Any](pairs))


def _back(request: HttpRequest, job: Job) -> HttpResponse:
    page = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(page, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return redirect(page)
    return redirect("jobs:detail", pk=job.pk)
