"""What keeps jobs moving: lost ones go on, live ones are left alone, idle workers hear of what waits."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models.functions import Now

from s1web.jobs import dispatch, transitions
from s1web.jobs.models import Job, WorkerPresence
from s1web.jobs.transitions import Claim, claim_next
from tests.databases import at_once
from tests.factories import make_job, make_presence
from tests.processes import Project


@pytest.fixture(autouse=True)
def lost_after_ten_seconds(settings):
    settings.JOB_LOST_SECONDS = 10


def silent_for(seconds: float, **values: Any) -> tuple[Job, Claim]:
    """A running job that was heard of so long ago, by the database's own clock."""
    job = make_job("running", **values)
    Job.objects.filter(pk=job.pk).update(heartbeat_at=Now() - timedelta(seconds=seconds))
    return job, Claim(job.pk, job.claim)


def messages(project: Project) -> list[dict[str, Any]]:
    """What lies in the embedded broker's folder, oldest first: queue and job of each message."""
    folder: Path = project.artifact_dir / "broker" / "messages"
    found = []
    for path in sorted(folder.iterdir()):
        message = json.loads(path.read_text())
        found.append({"queue": message["properties"]["delivery_info"]["routing_key"], **message["headers"]})
    return found


@pytest.mark.parametrize(("seconds", "is_lost"), [(0, False), (9, False), (10.5, True), (3_600, True)])
def test_a_job_is_lost_once_nothing_was_heard_of_it_for_so_long(either_project, seconds, is_lost):
    job, _ = silent_for(seconds)
    assert dispatch.recover() == is_lost
    job.refresh_from_db()
    assert (job.state, job.num_losses) == (("queued", 1) if is_lost else ("running", 0))
    if is_lost:
        assert job.note == "its worker cpu@here was not heard of for 10 s; it goes on from its last chunk"


@pytest.mark.parametrize("state", ["planned", "queued", "paused", "done", "failed", "cancelled"])
def test_a_job_that_does_not_run_is_never_lost(project, state):
    job = make_job(state)
    Job.objects.update(heartbeat_at=Now() - timedelta(days=1))
    assert dispatch.recover() == 0
    job.refresh_from_db()
    assert (job.state, job.num_losses) == (state, 0)


def test_a_heartbeat_saves_a_job_at_the_last_moment(either_project, monkeypatch):
    job, held = silent_for(60)
    lose = transitions.lose

    def beat_first(claim: Claim, *arguments: Any, **options: Any) -> bool:
        # the worker was held up by a busy database: its word comes between the look and the loss
        assert transitions.beat(claim) == ""
        return lose(claim, *arguments, **options)

    monkeypatch.setattr(transitions, "lose", beat_first)
    assert dispatch.recover() == 0
    job.refresh_from_db()
    assert (job.state, job.num_losses) == ("running", 0)
    assert transitions.finish(held, {})


def test_of_many_who_find_a_lost_job_one_recovers_it(either_project):
    jobs = [silent_for(60)[0] for _ in range(5)]
    assert sum(at_once([dispatch.recover] * 6)) == 5  # type: ignore[arg-type]
    for job in jobs:
        job.refresh_from_db()
        assert (job.state, job.num_losses) == ("queued", 1)


@pytest.mark.parametrize(("asked", "state"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_request_to_stop_outlives_the_worker_that_should_have_heard_it(either_project, asked, state):
    job, _ = silent_for(60, stop=asked)
    assert dispatch.recover() == 1
    job.refresh_from_db()
    assert (job.state, job.stop, job.num_losses) == (state, "", 0)


def test_a_worker_that_comes_back_late_finds_its_claim_gone(either_project):
    _, old = silent_for(60)
    dispatch.recover()
    new = claim_next("cpu", worker="cpu@there", version="1")
    assert new is not None
    assert transitions.beat(old) is None
    assert not transitions.finish(old, {"from": "the old one"})
    assert transitions.finish(new, {"from": "the new one"})
    assert Job.objects.get(pk=new.job_id).result == {"from": "the new one"}


def test_workers_that_were_heard_of_just_now_listen_and_others_do_not(either_project):
    make_presence("cpu@a")
    make_presence("both@a", queues=["cpu", "gpu"])
    make_presence("gpu@gone", queues=["gpu"])
    WorkerPresence.objects.filter(name="gpu@gone").update(seen_at=Now() - timedelta(seconds=11))
    assert [item.name for item in dispatch.listening()] == ["both@a", "cpu@a"]
    assert [item.name for item in dispatch.listening("gpu")] == ["both@a"]
    assert dispatch.listening("gp") == []


def test_workers_that_left_are_shown_for_an_hour_and_then_forgotten(either_project):
    for name, seconds in [("here", 0), ("left", 3_500), ("long gone", 3_700)]:
        make_presence(name)
        WorkerPresence.objects.filter(name=name).update(seen_at=Now() - timedelta(seconds=seconds))
    dispatch.turn()
    assert sorted(WorkerPresence.objects.values_list("name", flat=True)) == ["here", "left"]


def test_no_more_messages_go_out_than_there_are_idle_slots(project):
    make_presence(slots=3)
    make_job("running")
    jobs = [make_job() for _ in range(50)]
    assert dispatch.resend() == 2
    assert [message["task"] for message in messages(project)] == ["workers.trial.trial_cpu"] * 2
    # told a moment ago: the messages are on their way
    assert dispatch.resend() == 0
    Job.objects.update(sent_at=Now() - timedelta(seconds=6))
    assert dispatch.resend() == 2
    told = Job.objects.filter(sent_at__gt=Now() - timedelta(seconds=2)).values_list("pk", flat=True)
    assert sorted(told) == [jobs[0].pk, jobs[1].pk]


def test_nobody_is_told_where_nobody_listens_or_all_are_busy(project):
    make_job()
    assert dispatch.resend() == 0
    make_presence(slots=1)
    make_job("running")
    assert dispatch.resend() == 0
    make_presence("gpu@here", queues=["gpu"], slots=4)
    assert dispatch.resend() == 0
    assert messages(project) == []


def test_a_job_that_waits_for_its_parent_or_its_time_is_not_told_of(project):
    make_presence()
    make_job(parent=make_job("failed"), waits_for_parent=True)
    later = make_job()
    Job.objects.filter(pk=later.pk).update(not_before=Now() + timedelta(seconds=60))
    assert dispatch.resend() == 0


def test_a_message_goes_to_its_kinds_queue(project):
    make_presence("gpu@here", queues=["gpu"])
    make_job(kind="trial_gpu", queue="gpu")
    assert dispatch.resend() == 1
    (message,) = messages(project)
    assert (message["queue"], message["task"]) == ("gpu", "workers.trial.trial_gpu")
