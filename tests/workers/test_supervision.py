"""A worker's side of a job: real processes, watched, stopped, replaced, and accounted for."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.db import connection

from s1web.jobs import dispatch, services, transitions
from s1web.jobs.logs import tail
from s1web.jobs.models import Job
from s1web.jobs.services import submit
from s1web.pool.models import Question, TraceLength
from tests.processes import Project
from tests.s1web.pools import load_rows, write_lines
from tests.workers.running import is_alive, wait_for, within
from tests.workers.test_devices import TWO, fake_smi
from workers import supervision
from workers.devices import Devices


@pytest.fixture(autouse=True)
def _as_a_worker(project: Project, monkeypatch, settings) -> Iterator[None]:
    """This process is the worker: children find the project in its environment, and it starts open each time."""
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(supervision, "worker_name", "cpu@test")
    monkeypatch.setattr(supervision, "devices", Devices())
    settings.JOB_HEARTBEAT_SECONDS = 1
    supervision.is_closing.clear()
    yield
    supervision.is_closing.clear()


@contextmanager
def working(queue: str = "cpu") -> Iterator[threading.Thread]:
    """Works the queue off in a thread; told to close at the end."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            supervision.work_off(queue)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
    finally:
        supervision.is_closing.set()
        thread.join(30)
        assert not thread.is_alive()
        assert not failures, failures


def child_of(job: Job) -> psutil.Process:
    """The job's process."""
    found: list[psutil.Process] = []

    def look() -> bool:
        for process in psutil.Process().children():
            try:
                found[:] = [process] if process.cmdline()[-2:-1] == [str(job.pk)] else []
            except psutil.Error:
                continue
            if found:
                return True
        return False

    wait_for(look, 20, lambda: f"no process for {job}: {tail(job.pk)}")
    return found[0]


def row(job: Job) -> Job:
    job.refresh_from_db()
    return job


def wait_for_state(job: Job, state: str, seconds: float = 30) -> float:
    return wait_for(lambda: row(job).state == state, seconds, lambda: (job.state, job.error, job.note, tail(job.pk)))


def begun(job: Job) -> Callable[[], bool]:
    return lambda: row(job).done >= 1


def test_the_jobs_of_a_queue_run_one_after_the_other_until_none_is_left():
    jobs = [submit("trial_cpu", {"seconds": 1}) for _ in range(2)]
    other = submit("trial_gpu", {"seconds": 1})
    assert supervision.work_off("cpu") == 2
    for job in jobs:
        assert (row(job).state, job.num_starts, job.num_losses) == ("done", 1, 0)
        assert 1 < job.seconds < 20
    first, second = jobs
    assert first.ended_at is not None
    assert second.started_at is not None
    assert first.ended_at <= second.started_at
    assert row(other).state == "queued"
    assert supervision.work_off("cpu") == 0


def test_a_job_whose_process_is_killed_is_started_again_and_ends_well():
    job = submit("trial_cpu", {"seconds": 2})
    with working():
        wait_for(begun(job), 30)
        child = child_of(job)
        child.kill()
        wait_for_state(job, "done")
    assert (row(job).num_starts, job.num_losses, job.error, job.note) == (2, 1, "", "")
    # both starts count
    assert job.seconds > 3
    assert tail(job.pk).count("INFO start ") == 2


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (lambda child: child.send_signal(signal.SIGSEGV), "its process was killed by SIGSEGV"),
        (lambda child: child.terminate(), "its process ended without a word"),
    ],
    ids=["crash", "ended-by-others"],
)
def test_a_job_that_dies_too_often_fails_and_says_how(settings, how, reason):
    settings.JOB_MAX_LOSSES = 1
    job = submit("trial_cpu", {"seconds": 60})
    with working():
        for start in (1, 2):
            # its first line comes when it listens to signals
            wait_for(lambda start=start: f"INFO start {start} " in tail(job.pk), 30)
            how(child_of(job))
            wait_for(lambda start=start: row(job).num_losses == start or job.state == "failed", 10)
        wait_for_state(job, "failed")
    assert job.error.startswith(
        f"{reason}; it was started again once before, which is all that JOB_MAX_LOSSES allows"
    )


def test_a_process_that_cannot_be_started_is_a_loss_with_its_reason(settings, monkeypatch):
    settings.JOB_MAX_LOSSES = 0
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    job = submit("trial_cpu", {"seconds": 1})
    supervision.work_off("cpu")
    assert row(job).state == "failed"
    assert job.error.startswith("its process could not be started ([Errno 2] No such file or directory: '/no/such/py")


def test_a_worker_that_closes_gives_its_job_back_without_a_loss():
    job = submit("trial_cpu", {"seconds": 60})
    with working() as thread:
        wait_for(begun(job), 30)
        child = child_of(job)
        started = time.monotonic()
        supervision.is_closing.set()
        thread.join(10)
        assert not thread.is_alive()
        assert time.monotonic() - started < within(2)
    assert not is_alive(child)
    assert (row(job).state, job.num_losses, job.note, job.claim) == ("queued", 0, "its worker was stopped", "")
    assert job.seconds > 1


def test_a_job_that_was_given_to_another_worker_ends_here_and_is_left_alone():
    job = submit("trial_cpu", {"seconds": 60})
    with working() as thread:
        wait_for(begun(job), 30)
        child = child_of(job)
        Job.objects.filter(pk=job.pk).update(claim="another", worker="cpu@other")
        started = time.monotonic()
        thread.join(10)
        assert time.monotonic() - started < within(2.5)
        assert not is_alive(child)
    assert (row(job).state, job.claim, job.worker, job.num_losses) == ("running", "another", "cpu@other", 0)


