"""A job's life in a worker: claimed, run in a process of its own, watched, and ended one way or another.

The work runs in a child process, so that its memory goes with it, a crash of the job is no crash of the worker, and
a job that is stuck in a library can be stopped. This side of the pipe does nothing but watch.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from django.conf import settings
from django.db import Error as DatabaseFailure
from django.db import close_old_connections, connection

from s1web.jobs import transitions
from s1web.jobs.logs import log_path
from s1web.jobs.transitions import Claim
from s1web.versions import code_version
from workers.devices import Devices

log = logging.getLogger(__name__)
# how often a child is looked at; a request to stop is seen within this time
_LOOK_SECONDS = 0.2
# what a child gets to end by itself before it is killed
_GRACE_SECONDS = 0.8

# set when the worker is told to end
is_closing = threading.Event()
worker_name = "worker"
devices = Devices()


def work_off(queue: str) -> int:
    """Run the queue's jobs, one after the other, until none is left to take; returns how many.

    Whichever job a message named, the first of the queue is taken: so that its order can change at any time.
    """
    num_run = 0
    try:
        while not is_closing.is_set():
            with devices.take(queue) as device:
                claim = None
                if device is not None:
                    claim = transitions.claim_next(queue, worker=worker_name, version=code_version())
                if claim is None:
                    break
                _run(claim, device or "")
            num_run += 1
    finally:
        connection.close()
    return num_run


def _run(claim: Claim, device: str) -> None:
    """Run a claimed job to whatever end."""
    started = time.monotonic()
    log.info("job %s starts", claim.job_id)
    try:
        with _Child(claim, device) as child:
            outcome = _watch(claim, child)
    except OSError as error:
        outcome = f"its process could not be started ({error})"
    _settle(claim, outcome, time.monotonic() - started)


def _watch(claim: Claim, child: "_Child") -> str | None:
    """Look after the child until it has ended.

    Returns:
        None where the work has said itself how it ended (or the job was taken from us), "" where we have written
        it, else what happened to the process.
    """
    last_beat = last_answer = time.monotonic()
    cap = _seconds_left(claim)
    while True:
        code = child.wait(_LOOK_SECONDS)
        if code is not None:
            return _how_it_ended(code)
        now = time.monotonic()
        try:
            if now - last_beat >= settings.JOB_HEARTBEAT_SECONDS:
                wish = transitions.beat(claim)
                last_beat = now
            else:
                wish = transitions.asked(claim)
            last_answer = now
        except DatabaseFailure as error:
            # it may be restarting; but a job of which nobody hears is taken for lost and runs elsewhere
            close_old_connections()
            if now - last_answer > settings.JOB_LOST_SECONDS:
                child.end()
                return f"its worker lost the database ({' '.join(str(error).split())[:200]})"
            continue
        if wish is None:
            # the work has said how it ended and is about to leave, or the job was taken from us
            if child.wait(_GRACE_SECONDS) is None:
                child.end()
            return None
        if wish:
            child.end()
            transitions.stop(claim)
            return ""
        if is_closing.is_set():
            child.end()
            transitions.release(claim)
            return ""
        if cap is not None and now - child.started > cap:
            child.end()
            transitions.hold(claim, "stopped at its cap of seconds; resume it with a higher one")
            return ""


def _seconds_left(claim: Claim) -> float | None:
    """What a cap of seconds leaves for this start."""
    row = transitions.find(claim)
    if row is None or "seconds" not in row.caps:
        return None
    return max(float(row.caps["seconds"]) - row.seconds, 0.0)


def _settle(claim: Claim, outcome: str | None, seconds: float) -> None:
    """Write what the child could not: its loss, and how long it ran."""
    deadline = time.monotonic() + settings.JOB_LOST_SECONDS
    while True:
        try:
            is_lost = bool(outcome) and transitions.lose(claim, outcome or "")
            if is_lost:
                log.warning("job %s: %s", claim.job_id, outcome)
            if is_lost or outcome == "":
                transitions.add_seconds(claim.job_id, round(seconds, 3))
            return
        except DatabaseFailure:
            close_old_connections()
            # later it is found by its silent heartbeat
            if time.monotonic() > deadline or is_closing.wait(1.0):
                return


def _how_it_ended(code: int) -> str | None:
    # the row says so itself where the work came to an end; a claim that is still held after that is a loss too
    if code == 0:
        return "its process ended without a word"
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        return f"its process was killed by {name}"
    return f"its process ended with exit code {code}"


class _Child:
    """The process that does a job's work; it ends when this one does, as its standard input then closes."""

    def __init__(self, claim: Claim, device: str) -> None:
        self.claim = claim
        self.device = device
        self.started = time.monotonic()

    def __enter__(self) -> "_Child":
        path = log_path(self.claim.job_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        if self.device:
            environment["CUDA_VISIBLE_DEVICES"] = self.device
        with path.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 (our own module, a number and a token)
                [sys.executable, "-m", "workers.child", str(self.claim.job_id), self.claim.token],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=Path(__file__).resolve().parent.parent,
                env=environment,
                # a group of its own: Ctrl-C in the terminal is the worker's to pass on, and helpers end with it
                start_new_session=True,
            )
        return self

    def __exit__(self, *exc: object) -> None:
        self.end()
        assert self._process.stdin is not None
        self._process.stdin.close()

    def wait(self, seconds: float) -> int | None:
        """Its exit code as soon as it has one, None after that time."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        """Ask it to end, and kill it with all that it started where it does not."""
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            self.wait(_GRACE_SECONDS)
        # also where it has ended: a helper of its own may be left
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return
