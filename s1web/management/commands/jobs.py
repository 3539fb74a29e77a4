"""python manage.py jobs: what runs, what waits and what has ended."""

from typing import Any

from django.core.management.base import CommandParser
from rich.console import Console
from rich.markup import escape

from curation.errors import ConfigError
from s1web.jobs import services
from s1web.jobs.kinds import KINDS, QUEUES
from s1web.jobs.models import Job
from s1web.jobs.queries import STATE_CHOICES, Filters, read_board
from s1web.management.base import Command as BaseCommand
from s1web.management.base import print_table

_LIMIT = 20
_MAX_LIMIT = 10_000


class Command(BaseCommand):
    help = "List jobs: those that run, those that wait in their order, and those that have ended."

    def add_options(self, parser: CommandParser) -> None:
        states = ", ".join(STATE_CHOICES)
        parser.add_argument(
            "--state", choices=STATE_CHOICES, default="", metavar="STATE", help=f"only these: {states}"
        )
        parser.add_argument(
            "--kind", choices=KINDS, default="", metavar="KIND", help=f"only of this kind: {', '.join(KINDS)}"
        )
        parser.add_argument(
            "--queue", choices=QUEUES, default="", metavar="QUEUE", help=f"only of this queue: {', '.join(QUEUES)}"
        )
        parser.add_argument(
            "--limit", type=int, default=_LIMIT, metavar="N", help=f"rows of each list (default: {_LIMIT})"
        )

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        limit = options["limit"]
        if not 1 <= limit <= _MAX_LIMIT:
            raise ConfigError(f"--limit {limit} lists nothing; give a whole number from 1 to {_MAX_LIMIT:,}")
        filters = Filters(state=options["state"], kind=options["kind"], queue=options["queue"])
        board = read_board(filters, page=limit)
        return {
            "queues": [
                {
                    "queue": queue.name,
                    "waiting": queue.waiting,
                    "running": queue.running,
                    "workers": queue.workers,
                    "start": services.how_to_start(queue.name) if queue.is_stuck else None,
                }
                for queue in board.queues
            ],
            "running": [_row(job) for job in board.running or ()][:limit],
            "queued": [_row(job) for job in board.queued or ()],
            "num_queued": board.num_queued,
            "held": [_row(job) for job in board.held or ()],
            "ended": [_row(job) for job in board.ended or ()],
        }

    def show(self, result: dict[str, Any], console: Console) -> None:
        for queue in result["queues"]:
            if queue["start"]:
                self.warn(
                    f"no worker listens on queue {queue['queue']}, and {queue['waiting']:,} wait: {queue['start']}"
                )
        if not any(result[name] for name in ("running", "queued", "held", "ended")):
            console.print("no jobs; commands make them with --enqueue, pages under New job")
            return
        tables = {
            "running": (["running", "job", "done", "share", "left", "worker"], _running),
            "queued": (["place", "queued", "job", "queue", "outlook"], _queued),
            "held": (["held", "state", "job", "why"], _held),
            "ended": (["ended", "state", "job", "took", "reason"], _ended),
        }
        shown = [name for name in tables if result[name]]
        for name in shown:
            columns, rows = tables[name]
            print_table(console, columns, rows(result[name]))
            if name == "queued" and result["num_queued"] > len(result[name]):
                console.print(f"and {result['num_queued'] - len(result[name]):,} more in the queue")
            if name != shown[-1]:
                console.print()


def _running(jobs: list[dict[str, Any]]) -> list[list[object]]:
    rows: list[list[object]] = []
    for job in jobs:
        share = f"{100 * job['done'] / job['total']:.0f}%" if job["total"] else ""
        left = "" if job["seconds_left"] is None else f"{job['seconds_left']:,.0f} s"
        asked = f"asked to {job['stop']}" if job["stop"] else left
        rows.append([job["job"], _title(job), f"{job['done']:,} {job['unit']}", share, asked, escape(job["worker"])])
    return rows


def _queued(jobs: list[dict[str, Any]]) -> list[list[object]]:
    return [[job["position"], job["job"], _title(job), job["queue"], job["outlook"]] for job in jobs]


def _held(jobs: list[dict[str, Any]]) -> list[list[object]]:
    return [[job["job"], job["state"], _title(job), escape(job["reason"])] for job in jobs]


def _ended(jobs: list[dict[str, Any]]) -> list[list[object]]:
    return [
        [job["job"], job["state"], _title(job), f"{job['seconds']:,.1f} s", escape(job["reason"])] for job in jobs
    ]


def _title(job: dict[str, Any]) -> str:
    # brackets in a file's name are no markup
    return escape(job["title"])


def _row(job: Job) -> dict[str, Any]:
    times = {name: getattr(job, name) for name in ("created_at", "started_at", "ended_at")}
    return {
        "job": job.pk,
        "kind": job.kind,
        "title": job.title,
        "state": job.state,
        "stop": job.stop,
        "queue": job.queue,
        "position": getattr(job, "position", None),
        "outlook": getattr(job, "outlook", ""),
        "done": job.done,
        "total": job.total,
        "unit": job.unit or "",  # type: ignore[attr-defined]
        "rate": job.rate,
        "seconds_left": job.seconds_left,
        "seconds": job.seconds,
        "worker": job.worker,
        "by": job.created_by.username if job.created_by else None,
        "reason": job.reason,  # type: ignore[attr-defined]
        **{name: value and value.isoformat() for name, value in times.items()},
    }