# --- stopping: within two seconds, on whatever the process is at ---


@pytest.fixture
def long_call(project: Project, tmp_path: Path, slow_tokenizer: str) -> Job:
    """A job that sits in one call of a library for many seconds, where Python sees no signal."""
    text = "let me think step by step about this sum, " * 150_000
    load_rows(tmp_path, [{"question": "Q?", "thinking": text, "attempt": "7"}])
    return submit("annotate_lengths", {"tokenizer": slow_tokenizer})


@pytest.fixture
def long_import(project: Project, tmp_path: Path) -> Job:
    rows = [{"question": f"{number}? {'steps ' * 200}"} for number in range(30_000)]
    return submit("load_pool", {"paths": [str(write_lines(tmp_path / "rows.jsonl", rows))]})


@pytest.mark.parametrize(
    ("ask", "state"), [(transitions.cancel, "cancelled"), (transitions.pause, "paused")], ids=["cancel", "pause"]
)
def test_a_job_stops_within_two_seconds_in_a_long_call_of_a_library(long_call, ask, state):
    with working():
        # said by the work itself, right before the call; a heartbeat may come earlier
        wait_for(lambda: "0 of 1 traces" in tail(long_call.pk), 30)
        child = child_of(long_call)
        time.sleep(0.5)
        ask(long_call)
        assert wait_for_state(long_call, state) < within(2)
        assert not is_alive(child)
    assert (row(long_call).stop, long_call.worker, long_call.num_losses) == ("", "", 0)
    assert not TraceLength.objects.exists()


@pytest.mark.parametrize(
    ("ask", "state"), [(transitions.cancel, "cancelled"), (transitions.pause, "paused")], ids=["cancel", "pause"]
)
def test_an_import_stops_within_two_seconds_with_its_helpers_and_keeps_what_it_has(long_import, ask, state):
    with working():
        wait_for(begun(long_import), 60)
        child = child_of(long_import)
        family = [child, *child.children(recursive=True)]
        assert len(family) > 1, "a second process reads ahead"
        ask(long_import)
        assert wait_for_state(long_import, state) < within(2)
        psutil.wait_procs(family, timeout=within(1))
        assert not [process for process in family if is_alive(process)]
    kept = Question.objects.count()
    assert 0 < kept < 30_000
    (services.retry if state == "cancelled" else services.resume)(long_import)
    supervision.is_closing.clear()
    supervision.work_off("cpu")
    assert row(long_import).state == "done"
    assert Question.objects.count() == 30_000
    # rows that were stored, but not told of, before the process was killed are not counted twice
    assert kept < long_import.spent["rows"] + 4_001
    assert long_import.spent["rows"] <= 30_000


def test_a_cap_of_seconds_stops_a_job_and_a_higher_one_lets_it_go_on():
    job = submit("trial_cpu", {"seconds": 3}, caps={"seconds": 1.5})
    assert supervision.work_off("cpu") == 1
    assert row(job).state == "paused"
    assert job.note == "stopped at its cap of seconds; resume it with a higher one"
    assert 1.5 < job.seconds < 5
    before = job.seconds
    # the seconds of all starts together count: no more is done under the same cap
    services.resume(job)
    supervision.work_off("cpu")
    assert row(job).state == "paused"
    assert job.seconds < before + 2.5
    services.resume(job, {"seconds": 60})
    supervision.work_off("cpu")
    assert (row(job).state, job.num_losses) == ("done", 0)
    assert job.seconds > before + 3


def test_a_running_job_keeps_its_heartbeat(settings):
    job = submit("trial_cpu", {"seconds": 4})
    beats = set()
    with working():
        while row(job).state != "done":
            beats.add(job.heartbeat_at)
            assert dispatch.recover() == 0
            time.sleep(0.1)
    assert len(beats) >= 4


# --- devices ---


def test_two_devices_run_two_jobs_at_a_time_each_on_its_own(tmp_path, monkeypatch):
    fake_smi(tmp_path, TWO)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    jobs = [submit("trial_gpu", {"seconds": 2}) for _ in range(4)]
    most = 0
    with working("gpu"), working("gpu"), working("gpu"):
        while [row(job).state for job in jobs] != ["done"] * 4:
            most = max(most, sum(job.state == "running" for job in jobs))
            assert not [job for job in jobs if job.state == "failed"]
            time.sleep(0.02)
        assert most == 2
    results: list[Any] = [job.result for job in jobs]
    assert sorted(result["device"] for result in results) == ["0", "0", "1", "1"]
    for number in ("0", "1"):
        first, later = sorted(
            (job for job in jobs if job.result and job.result["device"] == number),
            key=lambda job: str(job.started_at),
        )
        assert first.ended_at is not None
        assert later.started_at is not None
        assert first.ended_at <= later.started_at


def test_a_job_of_the_cpu_is_shown_no_device_of_its_worker(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    job = submit("trial_cpu", {"seconds": 1})
    supervision.work_off("cpu")
    assert (row(job).result or {})["device"] == "cpu"


def test_the_connection_of_a_worker_thread_is_closed_when_it_has_nothing_to_do():
    closed: list[bool] = []

    def run() -> None:
        supervision.work_off("cpu")
        closed.append(connection.connection is None)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    assert closed == [True]
