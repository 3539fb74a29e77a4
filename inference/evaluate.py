"""python -m inference.evaluate run.json: evaluate a model on a benchmark, and go on where a run was stopped."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curation.errors import S1WebError
from inference.benchmark_sources import load_benchmark
from inference.evaluation.config import read_config
from inference.evaluation.showing import shown_progress, summary_lines
from inference.evaluation.stopping import stop_signals
from inference.evaluation.work import carry_out, load


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m inference.evaluate", description=__doc__)
    parser.add_argument("run", type=Path, help="a JSON file that describes the run; docs/guide/evaluating.md")
    parser.add_argument("--out", type=Path, help="the run's folder (default: the file's name without .json)")
    parser.add_argument("--retry-failed", action="store_true", help="do anew what ended in an error")
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object, and nothing else")
    options = parser.parse_args(arguments)
    try:
        summary = _evaluate(options)
    except S1WebError as error:
        print(error, file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(summary, ensure_ascii=False))
    else:
        print("\n".join(summary_lines(summary)))
    return 0


def _evaluate(options: argparse.Namespace) -> dict[str, Any]:
    config = read_config(options.run)
    benchmark = load_benchmark(config.benchmark, shuffle_seed=config.shuffle_seed)
    loaded = load(config, benchmark)
    folder = options.out or options.run.with_suffix("")
    with stop_signals() as should_stop, shown_progress(folder.name, is_quiet=options.json) as show:
        return carry_out(
            config,
            loaded,
            folder,
            retry_failed=options.retry_failed,
            on_progress=show,
            should_stop=should_stop,
        )


if __name__ == "__main__":
    sys.exit(main())
