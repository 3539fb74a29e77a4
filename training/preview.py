"""python -m training.preview run.json: rows of a run as the tokens that are trained on, and which carry loss."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from curation.errors import ConfigError, InputError, S1WebError
from training.command_line import run_parser
from training.config import TrainingConfig, read_config_with
from training.masking import ExampleMaker, find_pad_token
from training.prepared import load_tokenizer, make_example
from training.rows import TrainingRow, read_rows
from training.token_runs import Kind, TokenRun, count_kinds, harmless, row_to_json, token_runs

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

# two shades each, in turn, so that tokens can be told apart; of the 16 colours that every terminal has
_STYLES: dict[Kind, tuple[str, str]] = {
    "prompt": ("bright_white on bright_black", "black on white"),
    "thinking": ("bright_white on blue", "black on bright_blue"),
    "answer": ("bright_white on green", "black on bright_green"),
    "end": ("bold black on bright_yellow", "bold black on bright_yellow"),
    "rest": ("bright_white on bright_black", "black on white"),
    "cut": ("strike bright_white on red", "strike black on bright_red"),
}
_MEANINGS: dict[Kind, str] = {
    "prompt": "question, no loss",
    "thinking": "thinking, loss",
    "answer": "answer, loss",
    "end": "end, loss",
    "rest": "behind the turn, no loss",
    "cut": "cut off at the block size",
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = run_parser("training.preview", __doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--rows", type=int, default=3, metavar="N", help="the first N rows (default: 3)")
    which.add_argument("--row", type=int, metavar="NUMBER", help="that row alone, counted from 1")
    parser.add_argument(
        "--tokens", type=int, default=60, metavar="N", help="of each end of a long part (default: 60; 0: all)"
    )
    parser.add_argument("--borders", action="store_true", help="a mark between tokens, where colours are not enough")
    parser.add_argument("--json", action="store_true", help="print one JSON object with every token, alone")
    options = parser.parse_args(arguments)
    try:
        _preview(options)
    except S1WebError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:
        # `| head` has seen enough; what Python flushes at its end has nowhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _preview(options: argparse.Namespace) -> None:
    from rich.console import Console

    for name, least in (("rows", 1), ("tokens", 0), ("row", 1)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise ConfigError(f"--{name} {value}; a whole number of {least} or more is needed")
    config = read_config_with(options.run, options.set)
    numbers = range(1, options.rows + 1) if options.row is None else range(options.row, options.row + 1)
    shown = shown_rows(config, numbers)
    if options.json:
        rows = [row_to_json(row.number, runs, config.block_size) for row, runs in shown]
        # terminals obey some characters that JSON may hold as they are
        print(json.dumps({"rows": rows}), flush=True)
        return
    console = Console(highlight=False)
    console.print(_legend(), soft_wrap=True)
    for row, runs in shown:
        print_row(console, row.number, runs, num_tokens=options.tokens, has_borders=options.borders)
    sys.stdout.flush()


def shown_rows(config: TrainingConfig, numbers: range) -> Iterator[tuple[TrainingRow, tuple[TokenRun, ...]]]:
    """The rows of those numbers, counted from 1; fewer where the data ends before.

    Raises:
        InputError: the data cannot be read, has no such row, or a row cannot be trained on.
        ConfigError: the model has no tokenizer that fits.
    """
    rows = read_rows(config.data, generator=config.generator, most=numbers.stop - 1)
    if len(rows) < numbers.start:
        raise InputError(f"{config.data}: no row {numbers.start}; it has {len(rows):,}")
    tokenizer = load_tokenizer(config)
    find_pad_token(tokenizer, config.pad_token)
    maker = ExampleMaker(tokenizer, config.format)
    for row in rows[numbers.start - 1 :]:
        example = make_example(maker, row, config)
        yield row, token_runs(example, config.block_size, tokenizer)


def print_row(
    console: "Console", number: int, runs: Sequence[TokenRun], *, num_tokens: int, has_borders: bool
) -> None:
    """A row in a terminal: a line with its counts, then each run below a line that says what it is.

    Args:
        num_tokens: of each end of a run that is longer than both; 0: all.
    """
    from rich.text import Text

    counts = count_kinds(runs)
    cut = f", {counts['cut']:,} cut off" if counts["cut"] else ""
    console.print(
        Text(f"\nrow {number}: {counts['tokens']:,} tokens, {counts['with_loss']:,} with loss{cut}", style="bold"),
        soft_wrap=True,
    )
    for run in runs:
        what = f"{run.part}, {_MEANINGS['cut']}" if run.kind == "cut" else _MEANINGS[run.kind]
        console.print(Text(f"── {what}: {len(run.tokens):,} tokens"), soft_wrap=True)
        console.print(_run_text(run, num_tokens, has_borders=has_borders), soft_wrap=True)


def _run_text(run: TokenRun, num_tokens: int, *, has_borders: bool) -> "Text":
    from rich.text import Text

    text = Text()
    left_out = len(run.tokens) - 2 * num_tokens if num_tokens else 0
    skipped = range(num_tokens, num_tokens + left_out)
    for place, token in enumerate(run.tokens):
        if place in skipped:
            if place == skipped.start:
                text.append(f"\n… {left_out:,} tokens …\n")
            continue
        if has_borders and place:
            text.append("│")
        text.append(harmless(token.text), style=_STYLES[run.kind][place % 2])
    return text


def _legend() -> "Text":
    from rich.text import Text

    text = Text()
    for kind, meaning in _MEANINGS.items():
        text.append(f" {meaning} ", style=_STYLES[kind][0])
        text.append(" ")
    return text


if __name__ == "__main__":
    sys.exit(main())
