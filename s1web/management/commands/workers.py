"""python manage.py workers: who takes jobs, and from which queue."""

from typing import Any

from django.utils import timezone
from rich.console import Console
from rich.markup import escape

from s1web.jobs import services
from s1web.jobs.queries import read_queues, read_workers
from s1web.management.base import Command as BaseCommand
from s1web.management.base import print_table
from s1web.versions import code_version


class Command(BaseCommand):
    help = "List the workers that were heard of lately, and what waits in each queue."

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        workers = [
            {
                "worker": worker.name,
                "is_there": worker.is_heard,  # type: ignore[attr-defined]
                "host": worker.host,
                "queues": worker.queues,
                "slots": worker.slots,
                "jobs": [job.pk for job in worker.jobs],  # type: ignore[attr-defined]
                "device": worker.device,
                "version": worker.version,
                "started_at": worker.started_at.isoformat(),
                "seen_at": worker.seen_at.isoformat(),
                "silent_seconds": round(max((timezone.now() - worker.seen_at).total_seconds(), 0.0), 1),
            }
            for worker in read_workers()
        ]
        queues = [
            {
                "queue": queue.name,
                "waiting": queue.waiting,
                "running": queue.running,
                "workers": queue.workers,
                "slots": queue.slots,
                "start": services.how_to_start(queue.name) if not queue.workers else None,
            }
            for queue in read_queues()
        ]
        return {"workers": workers, "queues": queues, "version": code_version()}

    def show(self, result: dict[str, Any], console: Console) -> None:
        columns = ["worker", "is", "queues", "busy", "slots", "device", "version", "last word"]
        rows = [
            [
                escape(worker["worker"]),
                "there" if worker["is_there"] else "gone",
                ", ".join(worker["queues"]),
                len(worker["jobs"]),
                worker["slots"],
                escape(worker["device"]),
                worker["version"]
                + ("" if worker["version"] == result["version"] else f" (here {result['version']})"),
                f"{worker['silent_seconds']:,.0f} s ago",
            ]
            for worker in result["workers"]
        ]
        if rows:
            print_table(console, columns, rows)
            console.print()
        names = ("queue", "waiting", "running", "workers")
        print_table(console, names, [[queue[name] for name in names] for queue in result["queues"]])
        for queue in result["queues"]:
            if queue["start"]:
                self.warn(f"no worker listens on queue {queue['queue']}: {queue['start']}")
