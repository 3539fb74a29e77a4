"""How jobs change state: each change is one filtered update, so that of two who try one wins and the other knows.

planned -confirm-> queued -claim-> running -finish-> done
                     |  ^             | \\-fail-> failed -retry-> queued
                   pause resume       |--stop--> paused or cancelled, as asked
                     v  |             \\-lose, release-> queued (lost too often: failed)
                    paused
cancel: planned, queued and paused at once, running as soon as its worker has seen it; cancelled -retry-> queued
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Min, Q, QuerySet
from django.db.models.functions import Now

from curation.errors import ConflictError
from s1web.jobs.models import ENDED, Job

State, Stop = Job.State, Job.Stop
# what a job that goes back to the queue leaves behind
_AT_REST: dict[str, Any] = {"stop": Stop.NONE, "claim": "", "worker": "", "rate": 0.0}
# a lost job starts again after so many seconds, times its losses
_BACKOFF_SECONDS, _LONGEST_BACKOFF_SECONDS = 1.0, 10.0


@dataclass(frozen=True)
class Claim:
    """The right to run a job; it ends with its state, or when the job was taken for lost."""

    job_id: int
    token: str


def _held(claim: Claim) -> "QuerySet[Job]":
    return Job.objects.filter(pk=claim.job_id, claim=claim.token, state=State.RUNNING)


# --- by workers ---


def claimable(queue: str) -> "QuerySet[Job]":
    """Queued jobs that may start now, the next one first."""
    is_due = Q(not_before=None) | Q(not_before__lte=Now())
    is_free = Q(waits_for_parent=False) | Q(parent__state=State.DONE)
    return Job.objects.filter(is_due, is_free, state=State.QUEUED, queue=queue).order_by("place", "pk")


def claim_next(queue: str, *, worker: str, version: str) -> Claim | None:
    """Take the queue's next job; None where there is none. Of many workers that ask at once each gets another one."""
    while True:
        pk = claimable(queue).values_list("pk", flat=True).first()
        if pk is None:
            return None
        claim = Claim(pk, uuid.uuid4().hex)
        is_ours = Job.objects.filter(pk=pk, state=State.QUEUED).update(
            state=State.RUNNING,
            claim=claim.token,
            worker=worker,
            version=version,
            started_at=Now(),
            heartbeat_at=Now(),
            not_before=None,
            num_starts=F("num_starts") + 1,
            note="",
            error="",
        )
        if is_ours:
            return claim


def find(claim: Claim) -> Job | None:
    """The claimed job; None where the claim is gone."""
    return _held(claim).first()


def beat(claim: Claim) -> str | None:
    """Say that the job's process lives; what it was asked to do ("" is go on), None where the claim is gone."""
    if not _held(claim).update(heartbeat_at=Now()):
        return None
    return asked(claim)


def asked(claim: Claim) -> str | None:
    """What the job was asked to do ("" is go on); None where the claim is gone."""
    return _held(claim).values_list("stop", flat=True).first()


def progress(claim: Claim, *, done: int, total: int, rate: float, spent: dict[str, float]) -> bool:
    """Write how far the job is; False where the claim is gone and the work must end."""
    values = {"done": done, "total": total, "rate": rate, "spent": spent, "heartbeat_at": Now()}
    return bool(_held(claim).update(**values))


def finish(claim: Claim, result: dict[str, Any], *, seconds: float = 0.0) -> bool:
    """The work is done; `seconds` is how long this start ran."""
    return _end(claim, State.DONE, seconds, result=result)


def fail(claim: Claim, error: str, *, seconds: float = 0.0) -> bool:
    """The work cannot be done; `error` is the line that says why and what to do."""
    return _end(claim, State.FAILED, seconds, error=error)


def hold(claim: Claim, note: str, *, seconds: float = 0.0) -> bool:
    """Pause the job from within, as at a cap; `note` says why and what to do. Who asked to cancel it gets that."""
    if (
        _held(claim)
        .exclude(stop=Stop.CANCEL)
        .update(state=State.PAUSED, note=note, seconds=F("seconds") + seconds, **_AT_REST)
    ):
        return True
    return stop(claim)


