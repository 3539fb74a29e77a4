"""Commands that do their work in place, or leave it to a worker with --enqueue: by the same function either way."""

import time
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from django.core.management.base import CommandParser
from rich.console import Console

from curation.errors import ConfigError, ConflictError
from s1web.jobs import services
from s1web.jobs.dispatch import listening
from s1web.jobs.kinds import find_kind
from s1web.jobs.models import Job
from s1web.management.base import Command
from s1web.plans import RESOURCES
from s1web.progress import Report

_LOOK_SECONDS = 0.3


class Request(NamedTuple):
    """What a command was asked to do, as a job would be."""

    kind: str
    params: dict[str, Any]


class JobCommand(Command, ABC):
    """Base of commands whose work may be a job: `request` says which, `show` prints its result."""

    progress_label = "working"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        group = parser.add_argument_group("as a job")
        group.add_argument("--plan", action="store_true", help="only say what would be done and what it would cost")
        group.add_argument("--enqueue", action="store_true", help="leave the work to a worker")
        group.add_argument("--wait", action="store_true", help="with --enqueue: stay until it has ended")
        group.add_argument("--after", type=int, metavar="JOB", help="with --enqueue: start once that job is done")
        group.add_argument(
            "--cap",
            action="append",
            default=[],
            metavar="RESOURCE=N",
            help=f"with --enqueue: pause it once it has spent so much; repeatable; of {', '.join(RESOURCES)}",
        )

    @abstractmethod
    def request(self, options: dict[str, Any]) -> Request:
        """The kind of job and its parameters, JSON, complete: paths are absolute, files that may change are read."""

    def handle(self, *args: Any, **options: Any) -> None:
        if options["plan"] and options["enqueue"]:
            raise ConfigError("--plan only says what would be done; leave out --enqueue, or --plan")
        given = {"wait": options["wait"], "after": options["after"] is not None, "cap": bool(options["cap"])}
        for name, is_given in given.items():
            if is_given and not options["enqueue"]:
                raise ConfigError(f"--{name} is for a job; add --enqueue, or leave it out")
        super().handle(*args, **options)

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        request = self.request(options)
        if options["plan"]:
            self.shown = self._show_plan
            return services.make_plan(*request).to_json()
        if options["enqueue"]:
            self.shown = self._show_job
            return self._enqueue(request, options)
        self.shown = self.show
        with self.progress(self.progress_label) as report:
            return self.work(request, report)

    def work(self, request: Request, report: Report) -> dict[str, Any]:
        """The job's own work, in place."""
        return find_kind(request.kind).load_work()(request.params, report)

    def show_result(self, result: dict[str, Any], console: Console) -> None:
        self.shown(result, console)

    def _enqueue(self, request: Request, options: dict[str, Any]) -> dict[str, Any]:
        job = services.submit(
            *request,
            parent=services.find_job(options["after"]) if options["after"] is not None else None,
            caps=services.parse_caps(options["cap"]),
        )
        if not options["wait"]:
            return job_json(job)
        try:
            ended = self._wait(job)
        except KeyboardInterrupt:
            # not the line of work in place: whoever ran the command again would have two jobs
            self._fail(f"interrupted; job {job.pk} goes on: see python manage.py job {job.pk}", code=130)
        if ended.state != Job.State.DONE:
            why = ended.error or ended.note or "somebody stopped it"
            raise ConflictError(f"job {ended.pk} is {ended.state}: {why}; see python manage.py job {ended.pk}")
        assert ended.result is not None
        self.shown = self.show
        result: dict[str, Any] = ended.result
        return result

    def _wait(self, job: Job) -> Job:
        """The job once it has ended, or was paused; says now and then what it waits for."""
        said = ""
        with self.progress(self.progress_label) as report:
            while True:
                job.refresh_from_db()
                if job.has_ended or job.state == Job.State.PAUSED:
                    return job
                if job.state == Job.State.RUNNING:
                    report(job.done, job.total)
                line = services.outlook(job).line
                if line != said and not listening(job.queue):
                    self.warn(f"job {job.pk}: {line}")
                said = line
                time.sleep(_LOOK_SECONDS)

    def _show_job(self, result: dict[str, Any], console: Console) -> None:
        console.print(f"job {result['job']}: {result['title']}")
        console.print(f"{result['state']}: {result['outlook']}")
        print_plan(result["plan"], console)

    def _show_plan(self, result: dict[str, Any], console: Console) -> None:
        console.print(result["title"])
        print_plan(result, console)


def job_json(job: Job) -> dict[str, Any]:
    """A job as --json prints it."""
    outlook = services.outlook(job)
    times = {name: getattr(job, name) for name in ("created_at", "started_at", "ended_at", "heartbeat_at")}
    return {
        "job": job.pk,
        "kind": job.kind,
        "title": job.title,
        "state": job.state,
        "stop": job.stop,
        "queue": job.queue,
        "position": outlook.position,
        "workers": outlook.num_workers,
        "outlook": outlook.line,
        "done": job.done,
        "total": job.total,
        "rate": job.rate,
        "seconds_left": job.seconds_left,
        "seconds": job.seconds,
        "num_starts": job.num_starts,
        "num_losses": job.num_losses,
        "parent": job.parent_id,
        "worker": job.worker,
        "error": job.error,
        "note": job.note,
        "plan": job.plan,
        "caps": job.caps,
        "spent": job.spent,
        "params": job.params,
        **{name: value and value.isoformat() for name, value in times.items()},
    }


def print_plan(plan: dict[str, Any], console: Console) -> None:
    """What it will do and cost, as far as that can be said."""
    parts = [f"{plan['total']:,} {plan['unit']}"] if plan["total"] else []
    parts += [f"{amount:,.10g} {RESOURCES[name]}" for name, amount in plan["spends"].items() if name != "rows"]
    if plan["seconds"] is not None:
        parts.append(f"about {plan['seconds']:,.0f} s")
    console.print(f"plan: {', '.join(parts) or 'nothing is known of its size'}")
    for note in plan["notes"]:
        console.print(f"note: {note}")
