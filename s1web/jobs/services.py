"""Submitting jobs: planned first, queued after, and honest about whether anybody will take them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Count, Q
from django.db.models.functions import Now

from curation.errors import ConfigError, NotFoundError
from s1web.jobs import queue, transitions
from s1web.jobs.dispatch import listening
from s1web.jobs.kinds import GPU, find_kind
from s1web.jobs.models import Job
from s1web.plans import RESOURCES, Plan

# the rate of a kind is that of its newest runs here
_RATE_OF_LAST = 5
# shorter ones tell how long a process takes to start
_RATE_FROM_SECONDS = 3.0
MAX_TITLE = 300


def make_plan(kind_name: str, params: Mapping[str, Any]) -> Plan:
    """What a job would do and cost; nothing is changed, and parameters that cannot work are refused.

    Raises:
        S1WebError: see the kind's own planner.
    """
    kind = find_kind(kind_name)
    plan = kind.load_plan()(dict(params))
    if plan.seconds is None and plan.total:
        rate = known_rate(kind_name, plan.unit) or kind.rates.get(plan.unit)
        if rate:
            plan = replace(plan, seconds=round(plan.total / rate, 1))
    return plan


def known_rate(kind_name: str, unit: str) -> float | None:
    """Units a second over the kind's newest finished runs here; None where there are none."""
    runs = Job.objects.filter(
        kind=kind_name, state=Job.State.DONE, plan__unit=unit, done__gt=0, seconds__gte=_RATE_FROM_SECONDS
    )
    newest = runs.order_by("-ended_at").values_list("done", "seconds")[:_RATE_OF_LAST]
    done, seconds = (sum(column) for column in zip(*newest, strict=True)) if newest else (0, 0)
    return done / seconds if seconds else None


def submit(
    kind_name: str,
    params: Mapping[str, Any],
    *,
    user: AbstractBaseUser | None = None,
    parent: Job | None = None,
    waits_for_parent: bool = True,
    caps: Mapping[str, float] | None = None,
    is_confirmed: bool = True,
    plan: Plan | None = None,
) -> Job:
    """Plan a job and queue it; unconfirmed it waits, planned, until somebody says yes.

    Args:
        parent: the job that this one belongs to, and waits for unless told not to.
        caps: resource -> most that it may spend; it is paused once it gets there.
        plan: one that was made already.

    Raises:
        S1WebError: parameters that cannot work.
    """
    kind = find_kind(kind_name)
    plan = plan or make_plan(kind_name, params)
    job = Job(
        kind=kind.name,
        queue=kind.queue,
        state=Job.State.QUEUED if is_confirmed else Job.State.PLANNED,
        place=_last_place(),
        parent=parent,
        waits_for_parent=parent is not None and waits_for_parent,
        created_by=user,  # type: ignore[misc]
        sent_at=Now() if is_confirmed else None,
        title=plan.title[:MAX_TITLE],
        params=dict(params),
        plan=plan.to_json(),
        caps=check_caps(caps or {}),
        total=plan.total,
    )
    with transaction.atomic():
        job.save(force_insert=True)
        if is_confirmed:
            queue.enqueue(job)
    return job


@transaction.atomic
def confirm(job: Job, caps: Mapping[str, float] | None = None) -> None:
    """Queue a planned job, behind those that wait now, and with it what was planned to follow it.

    Args:
        caps: new caps, in place of all that it had.

    Raises:
        ConflictError: it is not planned (any more).
        ConfigError: no caps.
    """
    checked = None if caps is None else check_caps(caps)
    _tell_after(lambda item: transitions.confirm(item, checked, _last_place()), job)
    for child in job.children.filter(state=Job.State.PLANNED, waits_for_parent=True).order_by("pk"):
        confirm(child)


def resume(job: Job, caps: Mapping[str, float] | None = None) -> None:
    """Queue a paused job again, with new caps where given.

    Raises:
        ConflictError: it is not paused.
        ConfigError: no caps.
    """
    checked = None if caps is None else check_caps(caps)
    _tell_after(lambda item: transitions.resume(item, checked), job)


def retry(job: Job) -> None:
    """Queue a failed or cancelled job again.

    Raises:
        ConflictError: it is neither.
    """
    _tell_after(transitions.retry, job)