def stop(claim: Claim) -> bool:
    """The job's process has ended as it was asked to: paused or cancelled; False where nobody asked."""
    return _stop_as_asked(_held(claim))


def release(claim: Claim) -> bool:
    """Give the job back, as its worker is told to end; that is no loss."""
    return stop(claim) or bool(_held(claim).update(state=State.QUEUED, note="its worker was stopped", **_AT_REST))


def lose(claim: Claim, reason: str, *, silent_seconds: float | None = None) -> bool:
    """The job's process or worker has died: it goes on from its last chunk, or fails when that happens too often.

    Args:
        reason: what died and how, as the start of a line.
        silent_seconds: only if its heartbeat has stopped for so long: it may have come while nobody looked.
    """
    held = _held(claim)
    if silent_seconds is not None:
        held = held.filter(heartbeat_at__lt=Now() - timedelta(seconds=silent_seconds))
    if _stop_as_asked(held):
        return True
    most = settings.JOB_MAX_LOSSES
    times = "once" if most == 1 else f"{most:,} times"
    if held.filter(num_losses__gte=most).update(
        state=State.FAILED,
        ended_at=Now(),
        error=f"{reason}; it was started again {times} before, which is all that JOB_MAX_LOSSES allows: see its log "
        "(out of memory?), then retry it",
        **_AT_REST,
    ):
        return True
    losses = Job.objects.filter(pk=claim.job_id).values_list("num_losses", flat=True).first() or 0
    return bool(
        held.update(
            state=State.QUEUED,
            num_losses=F("num_losses") + 1,
            not_before=Now() + timedelta(seconds=min(_BACKOFF_SECONDS * losses, _LONGEST_BACKOFF_SECONDS)),
            note=f"{reason}; it goes on from its last chunk",
            **_AT_REST,
        )
    )


def add_seconds(job_id: int, seconds: float) -> None:
    """Add the length of one start, however it ended."""
    Job.objects.filter(pk=job_id).update(seconds=F("seconds") + seconds)


def drop_plans(age: timedelta) -> int:
    """Cancel jobs that were planned so long ago and never confirmed, and what waits for them; returns how many."""
    stale = Job.objects.filter(state=State.PLANNED, created_at__lt=Now() - age)
    note = f"nobody confirmed it within {age.total_seconds() / 3_600:,.0f} hours"
    num_dropped = 0
    for job in stale:
        if stale.filter(pk=job.pk).update(state=State.CANCELLED, ended_at=Now(), note=note):
            num_dropped += 1
            _cancel_waiting(job)
    return num_dropped


def _stop_as_asked(held: "QuerySet[Job]") -> bool:
    if held.filter(stop=Stop.PAUSE).update(state=State.PAUSED, **_AT_REST):
        return True
    return bool(held.filter(stop=Stop.CANCEL).update(state=State.CANCELLED, ended_at=Now(), **_AT_REST))


def _end(claim: Claim, state: Job.State, seconds: float, **values: Any) -> bool:
    # who ran it stays to be seen
    at_rest = {name: value for name, value in _AT_REST.items() if name != "worker"}
    together = F("seconds") + seconds
    return bool(
        _held(claim).update(state=state, ended_at=Now(), not_before=None, seconds=together, **at_rest, **values)
    )


# --- by people ---


def confirm(job: Job, caps: dict[str, float] | None = None, place: int | None = None) -> None:
    """Queue a planned job.

    Args:
        caps: new caps, in place of all that it had.
        place: new place in the queue, in place of that of its planning.

    Raises:
        ConflictError: it is not planned (any more).
    """
    given = {name: value for name, value in (("caps", caps), ("place", place)) if value is not None}
    _move(job, [State.PLANNED], "confirmed", state=State.QUEUED, **given)


def pause(job: Job) -> None:
    """Keep a job, with what is done, from running until it is resumed.

    Raises:
        ConflictError: it has ended, is paused already, or is being cancelled.
    """
    _stop(job, [State.QUEUED], State.PAUSED, Stop.PAUSE, "paused")


def cancel(job: Job) -> None:
    """End a job; what was written whole stays. What waits for it is cancelled too.

    Raises:
        ConflictError: it has ended already.
    """
    _stop(job, [State.PLANNED, State.QUEUED, State.PAUSED], State.CANCELLED, Stop.CANCEL, "cancelled")
    _cancel_waiting(job)


