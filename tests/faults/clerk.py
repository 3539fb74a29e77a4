"""python -m tests.faults.clerk: the project's services, for a test of a system in other processes.

Reads one JSON list a line, [name, arguments], and answers with one line.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import django

# what is below asks for models
django.setup()

from django.db import connection  # noqa: E402

from s1web.jobs import cleanup, queue, services, transitions  # noqa: E402
from s1web.jobs.kinds import KINDS  # noqa: E402
from s1web.jobs.models import Job, WorkerPresence  # noqa: E402
from s1web.management.jobs import job_json  # noqa: E402


def submit(kind: str, params: dict[str, Any], **options: Any) -> int:
    return services.submit(kind, params, **options).pk


def job(pk: int) -> dict[str, Any]:
    found = Job.objects.get(pk=pk)
    return job_json(found) | {"result": found.result}


def states() -> dict[str, str]:
    return {str(pk): state for pk, state in Job.objects.order_by("pk").values_list("pk", "state")}


def cancel(pk: int) -> None:
    transitions.cancel(Job.objects.get(pk=pk))


def pause(pk: int) -> None:
    transitions.pause(Job.objects.get(pk=pk))


def resume(pk: int) -> None:
    services.resume(Job.objects.get(pk=pk))


def send(pk: int, times: int) -> int:
    """Messages of a job, as a broker that delivers again would bring them."""
    return queue.send([Job.objects.get(pk=pk)] * times)


def workers() -> list[str]:
    return sorted(WorkerPresence.objects.values_list("name", flat=True))


def run_here(kind: str, params: dict[str, Any]) -> dict[str, Any]:
    """What a command does in place."""
    return KINDS[kind].load_work()(params, lambda done, total, /, **spent: None)


def sql(query: str) -> list[list[Any]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [list(row) for row in cursor.fetchall()] if cursor.description else []


_CALLS: list[Callable[..., Any]] = [submit, job, states, cancel, pause, resume, send, workers, run_here, sql]
_CALLS += [cleanup.clean_up]


def main() -> None:
    calls = {call.__name__: call for call in _CALLS}
    for line in sys.stdin:
        name, arguments, options = json.loads(line)
        try:
            answer = {"answer": calls[name](*arguments, **options)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer, default=str), flush=True)


if __name__ == "__main__":
    main()
