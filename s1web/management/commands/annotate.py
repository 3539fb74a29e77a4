"""python manage.py annotate KIND: what is known of each question, computed once and kept."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser
from rich.console import Console

from curation.errors import ConfigError
from s1web.management.base import Command as BaseCommand
from s1web.management.base import print_table
from s1web.pool.contamination import check_contamination
from s1web.pool.lengths import count_lengths

KINDS = ("lengths", "contamination")


class Command(BaseCommand):
    help = "Annotate the pool; what is done already is skipped, so a stopped run goes on where it was."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=KINDS, metavar="KIND", help=f"what to annotate: {', '.join(KINDS)}")
        parser.add_argument("--limit", type=int, metavar="N", help="annotate at most N items this time")
        parser.add_argument(
            "--tokenizer", default="", help="lengths: a name on the Hub, a folder, or a tokenizer.json"
        )
        parser.add_argument(
            "--tokenizer-name", default="", help="lengths: the name its counts are kept under (default: --tokenizer)"
        )

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        limit = options["limit"]
        if limit is not None and limit < 1:
            raise ConfigError(f"--limit {limit} leaves nothing to do; give 1 or more, or leave it out")
        if options["kind"] != "lengths" and (options["tokenizer"] or options["tokenizer_name"]):
            raise ConfigError(f"--tokenizer and --tokenizer-name are for annotate lengths, not {options['kind']}")
        result = {"done": 0, "skipped": 0, "failed": 0, "requests": 0, "tokens": 0, "seconds": 0.0}
        with self.progress(f"annotating {options['kind']}") as report:
            if options["kind"] == "lengths":
                if not options["tokenizer"]:
                    raise ConfigError("annotate lengths needs --tokenizer: a name on the Hub, a folder, or a file")
                counted = count_lengths(
                    options["tokenizer"], name=options["tokenizer_name"], limit=limit, on_progress=report
                )
                return result | asdict(counted)
            return result | asdict(check_contamination(limit, report))

    def show(self, result: dict[str, Any], console: Console) -> None:
        hidden = {"failed", "requests"} | (set() if result["tokens"] else {"tokens"})
        shown = {name: value for name, value in result.items() if name not in hidden}
        print_table(console, list(shown), [list(shown.values())])
