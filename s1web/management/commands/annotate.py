"""python manage.py annotate KIND: what is known of each question, computed once and kept."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from rich.console import Console

from curation.errors import ConfigError
from s1web.management.base import absolute, print_table
from s1web.management.jobs import JobCommand, Request

KINDS = ("lengths", "contamination")


class Command(JobCommand):
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

    def request(self, options: dict[str, Any]) -> Request:
        kind = options["kind"]
        self.progress_label = f"annotating {kind}"
        if kind != "lengths":
            if options["tokenizer"] or options["tokenizer_name"]:
                raise ConfigError(f"--tokenizer and --tokenizer-name are for annotate lengths, not {kind}")
            return Request(f"annotate_{kind}", {"limit": options["limit"]})
        tokenizer = options["tokenizer"]
        # a worker may run elsewhere than here, but the counts keep the name that was given
        name = options["tokenizer_name"] or tokenizer.rstrip("/")
        path = absolute(tokenizer) if tokenizer and Path(tokenizer).exists() else tokenizer
        return Request("annotate_lengths", {"tokenizer": path, "name": name, "limit": options["limit"]})

    def show(self, result: dict[str, Any], console: Console) -> None:
        hidden = {"failed", "requests"} | (set() if result["tokens"] else {"tokens"})
        shown = {name: value for name, value in result.items() if name not in hidden}
        print_table(console, list(shown), [list(shown.values())])
