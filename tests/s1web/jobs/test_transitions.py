"""How jobs change state: what is allowed from where, who wins when two try, what an ended claim may still write."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from curation.errors import ConflictError
from s1web.jobs import transitions
from s1web.jobs.models import ENDED, Job
from s1web.jobs.transitions import Claim, claim_next
from tests.databases import at_once
from tests.factories import make_job

STATES = [state.value for state in Job.State]
Row = dict[str, Any]
pytestmark = pytest.mark.usefixtures("either_project")


def row_of(job: Job) -> Row:
    return Job.objects.filter(pk=job.pk).values().get()


def state_of(job: Job) -> str:
    return str(row_of(job)["state"])


def claim(queue: str = "cpu", worker: str = "cpu@here") -> Claim | None:
    return claim_next(queue, worker=worker, version="1")


def claimed() -> tuple[Job, Claim]:
    job = make_job()
    taken = claim()
    assert taken is not None
    return job, taken


# --- the state machine as tables: what is not in them is refused and changes nothing ---

# (what a person does, from, the state and the request that come of it)
PEOPLE = [
    (transitions.confirm, "planned", "queued", ""),
    (transitions.pause, "queued", "paused", ""),
    (transitions.pause, "running", "running", "pause"),
    (transitions.cancel, "planned", "cancelled", ""),
    (transitions.cancel, "queued", "cancelled", ""),
    (transitions.cancel, "paused", "cancelled", ""),
    (transitions.cancel, "running", "running", "cancel"),
    (transitions.resume, "paused", "queued", ""),
    (transitions.retry, "failed", "queued", ""),
    (transitions.retry, "cancelled", "queued", ""),
    (transitions.move_up, "queued", "queued", ""),
    (transitions.move_to_front, "queued", "queued", ""),
]
ACTIONS = sorted({action for action, *_ in PEOPLE}, key=lambda action: action.__name__)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.__name__)
def test_people_can_do_what_the_table_says_and_are_told_what_is_allowed_otherwise(action):
    allowed = {before: (after, stop) for known, before, after, stop in PEOPLE if known is action}
    for state in STATES:
        job = make_job(state)
        before = row_of(job)
        if state in allowed:
            action(job)
            after = row_of(job)
            assert (after["state"], after["stop"]) == allowed[state], state
            assert (after["ended_at"] is not None) == (after["state"] in ENDED), state
        else:
            with pytest.raises(ConflictError) as refused:
                action(job)
            assert row_of(job) == before, state
            line = str(refused.value)
            assert line.startswith(f"job {job.pk} is {state}; only one that is ")
            assert set(line.partition("only one that is ")[2].partition(" can be ")[0].split(", ")) == set(allowed)


def test_a_page_that_shows_an_old_state_gives_the_true_one_in_the_refusal():
    job = make_job("queued")
    Job.objects.filter(pk=job.pk).update(state="done")
    with pytest.raises(ConflictError, match=f"job {job.pk} is done; only one that is queued, running can be paused"):
        transitions.pause(job)


# (what a worker says, what was asked of the job, the answer, the state that comes of it)
WORKERS: list[tuple[str, Callable[[Claim], Any], str, Any, str]] = [
    ("finish", lambda c: transitions.finish(c, {"n": 1}), "", True, "done"),
    ("finish", lambda c: transitions.finish(c, {"n": 1}), "cancel", True, "done"),
    ("fail", lambda c: transitions.fail(c, "no"), "", True, "failed"),
    ("hold", lambda c: transitions.hold(c, "at its cap"), "", True, "paused"),
    ("hold", lambda c: transitions.hold(c, "at its cap"), "pause", True, "paused"),
    ("hold", lambda c: transitions.hold(c, "at its cap"), "cancel", True, "cancelled"),
    ("stop", transitions.stop, "", False, "running"),
    ("stop", transitions.stop, "pause", True, "paused"),
    ("stop", transitions.stop, "cancel", True, "cancelled"),
    ("release", transitions.release, "", True, "queued"),
    ("release", transitions.release, "pause", True, "paused"),
    ("release", transitions.release, "cancel", True, "cancelled"),
    ("lose", lambda c: transitions.lose(c, "killed"), "", True, "queued"),
    ("lose", lambda c: transitions.lose(c, "killed"), "pause", True, "paused"),
    ("lose", lambda c: transitions.lose(c, "killed"), "cancel", True, "cancelled"),
    ("beat", transitions.beat, "", "", "running"),
    ("beat", transitions.beat, "cancel", "cancel", "running"),
    ("asked", transitions.asked, "pause", "pause", "running"),
    (
        "progress",
        lambda c: transitions.progress(c, done=1, total=2, rate=0.5, spent={"rows": 1}),
        "",
        True,
        "running",
    ),
]


@pytest.mark.parametrize(
    ("call", "asked", "answer", "state"),
    [case[1:] for case in WORKERS],
    ids=[f"{name}-{asked or 'unasked'}" for name, _, asked, _, _ in WORKERS],
)
def test_a_worker_that_holds_the_claim_moves_the_job_as_the_table_says(call, asked, answer, state):
    job, held = claimed()
    Job.objects.filter(pk=job.pk).update(stop=asked)
    assert call(held) == answer
    row = row_of(job)
    assert row["state"] == state
    if state != "running":
        # nothing of the start is left that a later one could take for its own, but who brought it to its end
        assert (row["claim"], row["stop"], row["rate"]) == ("", "", 0.0)
        assert bool(row["worker"]) == (state in ("done", "failed"))
    assert (row["ended_at"] is not None) == (state in ENDED)


@pytest.mark.parametrize("name", sorted({case[0] for case in WORKERS}))
def test_a_claim_that_has_ended_writes_nothing(name):
    call = next(case[1] for case in WORKERS if case[0] == name)
    for state in STATES:
        # a running job belongs to another start; at rest even the right token, had it been left there, is none
        values = {"claim": "new", "stop": "cancel"} if state == "running" else {"claim": "old"}
        job = make_job(state, **values)
        before = row_of(job)
        assert call(Claim(job.pk, "old")) in (False, None), state
        assert row_of(job) == before, state
        assert transitions.find(Claim(job.pk, "old")) is None, state


def test_a_start_leaves_its_mark_and_forgets_what_the_last_one_left():
    job = make_job(note="its worker was stopped", error="old", num_starts=2, not_before=timezone.now())
    taken = claim(worker="cpu@there")
    assert taken is not None
    row = row_of(job)
    assert (row["state"], row["worker"], row["version"], row["num_starts"]) == ("running", "cpu@there", "1", 3)
    assert (row["note"], row["error"], row["not_before"]) == ("", "", None)
    assert row["claim"] == taken.token
    assert abs((timezone.now() - row["heartbeat_at"]).total_seconds()) < 5
    assert row["started_at"] == row["heartbeat_at"]


def test_a_retried_job_starts_with_a_clean_slate_but_keeps_what_it_has_done_and_spent():
    job = make_job(
        "failed",
        error="no",
        note="n",
        num_losses=5,
        num_starts=6,
        ended_at=timezone.now(),
        result={"old": 1},
        done=7,
        total=9,
        spent={"rows": 7},
        seconds=3.5,
        caps={"rows": 100},
    )
    transitions.retry(job)
    row = row_of(job)
    assert (row["error"], row["note"], row["num_losses"], row["ended_at"], row["result"]) == ("", "", 0, None, None)
    assert (row["done"], row["total"], row["spent"], row["seconds"]) == (7, 9, {"rows": 7}, 3.5)
    assert (row["num_starts"], row["caps"]) == (6, {"rows": 100})


def test_resume_takes_new_caps_in_place_of_all_old_ones_and_keeps_them_where_none_are_given():
    job = make_job("paused", caps={"rows": 10, "tokens": 5}, note="stopped at its cap")
    transitions.resume(job, {"rows": 20})
    assert (job.caps, job.note, job.state) == ({"rows": 20}, "", "queued")
    transitions.pause(job)
    transitions.resume(job)
    assert job.caps == {"rows": 20}
    transitions.pause(job)
    transitions.resume(job, {})
    assert job.caps == {}


def test_a_pause_does_not_take_a_cancel_back():
    job, held = claimed()
    transitions.cancel(job)
    with pytest.raises(ConflictError, match=f"job {job.pk} is being cancelled"):
        transitions.pause(job)
    assert transitions.asked(held) == "cancel"


def test_a_pause_can_turn_into_a_cancel():
    job, held = claimed()
    transitions.pause(job)
    transitions.cancel(job)
    assert transitions.asked(held) == "cancel"


# --- whose turn it is ---


def test_jobs_start_by_place_then_by_number_and_queues_do_not_mix():
    late, early, tie = make_job(place=30), make_job(place=10), make_job(place=10)
    other = make_job(queue="gpu", place=1)
    order = [taken.job_id for taken in iter(claim, None) if taken]
    assert order == [early.pk, tie.pk, late.pk]
    taken = claim("gpu")
    assert taken is not None
    assert taken.job_id == other.pk


@pytest.mark.parametrize("state", [state for state in STATES if state != "queued"])
def test_only_queued_jobs_can_be_claimed(state):
    make_job(state)
    assert claim() is None


@pytest.mark.parametrize("state", STATES)
def test_a_child_starts_once_its_parent_is_done_and_not_before(state):
    parent = make_job(state, queue="gpu")
    child = make_job(parent=parent, waits_for_parent=True)
    taken = claim()
    assert (taken is not None and taken.job_id == child.pk) == (state == "done")


def test_a_child_that_does_not_wait_starts_whatever_its_parent_does():
    make_job(parent=make_job("failed"), waits_for_parent=False)
    assert claim() is not None


def test_a_waiting_child_does_not_hold_up_the_jobs_behind_it():
    make_job(parent=make_job("running"), waits_for_parent=True)
    behind = make_job()
    taken = claim()
    assert taken is not None
    assert taken.job_id == behind.pk


def test_cancelling_a_parent_cancels_all_that_wait_for_it_and_nothing_else():
    parent = make_job("queued")
    waiting = make_job(parent=parent, waits_for_parent=True)
    grandchild = make_job("planned", parent=waiting, waits_for_parent=True)
    free = make_job(parent=parent, waits_for_parent=False)
    ended = make_job("done", parent=parent, waits_for_parent=True)
    stranger = make_job()
    transitions.cancel(parent)
    states = [state_of(job) for job in (parent, waiting, grandchild, free, ended, stranger)]
    assert states == ["cancelled", "cancelled", "cancelled", "queued", "done", "queued"]


def test_a_failed_parent_keeps_its_children_waiting_and_a_retry_that_ends_well_lets_them_start():
    parent, held = claimed()
    child = make_job(parent=parent, waits_for_parent=True)
    transitions.fail(held, "no")
    assert claim() is None
    transitions.retry(parent)
    again = claim()
    assert again is not None
    assert again.job_id == parent.pk
    assert claim() is None
    transitions.finish(again, {})
    taken = claim()
    assert taken is not None
    assert taken.job_id == child.pk


# --- lost jobs ---


def test_a_lost_job_waits_longer_each_time_and_fails_with_its_reason_after_so_many_losses(settings):
    settings.JOB_MAX_LOSSES = 2
    job = make_job()
    for losses in range(2):
        held = claim()
        assert held is not None
        assert transitions.lose(held, "its process was killed by SIGKILL")
        row = row_of(job)
        assert (row["state"], row["num_losses"], row["error"]) == ("queued", losses + 1, "")
        assert row["note"].startswith("its process was killed by SIGKILL; it goes on")
        wait = (row["not_before"] - timezone.now()).total_seconds()
        assert losses - 1 < wait <= losses + 0.1
        if losses:
            assert claim() is None, "a job that was lost before starts again after a while, not at once"
        Job.objects.update(not_before=Now() - timedelta(milliseconds=5))
    held = claim()
    assert held is not None
    assert transitions.lose(held, "its process was killed by SIGKILL")
    row = row_of(job)
    assert (row["state"], row["num_starts"], row["not_before"]) == ("failed", 3, None)
    assert row["error"].startswith("its process was killed by SIGKILL; it was started again 2 times before")
    assert "retry" in row["error"]


def test_a_job_that_was_given_back_has_lost_nothing():
    job, held = claimed()
    transitions.release(held)
    row = row_of(job)
    assert (row["num_losses"], row["not_before"], row["note"]) == (0, None, "its worker was stopped")
    assert claim() is not None


def test_the_seconds_of_all_starts_add_up_whoever_holds_the_claim():
    job = make_job(seconds=1.5)
    transitions.add_seconds(job.pk, 2.25)
    transitions.add_seconds(job.pk, 0.25)
    assert row_of(job)["seconds"] == 4.0


# --- the order of the queue ---


def order(queue: str = "cpu") -> list[int]:
    return [job.pk for job in Job.objects.filter(queue=queue, state="queued").order_by("place", "pk")]


@pytest.mark.parametrize("places", [(1, 2, 3, 4), (5, 5, 5, 5), (4, 5, 5, 5), (4, 4, 5, 5)])
def test_moving_up_changes_places_with_the_one_before_and_moves_nobody_else(places):
    jobs = [make_job(place=place) for place in places]
    expected = [job.pk for job in jobs]
    for mover in (3, 2, 1, 3, 3, 0, 2):
        at = expected.index(jobs[mover].pk)
        if at:
            expected[at - 1 : at + 1] = [expected[at], expected[at - 1]]
        transitions.move_up(jobs[mover])
        assert order() == expected


@pytest.mark.parametrize("places", [(1, 2, 3), (5, 5, 5)])
def test_moving_to_the_front_makes_a_job_the_next_one(places):
    first, second, third = (make_job(place=place) for place in places)
    transitions.move_to_front(third)
    assert order() == [third.pk, first.pk, second.pk]
    transitions.move_to_front(third)
    assert order() == [third.pk, first.pk, second.pk]
    taken = claim()
    assert taken is not None
    assert taken.job_id == third.pk


@pytest.mark.parametrize("move", [transitions.move_up, transitions.move_to_front])
def test_other_queues_and_jobs_that_do_not_wait_are_not_passed_or_moved(move):
    running, paused, other = make_job("running", place=1), make_job("paused", place=2), make_job(queue="gpu", place=3)
    alone = make_job(place=4)
    before = [row_of(job) for job in (running, paused, other, alone)]
    move(alone)
    assert [row_of(job) for job in (running, paused, other, alone)] == before


def test_many_who_move_jobs_at_once_lose_none():
    jobs = [make_job(place=place) for place in range(8)]
    moves = [transitions.move_up, transitions.move_to_front] * 4
    results = at_once([lambda move=move, job=job: move(job) for move, job in zip(moves, jobs, strict=True)])
    assert results == [None] * 8
    assert sorted(order()) == sorted(job.pk for job in jobs)


# --- races ---


def test_of_eight_workers_over_200_jobs_each_job_goes_to_one_and_in_order():
    jobs = Job.objects.bulk_create(
        # places against the order of numbers
        Job(kind="trial_cpu", queue="cpu", state="queued", place=1000 - n, title="Trial")
        for n in range(200)
    )

    def work() -> list[Claim]:
        return [taken for taken in iter(claim, None) if taken]

    lists = at_once([work] * 8)
    assert not [error for error in lists if isinstance(error, Exception)]
    claims = [taken for taken_by_one in lists for taken in taken_by_one]  # type: ignore[union-attr]
    assert sorted(taken.job_id for taken in claims) == sorted(job.pk for job in jobs)
    tokens = dict(Job.objects.values_list("pk", "claim"))
    assert {taken.job_id: taken.token for taken in claims} == tokens
    assert set(Job.objects.values_list("num_starts", flat=True)) == {1}
    starts = list(Job.objects.order_by("place").values_list("started_at", flat=True))
    assert starts == sorted(starts)


def test_a_cancel_that_meets_a_claim_ends_the_job_either_way():
    seen = set()
    for _ in range(25):
        job = make_job()
        taken, error = at_once([claim, lambda job=job: transitions.cancel(job)])
        assert error is None
        if taken is None:
            assert state_of(job) == "cancelled"
        else:
            assert isinstance(taken, Claim)
            assert transitions.asked(taken) == "cancel"
            assert transitions.stop(taken)
            assert state_of(job) == "cancelled"
        seen.add(taken is None)
    assert seen, "each round is one of the two"


def test_a_pause_that_meets_the_end_of_the_work_never_takes_a_finished_job_back():
    for _ in range(25):
        job, held = claimed()
        finished, paused = at_once(
            [lambda held=held: transitions.finish(held, {"n": 1}), lambda job=job: transitions.pause(job)]
        )
        assert finished is True
        assert paused is None or "can be paused" in str(paused)
        row = row_of(job)
        assert (row["state"], row["stop"], row["result"]) == ("done", "", {"n": 1})


def test_a_loss_that_several_notice_counts_once():
    for _ in range(10):
        job, held = claimed()
        results = at_once([lambda held=held: transitions.lose(held, "killed")] * 6)
        assert sorted(map(bool, results)) == [False] * 5 + [True]
        assert row_of(job)["num_losses"] == 1
        Job.objects.filter(pk=job.pk).update(state="done")


def test_a_finish_and_a_loss_at_once_leave_one_of_the_two():
    for _ in range(30):
        job, held = claimed()
        finished, lost = at_once(
            [lambda held=held: transitions.finish(held, {}), lambda held=held: transitions.lose(held, "killed")]
        )
        assert finished is not lost
        row = row_of(job)
        assert (row["state"], row["num_losses"]) == (("done", 0) if finished else ("queued", 1))
        Job.objects.filter(pk=job.pk).update(state="done")


def test_two_people_who_retry_at_once_queue_the_job_once():
    job = make_job("failed", num_losses=3)
    results = at_once([lambda: transitions.retry(Job.objects.get(pk=job.pk))] * 4)
    assert sum(result is None for result in results) == 1
    assert all(result is None or isinstance(result, ConflictError) for result in results)
    assert state_of(job) == "queued"