def resume(job: Job, caps: dict[str, float] | None = None) -> None:
    """Queue a paused job again; it goes on from its last chunk.

    Args:
        caps: new caps, in place of all that it had.

    Raises:
        ConflictError: it is not paused.
    """
    values: dict[str, Any] = {} if caps is None else {"caps": caps}
    _move(job, [State.PAUSED], "resumed", state=State.QUEUED, note="", not_before=None, **values)


def retry(job: Job) -> None:
    """Queue a failed or cancelled job again; it goes on from its last chunk.

    Raises:
        ConflictError: it is neither.
    """
    _move(
        job,
        [State.FAILED, State.CANCELLED],
        "retried",
        state=State.QUEUED,
        num_losses=0,
        not_before=None,
        ended_at=None,
        note="",
        error="",
        result=None,
    )


@transaction.atomic
def move_up(job: Job) -> None:
    """Let a queued job change places with the one before it.

    Raises:
        ConflictError: it is not queued.
    """
    _require_queued(job)
    line = Job.objects.filter(queue=job.queue, state=State.QUEUED)
    job.refresh_from_db(fields=["place"])
    before = line.filter(Q(place__lt=job.place) | Q(place=job.place, pk__lt=job.pk)).order_by("-place", "-pk").first()
    if before is None:
        return
    if before.place == job.place:  # submitted in the same microsecond: their ids decide, so room is made
        line.filter(place__lt=job.place).update(place=F("place") - 1)
        line.filter(Q(pk__lt=before.pk) | Q(pk=job.pk), place=job.place).update(place=F("place") - 1)
    else:
        line.filter(pk=before.pk).update(place=job.place)
        line.filter(pk=job.pk).update(place=before.place)


@transaction.atomic
def move_to_front(job: Job) -> None:
    """Make a queued job the next of its queue.

    Raises:
        ConflictError: it is not queued.
    """
    _require_queued(job)
    line = Job.objects.filter(queue=job.queue, state=State.QUEUED)
    first = line.exclude(pk=job.pk).aggregate(first=Min("place"))["first"]
    if first is not None:
        line.filter(pk=job.pk).update(place=first - 1)


def _cancel_waiting(job: Job) -> None:
    for child in job.children.filter(waits_for_parent=True).exclude(state__in=ENDED):
        cancel(child)


def _move(job: Job, states: Collection[Job.State], verb: str, **values: Any) -> None:
    if not Job.objects.filter(pk=job.pk, state__in=states).update(**values):
        _refuse(job, states, verb)
    job.refresh_from_db()


def _stop(job: Job, at_once: Collection[Job.State], state: Job.State, request: Job.Stop, verb: str) -> None:
    """Stop a job that rests at once, and ask a running one to."""
    resting = Job.objects.filter(pk=job.pk, state__in=at_once)
    running = Job.objects.filter(pk=job.pk, state=State.RUNNING)
    if request != Stop.CANCEL:  # who paused it knew nothing of the cancel
        running = running.exclude(stop=Stop.CANCEL)
    ended_at = {"ended_at": Now()} if state in ENDED else {}
    # between the two it may start or go back to the queue: a second round finds it where it went
    for _ in range(3):
        if resting.update(state=state, note="", **ended_at) or running.update(stop=request):
            job.refresh_from_db()
            return
    _refuse(job, [*at_once, State.RUNNING], verb)


def _refuse(job: Job, states: Collection[Job.State], verb: str) -> None:
    job.refresh_from_db(fields=["state", "stop"])
    if job.state in states and job.stop == Stop.CANCEL:
        raise ConflictError(f"job {job.pk} is being cancelled, so it cannot be {verb}; retry it once it has ended")
    allowed = ", ".join(state.label.lower() for state in states)
    raise ConflictError(f"job {job.pk} is {job.state}; only one that is {allowed} can be {verb}")


def _require_queued(job: Job) -> None:
    # the lock, or SQLite's one writer, keeps two who move jobs from each other's way
    if not Job.objects.select_for_update().filter(pk=job.pk, state=State.QUEUED).exists():
        _refuse(job, [State.QUEUED], "moved")
