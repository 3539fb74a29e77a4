"""How fast jobs are taken in, listed, started and stopped, in the embedded mode: SQLite and a folder as broker."""

import os
import secrets
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.cases import fresh_database
from benchmarks.measure import ROOT, run

NUM_ENQUEUED = 1_000
NUM_LISTED = 10_000
NUM_REQUESTS = 50
NUM_REPEATS = 10
_START_SECONDS = 60.0


def measure(folder: Path) -> dict[str, Any]:
    """All figures of jobs; everything they write stays in `folder`."""
    folder.mkdir(parents=True)
    figures: dict[str, Any] = {"enqueue": _inside(fresh_database(folder / "enqueue"), "enqueue", NUM_ENQUEUED)}
    figures["page"] = _page(fresh_database(folder / "page"), folder)
    environment = fresh_database(folder / "worker")
    with _process(folder / "worker.log", environment, "celery", "-A", "s1web", "worker", "-Q", "cpu"):
        figures["submit_to_first_progress"] = _spread(_inside(environment, "first_progress", NUM_REPEATS))
        figures["cancel_a_running_job"] = _spread(_inside(environment, "cancelling", NUM_REPEATS))
    return figures


def _page(environment: dict[str, str], folder: Path) -> dict[str, Any]:
    """The list of jobs, signed in, through the web server; the baseline is the same page without a job."""
    environment = environment | {"SECRET_KEY": secrets.token_urlsafe(50)}
    cookie = f"sessionid={_inside(environment, 'session')['session']}"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/jobs/"
        command = ("uvicorn", "s1web.asgi:application", "--fd", str(listener.fileno()), "--log-level", "warning")
        with _process(folder / "web.log", environment, *command, pass_fds=(listener.fileno(),)):
            empty = _requests(url, cookie)
            filled = _inside(environment, "fill", NUM_LISTED)
            full = _requests(url, cookie)
    return {**filled, **full, **{f"baseline_empty_{name}": value for name, value in empty.items()}}


def _requests(url: str, cookie: str) -> dict[str, Any]:
    """Milliseconds of requests one after the other; the first ones, which load templates, do not count."""
    request = urllib.request.Request(url, headers={"Cookie": cookie})
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            _get(request)
            break
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    for _ in range(5):
        _get(request)
    times, size = [], 0
    for _ in range(NUM_REQUESTS):
        started = time.perf_counter()
        size = _get(request)
        times.append(1_000 * (time.perf_counter() - started))
    return {
        "median_ms": round(statistics.median(times), 1),
        "p95_ms": round(statistics.quantiles(times, n=20)[-1], 1),
        "kilobytes": round(size / 1_000, 1),
    }


def _get(request: urllib.request.Request) -> int:
    """Bytes of the page.

    Raises:
        RuntimeError: it is another page, as for somebody who is not signed in.
    """
    with urllib.request.urlopen(request, timeout=30) as answer:
        body: bytes = answer.read()
        if answer.url != request.full_url:
            raise RuntimeError(f"{request.full_url} led to {answer.url}")
        return len(body)


def _inside(environment: dict[str, str], case: str, *numbers: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.inside", case, *map(str, numbers)]
    output: dict[str, Any] = run(command, environment).output
    return output


def _spread(measured: dict[str, list[float]]) -> dict[str, Any]:
    figures: dict[str, Any] = {"repeats": len(measured["seconds"])}
    for name, times in measured.items():
        prefix = name.removesuffix("seconds")
        figures[f"{prefix}median_seconds"] = round(statistics.median(times), 3)
        figures[f"{prefix}max_seconds"] = round(max(times), 3)
    return figures


@contextmanager
def _process(
    log: Path, environment: dict[str, str], *arguments: str, pass_fds: Sequence[int] = ()
) -> Iterator["subprocess.Popen[bytes]"]:
    """`python -m ARGUMENTS`, ended at the end."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=output,
            stderr=output,
            pass_fds=pass_fds,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
