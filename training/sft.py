"""python -m training.sft run.json: fine-tune a model on a selection's traces, and go on where a run was stopped."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from curation.errors import S1WebError
from inference.evaluation.stopping import stop_signals
from training.command_line import run_parser
from training.config import read_config_with
from training.prepared import OnStep
from training.work import carry_out


def main(arguments: Sequence[str] | None = None) -> int:
    parser = run_parser("training.sft", __doc__)
    parser.add_argument("--out", type=Path, help="the run's folder (default: the file's name without .json)")
    parser.add_argument("--json", action="store_true", help="print the run's record as one JSON object alone")
    options = parser.parse_args(arguments)
    try:
        record = _train(options)
    except S1WebError as error:
        print(error, file=sys.stderr)
        return 1
    if int(os.environ.get("RANK", "0")):
        return 0  # the first process speaks for all
    if options.json:
        print(json.dumps(record, ensure_ascii=False))
    else:
        print(f"{record['state']} at step {record['step']} of {record['steps']}")
    return 0


def _train(options: argparse.Namespace) -> dict[str, Any]:
    config = read_config_with(options.run, options.set)
    folder = options.out or options.run.with_suffix("")
    with stop_signals() as should_stop, shown_steps(folder.name, is_quiet=options.json) as show:
        return carry_out(config, folder, on_step=show, should_stop=should_stop)


@contextmanager
def shown_steps(name: str, *, is_quiet: bool) -> Iterator[OnStep]:
    """A bar of optimizer steps with the loss and the speed, on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    bar = Progress(*columns, TextColumn("{task.fields[figures]}"), console=console, disable=is_quiet)
    task = bar.add_task(name, total=None, figures="")

    def show(line: dict[str, Any], num_steps: int) -> None:
        bar.start()  # only now, so that what cannot begin is one line
        figures = f"loss {line['loss']:.4f}, {line['tokens_per_second']:,.0f} tokens/s"
        bar.update(task, completed=line["step"], total=num_steps, figures=figures)

    try:
        yield show
    finally:
        bar.stop()


if __name__ == "__main__":
    sys.exit(main())
