"""Messages to workers: sent after the commit, to the kind's queue, and no job depends on them."""

import json
import logging
import socket
import time
from pathlib import Path

import pytest
from django.db import transaction

from s1web.jobs import dispatch, queue, services
from s1web.jobs.models import Job
from tests.factories import make_job, make_presence
from tests.processes import Project
from tests.workers.running import redis_server, running_worker, wait_for


def messages(project: Project) -> list[tuple[str, str]]:
    """(queue, task) of what lies in the embedded broker's folder."""
    folder: Path = project.artifact_dir / "broker" / "messages"
    found = []
    for path in folder.iterdir():
        message = json.loads(path.read_text())
        found.append((message["properties"]["delivery_info"]["routing_key"], message["headers"]["task"]))
    return sorted(found)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("kind", "where"),
    [("trial_cpu", ("cpu", "workers.trial.trial_cpu")), ("trial_gpu", ("gpu", "workers.trial.trial_gpu"))],
)
def test_a_message_goes_out_once_the_job_is_there_for_others_to_see(project, kind, where):
    with transaction.atomic():
        services.submit(kind, {"seconds": 1})
        assert messages(project) == []
    assert messages(project) == [where]


def test_a_job_that_was_rolled_back_is_told_of_to_nobody(project):
    def submit_and_fail() -> None:
        with transaction.atomic():
            services.submit("trial_cpu", {"seconds": 1})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        submit_and_fail()
    assert messages(project) == []
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("state", "change"),
    [
        ("planned", services.confirm),
        ("paused", services.resume),
        ("cancelled", services.retry),
        ("failed", services.retry),
    ],
)
def test_whoever_queues_a_job_again_tells_the_workers(project, state, change):
    change(make_job(state))
    assert messages(project) == [("cpu", "workers.trial.trial_cpu")]


def test_a_long_queue_is_not_told_of_each_further_job_and_an_idle_worker_hears_of_the_next_one(project):
    for _ in range(queue._MAX_WAITING):
        make_job()
    services.submit("trial_cpu", {"seconds": 1})
    assert messages(project) == []
    make_presence(slots=2)
    assert dispatch.resend() == 2
    assert messages(project) == [("cpu", "workers.trial.trial_cpu")] * 2


def test_a_planned_job_is_told_of_to_nobody(project):
    services.submit("trial_cpu", {"seconds": 1}, is_confirmed=False)
    assert messages(project) == []


def test_a_message_holds_the_jobs_number_and_nothing_of_its_content(project):
    job = services.submit("load_benchmark", {"path": str(make_benchmark(project)), "name": "private name"})
    (path,) = (project.artifact_dir / "broker" / "messages").iterdir()
    assert "private name" not in path.read_text()
    assert json.loads(path.read_text())["headers"]["argsrepr"] == repr([job.pk])


def make_benchmark(project: Project) -> Path:
    path = project.artifact_dir / "benchmark.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"id": "1", "problem": "How many?", "answer": "7"}) + "\n")
    return path


def test_a_folder_that_takes_no_message_is_no_error_for_who_submits(project, caplog):
    folder = project.artifact_dir / "broker" / "messages"
    folder.rmdir()
    folder.write_text("a file in the way")
    with caplog.at_level(logging.WARNING):
        job = services.submit("trial_cpu", {"seconds": 1})
    stored = Job.objects.get(pk=job.pk)
    # sent_at is empty: the next turn of a worker tells of it without waiting for an answer
    assert (stored.state, stored.sent_at) == ("queued", None)
    (line,) = [record.getMessage() for record in caplog.records if record.name == queue.__name__]
    assert line.startswith("the broker took no message: ")


def test_while_redis_is_away_jobs_are_accepted_at_once_and_run_when_it_is_back(project, tmp_path):
    port = free_port()
    environment = {"CELERY_BROKER_URL": f"redis://127.0.0.1:{port}/0", "JOB_HEARTBEAT_SECONDS": "1"}
    code = """
import os, sys, time, django
django.setup()
from s1web.jobs import services
start = time.monotonic()
print(services.submit("trial_cpu", {"seconds": 1}).pk)
print(time.monotonic() - start)
"""

    def submit() -> tuple[int, float, str]:
        done = project.python("-c", code, **environment)
        assert done.returncode == 0, done.stderr
        number, seconds = done.stdout.split()
        return int(number), float(seconds), done.stderr

    number, seconds, log = submit()
    assert seconds < 3
    assert "the broker took no message: OperationalError: " in log
    assert Job.objects.get(pk=number).state == "queued"
    with redis_server(port, tmp_path) as redis, running_worker(project, "cpu", **environment):
        wait_for(lambda: Job.objects.get(pk=number).state == "done", 15)
        # it goes away while the worker listens: the worker comes back by itself, and tells itself what it missed
        redis.kill()
        redis.wait()
        number, seconds, log = submit()
        assert seconds < 3
        assert "the broker took no message" in log
        time.sleep(2)
        assert services.outlook(Job.objects.get(pk=number)).num_workers == 1
        assert Job.objects.get(pk=number).state == "queued"
        with redis_server(port, tmp_path):
            wait_for(lambda: Job.objects.get(pk=number).state == "done", 30)
