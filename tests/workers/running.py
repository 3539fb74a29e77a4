"""Real workers and a real Redis as processes, on the database that the test's own process uses too."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psutil
import pytest

from s1web.jobs.logs import log_path
from s1web.jobs.models import Job, WorkerPresence
from s1web.jobs.transitions import Claim, claim_next
from tests.processes import ROOT, Project

_numbers = count(1)


@dataclass
class Worker:
    """A Celery worker that listens."""

    name: str
    process: "subprocess.Popen[bytes]"
    log_path: Path

    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def children(self, job_id: int | None = None) -> list[psutil.Process]:
        """Its job processes; of one job or of all."""
        found = []
        for process in psutil.Process(self.process.pid).children():
            try:
                words = process.cmdline()
            except psutil.Error:
                continue
            if "workers.child" in words and job_id in (None, int(words[words.index("workers.child") + 1])):
                found.append(process)
        return found

    def end(self) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@contextmanager
def running_worker(project: Project, queue: str = "cpu", *, name: str = "", **settings: str) -> Iterator[Worker]:
    """`celery -A s1web worker -Q QUEUE -n NAME`, listening; `settings` are environment variables."""
    name = name or f"{queue}@test{next(_numbers)}"
    project.artifact_dir.mkdir(parents=True, exist_ok=True)
    path = project.artifact_dir / f"{name}.log"
    command = [sys.executable, "-m", "celery", "-A", "s1web", "worker", "-Q", queue, "-n", name, "-l", "info"]
    with path.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=project.environment | settings, stdout=log, stderr=log, start_new_session=True
        )
    worker = Worker(name, process, path)
    try:
        wait_for(
            lambda: process.poll() is not None or WorkerPresence.objects.filter(name=name).exists(), 60, worker.log
        )
        assert process.poll() is None, worker.log()
        yield worker
    finally:
        # Celery takes seconds to end when it is asked to; a job's process ends with its worker either way
        process.kill()
        process.wait()


@dataclass
class Child:
    """A job's process, as a worker starts it; the test is its worker."""

    job: Job
    claim: Claim
    process: "subprocess.Popen[bytes]"

    def wait(self, seconds: float = 60) -> int:
        return self.process.wait(seconds)

    def log(self) -> str:
        return log_path(self.job.pk).read_text(encoding="utf-8")

    def row(self) -> Job:
        self.job.refresh_from_db()
        return self.job


@contextmanager
def started_child(project: Project, job: Job, **settings: str) -> Iterator[Child]:
    """`python -m workers.child` on the job, which is claimed here; killed at the end where it still runs."""
    claim = claim_next(job.queue, worker="test", version="1")
    assert claim is not None
    assert claim.job_id == job.pk, "another job was first in the queue"
    path = log_path(job.pk)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "workers.child", str(job.pk), claim.token],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=ROOT,
            env=project.environment | settings,
            start_new_session=True,
        )
    try:
        yield Child(job, claim, process)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


def run_child(project: Project, job: Job, **settings: str) -> Job:
    """The job after a start that came to its end by itself."""
    with started_child(project, job, **settings) as child:
        assert child.wait() == 0, child.log()
        return child.row()


@contextmanager
def redis_server(port: int, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Redis on this port of this machine alone, empty, keeping nothing."""
    program = shutil.which("redis-server")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("redis-server is not installed, and CI tests with it: apt-get install redis-server")
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: _answers(port), 20)
        yield process
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


def is_alive(process: psutil.Process) -> bool:
    """Whether it still does anything: one that has ended may wait for its parent to ask how."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def within(seconds: float) -> float:
    """So many seconds of a machine of one's own; more where others keep its cores busy right now."""
    return seconds * max(1.0, os.getloadavg()[0] / (2 * (os.cpu_count() or 1)))


def wait_for(
    is_so: Callable[[], object], seconds: float, say: Callable[[], object] = lambda: "it did not come to be"
) -> float:
    """Wait until something is so; how long that took, in seconds."""
    started = time.monotonic()
    while not is_so():
        assert time.monotonic() - started < seconds, say()
        time.sleep(0.02)
    return time.monotonic() - started
