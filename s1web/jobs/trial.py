"""A job that does nothing but count: shows that a queue has a worker, and what it runs on."""

import os
import platform
import time
from typing import Any

from curation.errors import ConfigError
from s1web.plans import Plan
from s1web.progress import Report

MAX_SECONDS = 3_600


def plan(params: dict[str, Any]) -> Plan:
    """One step a second.

    Raises:
        ConfigError: not a number of seconds.
    """
    seconds = params.get("seconds", 10)
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 1 <= seconds <= MAX_SECONDS:
        raise ConfigError(f"a trial of {seconds!r} seconds cannot be run; give 1 to {MAX_SECONDS:,}")
    return Plan(title=f"Trial of a worker, {seconds} s", total=seconds, unit="steps", seconds=float(seconds))


def work(params: dict[str, Any], report: Report) -> dict[str, Any]:
    """Count the seconds and say where that was."""
    total = plan(params).total
    report(0, total)
    for done in range(1, total + 1):
        time.sleep(1)
        report(done, total)
    return {
        "host": platform.node(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "device": os.environ.get("CUDA_VISIBLE_DEVICES", "cpu"),
        "seconds": float(total),
    }
