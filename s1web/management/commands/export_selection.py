"""python manage.py export_selection NAME OUT_DIR: a selection as files that others load."""

from typing import Any

from django.core.management.base import CommandParser
from rich.console import Console

from s1web.exports.layouts import LAYOUTS
from s1web.exports.services import FORMATS
from s1web.management.base import absolute
from s1web.management.jobs import JobCommand, Request


class Command(JobCommand):
    progress_label = "exporting"
    help = "Write a selection as a folder that datasets.load_dataset reads, with its ledger and recipe."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="the selection")
        parser.add_argument("out_dir", metavar="OUT_DIR", help="a folder that is empty or not there yet")
        parser.add_argument("--layout", choices=LAYOUTS, default="s1k", help="which columns (default: s1k)")
        parser.add_argument("--format", choices=FORMATS, default="parquet", help="kind of file (default: parquet)")
        parser.add_argument(
            "--chat-template", metavar="NAME", help="layout text: a tokenizer whose chat template to use"
        )
        parser.add_argument(
            "--allow-contaminated",
            default="",
            metavar="REASON",
            help="export rows that overlap with a benchmark all the same, and say why",
        )
        parser.add_argument("--overwrite", action="store_true", help="replace an earlier export in OUT_DIR")

    def request(self, options: dict[str, Any]) -> Request:
        names = ("layout", "format", "chat_template", "allow_contaminated", "overwrite")
        params = {"selection": options["name"], "out_dir": absolute(options["out_dir"])}
        return Request("export_selection", params | {name: options[name] for name in names})

    def show(self, result: dict[str, Any], console: Console) -> None:
        console.print(f"{result['rows']:,} rows in layout {result['layout']}: {result['data_file']}")
        console.print(f'load them with datasets.load_dataset("{result["folder"]}")')
