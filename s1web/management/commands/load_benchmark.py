"""python manage.py load_benchmark PATH --name NAME: an evaluation set."""

from typing import Any

from django.core.management.base import CommandParser
from rich.console import Console

from s1web.management.base import Command as BaseCommand
from s1web.management.base import counted, print_table
from s1web.pool.benchmarks import load_benchmark


class Command(BaseCommand):
    help = "Load an evaluation set, to be decontaminated against and evaluated on."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("path", metavar="PATH", help="JSON lines with id, problem, answer and optional choices")
        parser.add_argument("--name", required=True, help="the benchmark's name, for example math500")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        return load_benchmark(options["path"], options["name"]).to_json()

    def show(self, result: dict[str, Any], console: Console) -> None:
        names = ("name", "read", "new", "updated", "unchanged", "rejected", "seconds")
        print_table(console, names, [[result[name] for name in names]])
        if result["rejected"]:
            self.warn(f"{counted(result['rejected'], 'row')} could not be read; see {result['rejected_file']}")
