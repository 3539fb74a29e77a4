"""python -m inference.export_lm_eval RUN_FOLDER OUT: a run's samples and results in lm-eval's log format."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from curation.errors import S1WebError
from inference.benchmark_sources import load_benchmark
from inference.evaluation.folder import RUN, read_json
from inference.lm_eval.samples import export_run


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m inference.export_lm_eval", description=__doc__)
    parser.add_argument("run", type=Path, help="a run's folder, finished or not")
    parser.add_argument(
        "out", type=Path, help="where lm-eval's --output_path would be; the model gets a folder in it"
    )
    parser.add_argument("--benchmark", help="the run's benchmark where its file lies elsewhere now")
    options = parser.parse_args(arguments)
    try:
        config = read_json(options.run / RUN)["config"]
        benchmark = load_benchmark(options.benchmark or config["benchmark"], shuffle_seed=config["shuffle_seed"])
        for path in export_run(options.run, benchmark, options.out):
            print(path)
    except S1WebError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
