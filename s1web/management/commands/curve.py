"""python manage.py curve RUN...: accuracy against thinking tokens over several runs, with the paper's metrics."""

from typing import Any

from django.core.management.base import CommandParser
from rich.console import Console

from inference.evaluation.curve import read_curve
from inference.evaluation.showing import curve_lines
from s1web.experiments.queries import find_folders
from s1web.management.base import Command as BaseCommand


class Command(BaseCommand):
    help = "Runs as one curve: Control, Scaling and Performance with intervals, and the points they come from."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("runs", nargs="+", metavar="RUN", help="the name of a run, or its folder")
        parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the bootstrap (default: 0)")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        return read_curve(find_folders(options["runs"]), seed=options["seed"])

    def show(self, result: dict[str, Any], console: Console) -> None:
        for line in curve_lines(result):
            console.print(line, markup=False)
