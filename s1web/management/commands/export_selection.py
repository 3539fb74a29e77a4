"""python manage.py export_selection NAME OUT_DIR: a selection as files that others load."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from rich.console import Console

from curation.errors import ConfigError
from s1web.exports.layouts import LAYOUTS
from s1web.exports.services import FORMATS, export_selection
from s1web.management.base import Command as BaseCommand
from s1web.selections.services import find_selection
from training.formatting import Message, RenderChat


class Command(BaseCommand):
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

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["chat_template"] and options["layout"] != "text":
            raise ConfigError(f"--chat-template is for --layout text; {options['layout']} has no rendered text")
        exported = export_selection(
            find_selection(options["name"]),
            Path(options["out_dir"]).expanduser().absolute(),
            layout=options["layout"],
            file_format=options["format"],
            render=load_chat_template(options["chat_template"]) if options["chat_template"] else None,
            allow_contaminated=options["allow_contaminated"],
            overwrite=options["overwrite"],
        )
        return {
            "selection": options["name"],
            "folder": str(exported.folder),
            "data_file": str(exported.data_file),
            "rows": exported.rows,
            "layout": exported.layout,
            "format": exported.format,
            "seconds": exported.seconds,
        }

    def show(self, result: dict[str, Any], console: Console) -> None:
        console.print(f"{result['rows']:,} rows in layout {result['layout']}: {result['data_file']}")
        console.print(f'load them with datasets.load_dataset("{result["folder"]}")')


def load_chat_template(name: str) -> RenderChat:
    """A tokenizer's chat template as a function over messages.

    Raises:
        ConfigError: it cannot be loaded, or has no template; the function raises it where the template fails.
    """
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    # whatever the library raises for names, files and networks, the user sees one line
    try:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    except Exception as error:
        reason = " ".join(str(error).split())[:240]
        raise ConfigError(f"--chat-template {name!r} cannot be loaded: {reason}; give a name or a folder") from None
    if not tokenizer.chat_template:
        raise ConfigError(f"--chat-template {name!r} has no chat template; give the tokenizer of a chat model")

    def render(conversation: Sequence[Message]) -> str:
        # a template is a program: it may raise anything
        try:
            return str(tokenizer.apply_chat_template(list(conversation), tokenize=False))
        except Exception as error:
            reason = " ".join(str(error).split())[:240]
            raise ConfigError(
                f"--chat-template {name!r} cannot render a conversation: {reason}; give another tokenizer"
            ) from None

    return render
