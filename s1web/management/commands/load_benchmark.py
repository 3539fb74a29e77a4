"""python manage.py load_benchmark PATH --name NAME: an evaluation set."""

from typing import Any

from django.core.management.base import CommandParser
from rich.console import Console

from s1web.management.base import absolute, counted, print_table
from s1web.management.jobs import JobCommand, Request


class Command(JobCommand):
    progress_label = "loading"
    help = "Load an evaluation set, to be decontaminated against and evaluated on."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("path", metavar="PATH", help="JSON lines with id, problem, answer and optional choices")
        parser.add_argument("--name", required=True, help="the benchmark's name, for example math500")

    def request(self, options: dict[str, Any]) -> Request:
        return Request("load_benchmark", {"path": absolute(options["path"]), "name": options["name"]})

    def show(self, result: dict[str, Any], console: Console) -> None:
        names = ("name", "read", "new", "updated", "unchanged", "rejected", "seconds")
        print_table(console, names, [[result[name] for name in names]])
        if result["rejected"]:
            self.warn(f"{counted(result['rejected'], 'row')} could not be read; see {result['rejected_file']}")
