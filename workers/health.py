"""python -m workers.health {web,cpu,gpu,broker}: exit code 0 where that part of this host works, else 1 and a line.

For the health checks of containers. A worker is asked for in the database, where it says each few seconds that it
lives: a process that hangs is not healthy.
"""

import os
import platform
import sys
import urllib.request
from collections.abc import Callable

import django

_TIMEOUT_SECONDS = 5


def _web() -> str | None:
    port = os.environ.get("PORT", "8000")
    try:
        urllib.request.urlopen(f"http://localhost:{port}/health/", timeout=_TIMEOUT_SECONDS).close()
    except OSError as error:
        return f"the pages on port {port} do not answer: {error}"
    return None


def _worker(queue: str) -> str | None:
    from s1web.jobs.dispatch import listening

    if any(item.host == platform.node() for item in listening(queue)):
        return None
    return f"no worker of {platform.node()} says that it listens on queue {queue}"


def _broker() -> str | None:
    from curation.errors import ConfigError
    from s1web.preparation import check_broker

    try:
        check_broker()
    except ConfigError as error:
        return str(error)
    return None


_CHECKS: dict[str, Callable[[], str | None]] = {
    "web": _web,
    "cpu": lambda: _worker("cpu"),
    "gpu": lambda: _worker("gpu"),
    "broker": _broker,
}


def main(arguments: list[str]) -> str | None:
    """What is wrong, in a line; None where nothing is."""
    if len(arguments) != 1 or arguments[0] not in _CHECKS:
        return f"what is to be checked? give one of {', '.join(_CHECKS)}"
    if arguments[0] != "web":
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "s1web.settings")
        django.setup()
    try:
        return _CHECKS[arguments[0]]()
    except Exception as error:  # whatever a database says: it is a line for the log of the health check
        return f"{type(error).__name__}: {' '.join(str(error).split())}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
