"""The list of jobs as it is read: blocks, order, places in the queue, filters, paging; the same on both databases."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from s1web.jobs import transitions
from s1web.jobs.models import Job
from s1web.jobs.queries import Board, Filters, read_board, read_queues, read_workers
from tests.factories import make_job, make_presence

pytestmark = pytest.mark.usefixtures("either_project")


def board(page: int = 50, **values: Any) -> Board:
    return read_board(Filters.read(values, user_pk=None), page=page)


def ids(jobs: list[Job] | None) -> list[int] | None:
    return None if jobs is None else [job.pk for job in jobs]


def test_each_state_has_its_block():
    jobs = {state.value: make_job(state.value, ended_at=_ended(state.value)) for state in Job.State}
    found = board()
    assert ids(found.running) == [jobs["running"].pk]
    assert ids(found.queued) == [jobs["queued"].pk]
    assert set(ids(found.held) or ()) == {jobs["planned"].pk, jobs["paused"].pk}
    assert set(ids(found.ended) or ()) == {jobs[state].pk for state in ("done", "failed", "cancelled")}


def test_places_count_within_each_queue_in_the_order_in_which_jobs_will_run():
    first, second, third = make_job(), make_job(), make_job()
    gpu = make_job(queue="gpu", kind="trial_gpu")
    transitions.move_to_front(third)
    transitions.move_up(second)
    queued = board().queued or []
    assert [(job.pk, job.position) for job in queued] == [
        (third.pk, 1),
        (second.pk, 2),
        (first.pk, 3),
        (gpu.pk, 1),
    ]


def test_jobs_of_the_same_place_are_told_apart_by_their_number():
    jobs = [make_job(place=7) for _ in range(3)]
    found = board().queued or []
    assert [(job.pk, job.position) for job in found] == [(job.pk, number) for number, job in enumerate(jobs, 1)]


def test_a_filtered_job_keeps_its_place_among_all():
    make_job(kind="curate")
    make_job(kind="curate")
    wanted = make_job()
    found = board(kind="trial_cpu")
    assert [(job.pk, job.position) for job in found.queued or ()] == [(wanted.pk, 3)]
    assert found.num_queued == 1


def test_paging_shows_every_queued_job_once_with_its_place():
    expected = [(make_job().pk, number) for number in range(1, 8)]
    expected += [(make_job(queue="gpu", kind="trial_gpu").pk, number) for number in range(1, 4)]
    seen: list[tuple[int, int]] = []
    address = ""
    while True:
        found = board(page=3, **_values(address))
        seen += [(job.pk, job.position) for job in found.queued or ()]
        assert found.num_queued == 10
        address = found.more_queued
        if not address:
            break
        assert "state=queued" in address
    assert seen == expected


def test_paging_shows_every_ended_job_once_the_newest_end_first():
    now = timezone.now()
    # pairs that ended at the same moment
    jobs = [make_job("done", ended_at=now - timedelta(seconds=number // 2)) for number in range(11)]
    seen: list[int] = []
    address = ""
    while True:
        found = board(page=3, **_values(address))
        seen += ids(found.ended) or []
        address = found.more_ended
        if not address:
            break
    assert len(seen) == len(set(seen)) == 11
    by_number = {job.pk: job for job in jobs}
    order = [(by_number[pk].ended_at, pk) for pk in seen]
    assert order == sorted(order, reverse=True)


def test_paging_goes_on_where_workers_write_the_times_of_the_ends():
    """The database writes them in another form than Python sends them: a comparison must not see one job twice."""
    for _ in range(5):
        make_job()
        claim = transitions.claim_next("cpu", worker="cpu@here", version="1")
        assert claim is not None
        assert transitions.finish(claim, {})
    first = board(page=2)
    second = board(page=2, **_values(first.more_ended))
    assert not set(ids(first.ended) or ()) & set(ids(second.ended) or ())
    assert len(ids(second.ended) or ()) == 2


@pytest.mark.parametrize(
    ("values", "blocks"),
    [
        ({"state": "running"}, {"running"}),
        ({"state": "queued"}, {"queued"}),
        ({"state": "paused"}, {"held"}),
        ({"state": "failed"}, {"ended"}),
        ({"state": "ended"}, {"ended"}),
        ({"after": "cpu:1:1"}, {"queued"}),
        ({"before": "1"}, {"ended"}),
        ({}, {"running", "queued", "held", "ended"}),
    ],
)
def test_a_filter_by_state_or_a_page_further_on_leaves_the_other_blocks_out(values, blocks):
    found = board(**values)
    assert {name for name in ("running", "queued", "held", "ended") if getattr(found, name) is not None} == blocks


def test_a_filter_by_state_shows_that_state_alone():
    make_job("done", ended_at=timezone.now())
    failed = make_job("failed", ended_at=timezone.now(), error="broken")
    make_job("planned")
    paused = make_job("paused")
    assert ids(board(state="failed").ended) == [failed.pk]
    assert ids(board(state="paused").held) == [paused.pk]


@pytest.mark.parametrize(
    "values",
    [
        {"state": "nonsense", "kind": "x", "queue": "moon"},
        {"after": "cpu:1"},
        {"after": "moon:1:1"},
        {"after": f"cpu:{10**30}:1"},
        {"after": "cpu:٣:1"},
        {"before": "-1"},
        {"before": str(10**30)},
        {"before": "1; DROP TABLE"},
    ],
)
def test_what_cannot_be_a_filter_is_none(values):
    job = make_job()
    found = board(**values)
    assert not found.filters.is_on
    assert not found.filters.is_paged
    assert ids(found.queued) == [job.pk]


def test_a_page_behind_a_job_that_is_not_there_is_empty():
    make_job("done", ended_at=timezone.now())
    assert ids(board(before="4711").ended) == []


def test_places_below_zero_can_be_paged_from():
    jobs = [make_job() for _ in range(4)]
    transitions.move_to_front(jobs[1])
    transitions.move_to_front(jobs[2])
    transitions.move_to_front(jobs[3])
    Job.objects.filter(pk=jobs[3].pk).update(place=-5)
    first = board(page=1)
    assert "after=cpu%3A-5%3A" in first.more_queued
    second = board(page=10, **_values(first.more_queued))
    assert [(job.pk, job.position) for job in second.queued or ()] == [
        (jobs[2].pk, 2),
        (jobs[1].pk, 3),
        (jobs[0].pk, 4),
    ]


def test_the_address_of_a_filter_reads_back_to_it_and_each_chip_takes_one_off():
    filters = Filters.read({"state": "queued", "kind": "curate", "queue": "cpu", "mine": "1", "after": "cpu:5:6"}, 9)
    assert Filters.read(_values(filters.same()), 9) == filters
    left = {text: Filters.read(_values(rest), 9) for text, rest in filters.chips()}
    assert left["state: queued"] == Filters(kind="curate", queue="cpu", mine=9)
    assert left["kind: curate"] == Filters(state="queued", queue="cpu", mine=9)
    assert left["queue: cpu"] == Filters(state="queued", kind="curate", mine=9)
    assert left["mine"] == Filters(state="queued", kind="curate", queue="cpu")
    assert left["further on"] == Filters(state="queued", kind="curate", queue="cpu", mine=9)


def test_the_outlook_of_a_queued_job_in_a_word():
    make_presence(queues=["cpu"])
    parent, failed = make_job("running"), make_job("failed", ended_at=timezone.now())
    jobs = [
        make_job(),
        make_job(),
        make_job(parent=parent, waits_for_parent=True),
        make_job(parent=failed, waits_for_parent=True),
        make_job(parent=parent),
        make_job(queue="gpu", kind="trial_gpu"),
    ]
    words = {job.pk: job.outlook for job in board().queued or ()}
    assert [words[job.pk] for job in jobs] == [
        "next",
        "waits",
        f"after job {parent.pk}",
        f"job {failed.pk} is not done",
        "waits",
        "no worker on gpu",
    ]


def test_a_queue_is_stuck_where_jobs_wait_and_nobody_is_heard_of(settings):
    gone = timezone.now() - timedelta(seconds=settings.JOB_LOST_SECONDS + 1)
    make_presence("cpu@gone", seen_at=gone, queues=["cpu"])
    make_presence("gpu@here", queues=["gpu"], slots=3)
    make_job()
    make_job("running")
    cpu, gpu = read_queues()
    assert (cpu.waiting, cpu.running, cpu.workers, cpu.slots, cpu.is_stuck) == (1, 1, 0, 0, True)
    assert (gpu.waiting, gpu.running, gpu.workers, gpu.slots, gpu.is_stuck) == (0, 0, 1, 3, False)


def test_workers_come_with_their_jobs_those_that_are_there_first(settings):
    gone = timezone.now() - timedelta(seconds=settings.JOB_LOST_SECONDS + 1)
    make_presence("a@gone", seen_at=gone)
    make_presence("b@here")
    job = make_job("running", worker="b@here")
    found = read_workers()
    assert [(worker.name, worker.is_heard, ids(worker.jobs)) for worker in found] == [
        ("b@here", True, [job.pk]),
        ("a@gone", False, []),
    ]


def test_no_list_loads_the_long_columns_of_a_job():
    for state in Job.State:
        make_job(
            state.value,
            ended_at=_ended(state.value),
            params={"long": "p" * 1000},
            result={"long": "r" * 1000},
            error="e" * 1000,
            plan={"unit": "rows", "title": "t" * 1000},
        )
    found = board()
    for job in [*(found.running or ()), *(found.queued or ()), *(found.held or ()), *(found.ended or ())]:
        assert {"params", "plan", "result", "error", "caps", "spent", "claim"} <= job.get_deferred_fields()
        assert job.unit == "rows"
        assert len(job.reason or "") <= 240


def test_a_list_takes_as_many_queries_for_a_thousand_jobs_as_for_ten():
    def num_queries(**values: Any) -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            found = board(**values)
            for job in [*(found.running or ()), *(found.queued or ()), *(found.held or ()), *(found.ended or ())]:
                str((job.title, job.reason, job.unit, job.created_by, job.parent and job.parent.state))
        return len(captured)

    parent = make_job("running")
    many = [make_job("queued", parent=parent, waits_for_parent=True) for _ in range(10)]
    few = [num_queries(), num_queries(kind="trial_cpu"), num_queries(after=f"cpu:{many[2].place}:{many[2].pk}")]
    rows = [_copy(many[0], place=many[-1].place + number) for number in range(1, 991)]
    Job.objects.bulk_create(rows)
    Job.objects.bulk_create([_copy(parent, state="done", ended_at=timezone.now()) for _ in range(200)])
    assert [
        num_queries(),
        num_queries(kind="trial_cpu"),
        num_queries(after=f"cpu:{many[2].place}:{many[2].pk}"),
    ] == few
    assert max(few) <= 8


def _copy(job: Job, **values: Any) -> Job:
    names = ("kind", "queue", "state", "place", "title", "params", "parent", "waits_for_parent")
    return Job(**({name: getattr(job, name) for name in names} | values))


def _ended(state: str) -> Any:
    return timezone.now() if state in ("done", "failed", "cancelled") else None


def _values(address: str) -> dict[str, str]:
    """The end of an address as a request would hold it."""
    from urllib.parse import parse_qsl

    return dict(parse_qsl(address.removeprefix("?")))
