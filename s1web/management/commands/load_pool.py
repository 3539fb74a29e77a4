"""python manage.py load_pool PATH...: questions, traces, attempts and grades into the pool."""

from typing import Any

from django.core.management.base import CommandParser
from rich.console import Console

from curation.layouts import FIELDS
from curation.sources import SOURCES
from s1web.management.base import absolute, counted, print_table
from s1web.management.jobs import JobCommand, Request


class Command(JobCommand):
    progress_label = "loading"
    help = "Load questions, traces, attempts and grades into the pool; loading a file twice changes nothing."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument(
            "paths",
            nargs="+",
            metavar="PATH",
            help="parquet, JSON lines or CSV (.gz, .zst too), a folder of them, or hf://owner/name@revision",
        )
        parser.add_argument("--source", default="", help="source of every row, in place of the file's own column")
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="COLUMN=FIELD",
            help=f"read a column as a field; repeatable; fields: {', '.join(FIELDS)}",
        )
        parser.add_argument(
            "--existing-only",
            action="store_true",
            help="reject rows whose question the pool does not have yet, instead of adding it",
        )

    def request(self, options: dict[str, Any]) -> Request:
        params = {
            "paths": [absolute(path) for path in options["paths"]],
            "source": options["source"],
            "mapping": options["map"],
            "existing_only": options["existing_only"],
        }
        return Request("load_pool", params)

    def show(self, result: dict[str, Any], console: Console) -> None:
        names = ("read", "new", "updated", "unchanged", "rejected")
        print_table(console, [*names, "seconds"], [[*(result[name] for name in names), result["seconds"]]])
        console.print()
        rows = [
            [item["source"], item["rows"], "" if item["expected_rows"] is None else item["expected_rows"]]
            for item in result["sources"]
            if item["rows"]
        ]
        print_table(console, ["source", "rows in the pool", "rows in s1's pool"], rows)
        absent = [f"{item['source']} {item['expected_rows']:,}" for item in result["sources"] if not item["rows"]]
        if absent and len(absent) < len(SOURCES):
            console.print(f"of s1's pool not here: {', '.join(absent)}")
        if result["ignored_columns"]:
            self.warn(f"columns without a field, not loaded: {', '.join(result['ignored_columns'])} (see --map)")
        if result["rejected"]:
            self.warn(f"{counted(result['rejected'], 'row')} could not be read; see {result['rejected_file']}")