def _last_place() -> int:
    # microseconds: later ones come later, whoever submits them
    return time.time_ns() // 1_000


def _tell_after(change: Any, job: Job) -> None:
    with transaction.atomic():
        change(job)
        Job.objects.filter(pk=job.pk).update(sent_at=Now())
        queue.enqueue(job)


def find_job(pk: int) -> Job:
    """The job of that number.

    Raises:
        NotFoundError: there is none.
    """
    job = Job.objects.filter(pk=pk).first()
    if job is None:
        raise NotFoundError(f"there is no job {pk}; see the list with: python manage.py jobs")
    return job


def check_caps(caps: Mapping[str, float]) -> dict[str, float]:
    """Caps as they are stored.

    Raises:
        ConfigError: a resource that is none, or an amount that is not above 0.
    """
    for name, most in caps.items():
        if name not in RESOURCES:
            raise ConfigError(f"cap {name!r} is no resource; choose of {', '.join(RESOURCES)}")
        if isinstance(most, bool) or not isinstance(most, int | float) or not 0 < most < float("inf"):
            raise ConfigError(f"cap {name}={most!r} is no limit; give a number above 0")
    return dict(caps)


def parse_caps(pairs: Sequence[str]) -> dict[str, float]:
    """Caps as a user writes them: `tokens=1000000`.

    Raises:
        ConfigError: not of that form.
    """
    caps: dict[str, float] = {}
    for pair in pairs:
        name, sign, amount = pair.partition("=")
        try:
            caps[name.strip()] = float(amount.replace(",", "").replace("_", ""))
        except ValueError:
            sign = ""
        if not sign:
            raise ConfigError(f"cap {pair!r} cannot be read; write RESOURCE=NUMBER, for example tokens=1000000")
    return check_caps(caps)


@dataclass(frozen=True)
class Outlook:
    """Whether and when a job will run.

    Attributes:
        position: place among those that wait for its queue, from 1; None where it does not wait.
        num_workers: workers that listen on its queue now.
        line: what that means, in a sentence.
    """

    position: int | None
    num_workers: int
    line: str


def outlook(job: Job) -> Outlook:
    """Whether anybody will take the job, said before it is submitted (unsaved) and after."""
    workers = listening(job.queue)
    there = f"{len(workers)} worker{'s' if len(workers) != 1 else ''} on queue {job.queue}"
    nobody = f"no worker listens on queue {job.queue}: {how_to_start(job.queue)}"
    if job.state == Job.State.PLANNED or job.pk is None:
        return Outlook(None, len(workers), f"{there} will take it" if workers else f"it would wait, as {nobody}")
    if job.state == Job.State.RUNNING:
        return Outlook(None, len(workers), f"runs on {job.worker}")
    if job.state != Job.State.QUEUED:
        return Outlook(None, len(workers), job.note or f"it is {job.state}")
    position = position_of(job)
    if job.waits_for_parent and job.parent and job.parent.state != Job.State.DONE:
        line = f"waits for job {job.parent.pk}, which is {job.parent.state}"
        if job.parent.has_ended:
            line += ": retry that one, or cancel this one"
        return Outlook(position, len(workers), line)
    line = f"number {position:,} in the queue"
    return Outlook(position, len(workers), f"{line}; {there}" if workers else f"{line}, and {nobody}")


def position_of(job: Job) -> int:
    """Place of a queued job among those of its queue, from 1."""
    before = Q(place__lt=job.place) | Q(place=job.place, pk__lt=job.pk)
    return Job.objects.filter(before, state=Job.State.QUEUED, queue=job.queue).count() + 1


def how_to_start(queue_name: str) -> str:
    """The command that brings a worker to a queue."""
    where = " on a host with a GPU" if queue_name == GPU else ""
    return f"start one{where} with: celery -A s1web worker -Q {queue_name} (or everything with: python manage.py up)"


def num_active() -> dict[str, int]:
    """How many jobs run and wait now."""
    states = (Job.State.RUNNING, Job.State.QUEUED)
    counts = dict(Job.objects.filter(state__in=states).values_list("state").annotate(num=Count("pk")))
    return {state.value: counts.get(state.value, 0) for state in states}
