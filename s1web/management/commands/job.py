"""python manage.py job NUMBER: one job, and what can be done to it."""

import shutil
import sys
import time
from typing import Any

from django.core.management.base import CommandParser
from rich.console import Console
from rich.markup import escape

from curation.errors import ConfigError, ConflictError, NotFoundError
from s1web.jobs import services, transitions
from s1web.jobs.logs import log_path
from s1web.jobs.models import Job
from s1web.management.base import Command as BaseCommand
from s1web.management.base import counted
from s1web.management.jobs import job_json, print_plan
from s1web.plans import RESOURCES

_LOOK_SECONDS = 0.3
# option -> what it does; those that take caps are called with them
_CHANGES: dict[str, Any] = {
    "confirm": services.confirm,
    "cancel": lambda job, caps: transitions.cancel(job),
    "pause": lambda job, caps: transitions.pause(job),
    "resume": services.resume,
    "retry": lambda job, caps: services.retry(job),
    "move_up": lambda job, caps: transitions.move_up(job),
    "to_front": lambda job, caps: transitions.move_to_front(job),
}
_TAKE_CAPS = ("confirm", "resume")
# what --wait waits for where somebody asks for another end than being done
_WANTED = {"cancel": Job.State.CANCELLED, "pause": Job.State.PAUSED}


class Command(BaseCommand):
    help = "Show one job, or cancel, pause, resume, retry or move it."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("number", type=int, metavar="NUMBER", help="the job's number, as `jobs` lists it")
        change = parser.add_mutually_exclusive_group()
        change.add_argument("--confirm", action="store_true", help="queue a planned job")
        change.add_argument("--cancel", action="store_true", help="end it; what was written whole stays")
        change.add_argument("--pause", action="store_true", help="stop it until it is resumed")
        change.add_argument("--resume", action="store_true", help="queue a paused job again")
        change.add_argument("--retry", action="store_true", help="queue a failed or cancelled job again")
        change.add_argument("--move-up", action="store_true", help="let it change places with the one before it")
        change.add_argument("--to-front", action="store_true", help="make it the next of its queue")
        change.add_argument("--log", action="store_true", help="print its whole log and nothing else")
        parser.add_argument("--wait", action="store_true", help="stay until it has ended or is paused")
        parser.add_argument(
            "--cap",
            action="append",
            default=[],
            metavar="RESOURCE=N",
            help=f"with --confirm or --resume: pause it at so much; repeatable; of {', '.join(RESOURCES)}",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["log"] and (options["json"] or options["wait"]):
            raise ConfigError("--log prints the log as it stands; leave out --json and --wait")
        if options["cap"] and not any(options[name] for name in _TAKE_CAPS):
            raise ConfigError("--cap is for a job that is about to run; add --confirm or --resume")
        super().handle(*args, **options)

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        job = services.find_job(options["number"])
        self.is_log = options["log"]
        if self.is_log:
            return {"job": job.pk}
        caps = services.parse_caps(options["cap"]) if options["cap"] else None
        for name, change in _CHANGES.items():
            if options[name]:
                change(job, caps)
        if options["wait"]:
            self._wait(job, {Job.State.DONE, *(state for name, state in _WANTED.items() if options[name])})
        job.refresh_from_db()
        return job_json(job) | {"result": job.result}

    def show(self, result: dict[str, Any], console: Console) -> None:
        if self.is_log:
            _print_log(result["job"])
            return
        console.print(escape(f"job {result['job']}: {result['title']}"))
        state = f"{result['state']}, asked to {result['stop']}" if result["stop"] else result["state"]
        console.print(escape(f"{state}: {result['error'] or result['outlook']}"))
        if result["done"] or result["total"]:
            unit = result["plan"].get("unit", "")
            of = f" of {result['total']:,}" if result["total"] else ""
            rate = f", {result['rate']:,.0f}/s" if result["rate"] else ""
            left = f", about {result['seconds_left']:,.0f} s left" if result["seconds_left"] is not None else ""
            console.print(f"done: {result['done']:,}{of} {unit}{rate}{left}")
        if result["plan"]:
            print_plan(result["plan"], console)
        for what in ("caps", "spent"):
            if result[what]:
                parts = [f"{amount:,.10g} {RESOURCES.get(name, name)}" for name, amount in result[what].items()]
                console.print(f"{what}: {', '.join(parts)}")
        if result["num_starts"]:
            lost = f", lost {counted(result['num_losses'], 'time')}" if result["num_losses"] else ""
            console.print(f"ran for {result['seconds']:,.1f} s in {counted(result['num_starts'], 'start')}{lost}")

    def _wait(self, job: Job, wanted: set[Job.State]) -> None:
        """Until it is in a wanted state; says once what it waits for where nobody will take it.

        Raises:
            ConflictError: it came to rest in another one.
        """
        said = False
        with self.progress(job.title) as report:
            while True:
                job.refresh_from_db()
                if job.state in wanted:
                    return
                if job.has_ended or job.state in (Job.State.PAUSED, Job.State.PLANNED):
                    why = job.error or job.note or "somebody stopped it, or has to confirm it"
                    raise ConflictError(f"job {job.pk} is {job.state}: {why}")
                outlook = services.outlook(job)
                if not said and not outlook.num_workers:
                    self.warn(f"job {job.pk}: {outlook.line}")
                    said = True
                if job.state == Job.State.RUNNING:
                    report(job.done, job.total)
                time.sleep(_LOOK_SECONDS)


def _print_log(number: int) -> None:
    try:
        with log_path(number).open(encoding="utf-8", errors="replace") as file:
            shutil.copyfileobj(file, sys.stdout)
    except FileNotFoundError:
        raise NotFoundError(
            f"job {number} has no log at {log_path(number)}: it did not start, or ran with another ARTIFACT_DIR"
        ) from None
