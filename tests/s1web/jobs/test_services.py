"""Submitting jobs, and what is said about them: caps, places, and whether anybody will take them."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db.models.functions import Now
from django.utils import timezone

from curation.errors import ConfigError, ConflictError, NotFoundError
from s1web.jobs import services, transitions
from s1web.jobs.models import Job, WorkerPresence
from s1web.jobs.services import Outlook, outlook, submit
from s1web.plans import Plan
from tests.factories import make_job, make_presence

pytestmark = pytest.mark.usefixtures("project")
START = "start one with: celery -A s1web worker -Q cpu (or everything with: python manage.py up)"
START_GPU = START.replace("one with", "one on a host with a GPU with").replace("-Q cpu", "-Q gpu")


def test_a_submitted_job_is_queued_with_its_plan_and_everything_it_was_asked():
    user = get_user_model().objects.create_user("curator")
    job = submit("trial_cpu", {"seconds": 3}, user=user, caps={"seconds": 60})
    stored = Job.objects.get(pk=job.pk)
    assert (stored.kind, stored.queue, stored.state, stored.params) == ("trial_cpu", "cpu", "queued", {"seconds": 3})
    assert (stored.title, stored.total, stored.done) == ("Trial of a worker, 3 s", 3, 0)
    assert (stored.plan["total"], stored.plan["unit"], stored.plan["seconds"]) == (3, "steps", 3.0)
    assert (stored.created_by, stored.caps, stored.spent, stored.result) == (user, {"seconds": 60}, {}, None)
    assert (stored.parent, stored.waits_for_parent) == (None, False)
    assert stored.sent_at is not None


def test_an_unconfirmed_job_waits_until_somebody_says_yes():
    job = submit("trial_cpu", {"seconds": 3}, is_confirmed=False)
    assert (job.state, Job.objects.get(pk=job.pk).sent_at) == ("planned", None)
    assert transitions.claim_next("cpu", worker="w", version="1") is None
    services.confirm(job)
    stored = Job.objects.get(pk=job.pk)
    assert stored.state == "queued"
    assert stored.sent_at is not None
    with pytest.raises(ConflictError, match="only one that is planned can be confirmed"):
        services.confirm(job)


def test_jobs_are_queued_in_the_order_in_which_they_were_submitted():
    jobs = [submit("trial_cpu", {"seconds": 1}) for _ in range(20)]
    assert [services.position_of(job) for job in jobs] == list(range(1, 21))


def test_a_job_waits_for_its_parent_unless_told_not_to():
    parent = submit("trial_cpu", {"seconds": 1})
    assert submit("trial_cpu", {"seconds": 1}, parent=parent).waits_for_parent
    assert not submit("trial_cpu", {"seconds": 1}, parent=parent, waits_for_parent=False).waits_for_parent


@pytest.mark.parametrize(
    ("kind", "params", "caps", "line"),
    [
        ("trial", {}, {}, "no kind of job 'trial'; there are "),
        ("trial_cpu", {"seconds": 0}, {}, "a trial of 0 seconds cannot be run; give 1 to 3,600"),
        ("trial_cpu", {"seconds": True}, {}, "a trial of True seconds cannot be run"),
        ("trial_cpu", {"seconds": 1}, {"dollars": 1}, "cap 'dollars' is no resource; choose of rows, tokens, "),
        ("trial_cpu", {"seconds": 1}, {"rows": 0}, "cap rows=0 is no limit; give a number above 0"),
        ("trial_cpu", {"seconds": 1}, {"rows": float("nan")}, "cap rows=nan is no limit"),
    ],
)
def test_what_cannot_work_is_refused_before_it_waits(kind, params, caps, line):
    with pytest.raises((ConfigError, NotFoundError)) as refused:
        submit(kind, params, caps=caps)
    assert str(refused.value).startswith(line)
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("pairs", "caps"),
    [
        ([], {}),
        (["tokens=1000000"], {"tokens": 1e6}),
        (["tokens=1,000,000", "money=2.50"], {"tokens": 1e6, "money": 2.5}),
        (["rows=1_000"], {"rows": 1000}),
        (["rows=1e3", "rows=5"], {"rows": 5}),
        ([" rows =7"], {"rows": 7}),
    ],
)
def test_caps_are_read_as_people_write_them(pairs, caps):
    assert services.parse_caps(pairs) == caps


@pytest.mark.parametrize("pair", ["tokens", "tokens=", "tokens=many", "=5", "tokens=-1", "tokens=inf", "tokens=nan"])
def test_a_cap_that_is_none_is_refused_with_what_came(pair):
    with pytest.raises(ConfigError) as refused:
        services.parse_caps([pair])
    assert pair.partition("=")[0] in str(refused.value)
    assert "cap " in str(refused.value)


def test_a_paused_job_is_resumed_with_higher_caps_that_are_checked_first():
    job = make_job("paused", caps={"rows": 10})
    with pytest.raises(ConfigError, match="cap rows=-1"):
        services.resume(job, {"rows": -1})
    assert Job.objects.get(pk=job.pk).state == "paused"
    services.resume(job, {"rows": 20})
    stored = Job.objects.get(pk=job.pk)
    assert (stored.state, stored.caps) == ("queued", {"rows": 20})
    assert stored.sent_at is not None
    with pytest.raises(ConflictError, match="only one that is paused can be resumed"):
        services.resume(job)


def test_find_job_says_where_the_list_is():
    job = make_job()
    assert services.find_job(job.pk) == job
    with pytest.raises(NotFoundError, match=r"there is no job 12345; see the list with: python manage.py jobs"):
        services.find_job(12345)


def test_num_active_counts_what_runs_and_waits():
    assert services.num_active() == {"running": 0, "queued": 0}
    for state in ("planned", "queued", "queued", "running", "paused", "done", "failed", "cancelled"):
        make_job(state)
    assert services.num_active() == {"running": 1, "queued": 2}


# --- the outlook ---


def unsaved(queue: str) -> Job:
    return Job(kind=f"trial_{queue}", queue=queue, state=Job.State.PLANNED)


def test_before_it_is_submitted_a_job_is_said_to_have_a_worker_or_none():
    line = f"it would wait, as no worker listens on queue cpu: {START}"
    assert outlook(unsaved("cpu")) == Outlook(None, 0, line)
    make_presence("cpu@a")
    assert outlook(unsaved("cpu")) == Outlook(None, 1, "1 worker on queue cpu will take it")
    make_presence("cpu@b")
    assert outlook(unsaved("cpu")).line == "2 workers on queue cpu will take it"
    # workers of another queue are no help
    assert outlook(unsaved("gpu")).line == f"it would wait, as no worker listens on queue gpu: {START_GPU}"


def test_after_it_was_submitted_a_job_knows_its_place_and_who_is_there():
    first, second = make_job(), make_job()
    assert outlook(second) == Outlook(2, 0, f"number 2 in the queue, and no worker listens on queue cpu: {START}")
    make_presence()
    assert outlook(first) == Outlook(1, 1, "number 1 in the queue; 1 worker on queue cpu")
    transitions.move_up(second)
    second.refresh_from_db()
    assert outlook(second).position == 1


def test_a_worker_that_fell_silent_no_longer_counts(settings):
    make_presence()
    WorkerPresence.objects.update(seen_at=Now() - timedelta(seconds=settings.JOB_LOST_SECONDS + 1))
    assert outlook(make_job()).num_workers == 0


@pytest.mark.parametrize(
    ("state", "end"),
    [("queued", ""), ("running", ""), ("paused", "")]
    + [(state, ": retry that one, or cancel this one") for state in ("failed", "cancelled")],
)
def test_a_job_that_waits_for_another_says_for_which(state, end):
    make_presence()
    parent = make_job(state)
    child = make_job(parent=parent, waits_for_parent=True)
    assert outlook(child).line == f"waits for job {parent.pk}, which is {state}{end}"


@pytest.mark.parametrize(
    ("state", "values", "line"),
    [
        ("running", {}, "runs on cpu@here"),
        ("paused", {"note": "stopped at its cap of 10 rows"}, "stopped at its cap of 10 rows"),
        ("paused", {}, "it is paused"),
        ("done", {}, "it is done"),
    ],
)
def test_a_job_that_does_not_wait_says_where_it_stands(state, values, line):
    assert outlook(make_job(state, **values)) == Outlook(None, 0, line)


# --- estimates of time ---


def run_of(kind: str, done: int, seconds: float, unit: str, **values: Any) -> Job:
    plan = Plan("", done, unit).to_json()
    return make_job("done", kind=kind, done=done, seconds=seconds, plan=plan, ended_at=timezone.now(), **values)


def test_a_rate_is_that_of_the_newest_finished_runs_here_in_the_same_unit():
    assert services.known_rate("annotate_lengths", "traces") is None
    run_of("annotate_lengths", 1_000, 1_000.0, "traces")
    for _ in range(4):
        run_of("annotate_lengths", 1_000, 10.0, "traces")
    assert services.known_rate("annotate_lengths", "traces") == 5_000 / 1_040
    run_of("annotate_lengths", 1_000, 10.0, "traces")
    assert services.known_rate("annotate_lengths", "traces") == 100.0
    # of other kinds, in other units, without an end: no evidence
    run_of("annotate_contamination", 9, 1.0, "traces")
    run_of("annotate_lengths", 9, 1.0, "rows")
    make_job("failed", kind="annotate_lengths", done=9, seconds=1.0, plan={"unit": "traces"}, ended_at=timezone.now())
    assert services.known_rate("annotate_lengths", "traces") == 100.0
