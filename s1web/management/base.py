"""What every command of ours does alike: --json, one line for an error, a progress bar on a terminal."""

import json
import sys
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from curation.errors import S1WebError
from s1web.errors import error_line
from s1web.progress import Report, ignore

_PIPE_WIDTH = 500


class Command(BaseCommand):
    """Base of our commands: `run` does the work and returns its result, `show` prints it for a person.

    Exit code 0, or 1 with one line on standard error that says what came, what is allowed and what to do.
    """

    requires_migrations_checks = False
    requires_system_checks = ()

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        _hide_common_options(parser)
        parser.error = self._usage_error  # type: ignore[method-assign]
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        only_json = "print one JSON object on standard output and nothing else"
        parser.add_argument("--json", action="store_true", help=only_json)
        self.add_options(parser)

    def add_options(self, parser: CommandParser) -> None:
        """The command's own options."""

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        """Do the work; the result is what --json prints."""
        raise CommandError("a command says in `run` what it does")

    def show(self, result: dict[str, Any], console: Console) -> None:
        """Print the result for a person."""

    def show_result(self, result: dict[str, Any], console: Console) -> None:
        """Print what `run` returned."""
        self.show(result, console)

    def run_from_argv(self, argv: list[str]) -> None:
        # Django prints "CommandError: ..." and tracebacks; a user of ours sees the one line alone
        try:
            super().run_from_argv(argv)
        except (S1WebError, ImproperlyConfigured, OSError, DatabaseError, MemoryError) as error:
            self._fail(error_line(error))
        except KeyboardInterrupt:
            self._fail("interrupted; what was written whole stays; run the command again to go on", code=130)

    def handle(self, *args: Any, **options: Any) -> None:
        # in a pipe nothing is cut to a screen's width: paths and hashes are there to be copied
        width = None if sys.stdout.isatty() else _PIPE_WIDTH
        self.console = Console(file=self.stdout, highlight=False, soft_wrap=True, width=width)  # type: ignore[arg-type]
        self.is_quiet = bool(options["json"])
        _make_embedded_database()
        result = self.run(options)
        if self.is_quiet:
            # ASCII: a path that is no UTF-8 must not break the output
            self.stdout.write(json.dumps(result))
        else:
            self.show_result(result, self.console)

    @contextmanager
    def progress(self, what: str) -> Iterator[Report]:
        """A bar on a terminal's standard error; in a pipe, or with --json, nothing."""
        if self.is_quiet or not sys.stderr.isatty():
            yield ignore
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(what, total=None)

            def report(done: int, total: int, /, **spent: float) -> None:
                bar.update(task, completed=done, total=total or None)

            yield report

    def warn(self, text: str) -> None:
        """A line on standard error that is no error."""
        self.stderr.write(f"note: {text}", style_func=str)

    def _usage_error(self, message: str) -> NoReturn:
        command = Path(sys.argv[0]).name + " " + " ".join(sys.argv[1:2])
        self._fail(f"{message}; see {command} --help")

    def _fail(self, line: str, code: int = 1) -> NoReturn:
        self.stderr.write(line, style_func=str)
        sys.exit(code)


def absolute(path: str) -> str:
    """A path as it is meant from any working directory; an address of the Hub stays as it is."""
    return path if path.startswith("hf://") else str(Path(path).expanduser().absolute())


def counted(number: int, noun: str) -> str:
    """A number with its noun: "1 row", "2,400 rows"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def print_table(console: Console, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A plain table; figures are set right, with thousands separators."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(columns):
        figures = bool(rows) and all(isinstance(row[place], int | float) or row[place] == "" for row in rows)
        table.add_column(name, justify="right" if figures else "left", overflow="fold")
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int | float) else str(value) for value in row))
    console.print(table)


def _hide_common_options(parser: ArgumentParser) -> None:
    """Django's own options stay usable, but --help shows ours."""
    for action in parser._actions:
        if {"--version", "--settings", "--pythonpath", "--traceback", "--force-color", "--skip-checks"}.intersection(
            action.option_strings
        ):
            action.help = SUPPRESS


def _make_embedded_database() -> None:
    """The first command makes the SQLite database, so that there is nothing to set up before it."""
    if connection.vendor != "sqlite":
        return
    name = str(settings.DATABASES["default"]["NAME"])
    if not name.startswith(("file:", ":memory:")):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
    if not connection.introspection.table_names():
        call_command("migrate", verbosity=0)


def print_funnel(console: Console, ledger: Sequence[dict[str, Any]]) -> None:
    """The ledger as a table: one line a stage, one below it for each rule that dropped rows."""
    rows: list[list[object]] = []
    for stage in ledger:
        rows.append([stage["stage"], stage["in"], stage["in"] - stage["out"], stage["out"]])
        rows += [[f"  {rule}", "", count, ""] for rule, count in stage["dropped"].items()]
    print_table(console, ["stage", "in", "dropped", "out"], rows)
