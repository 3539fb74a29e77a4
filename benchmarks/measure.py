"""Running a command and taking its time and memory."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
_SAMPLE_SECONDS = 0.02


@dataclass(frozen=True)
class Measured:
    """One run of a command.

    Attributes:
        seconds: wall clock from start to end of the process.
        peak_mb: highest resident memory of the process and its children together, sampled each 20 ms; pages that
            they share are counted in each.
        output: what it printed, as JSON where it is JSON.
    """

    seconds: float
    peak_mb: float
    output: Any


def run(command: list[str], environment: dict[str, str]) -> Measured:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed; the message holds what it wrote to standard error.
    """
    started = time.perf_counter()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=output, stderr=errors)
        peak = [0]
        watcher = threading.Thread(target=_watch, args=(process, peak), daemon=True)
        watcher.start()
        code = process.wait()
        seconds = time.perf_counter() - started
        watcher.join()
        output.seek(0)
        errors.seek(0)
        text = output.read().decode()
        if code:
            raise RuntimeError(f"{' '.join(command)} failed: {errors.read().decode()[-2000:]}")
    return Measured(round(seconds, 3), round(peak[0] / 2**20, 1), json.loads(text) if text[:1] in "{[" else text)


def manage(environment: dict[str, str], *arguments: str) -> Measured:
    """Run one of our commands with --json."""
    return run([sys.executable, "manage.py", *arguments, "--json"], environment)


def python(environment: dict[str, str], code: str, *arguments: str) -> Measured:
    """Run a piece of Python, a baseline, in a fresh process."""
    return run([sys.executable, "-c", code, *arguments], environment)


def _watch(process: "subprocess.Popen[bytes]", peak: list[int]) -> None:
    while process.poll() is None:
        try:
            parent = psutil.Process(process.pid)
            family = [parent, *parent.children(recursive=True)]
            peak[0] = max(peak[0], sum(member.memory_info().rss for member in family))
        except psutil.NoSuchProcess:
            pass
        time.sleep(_SAMPLE_SECONDS)
