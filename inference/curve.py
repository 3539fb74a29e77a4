"""python -m inference.curve RUN...: accuracy against thinking tokens over several runs, with the paper's metrics."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from curation.errors import S1WebError
from inference.evaluation.curve import read_curve
from inference.evaluation.showing import curve_lines


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m inference.curve", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="the folder of a run")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: 0)")
    parser.add_argument("--json", action="store_true", help="print the curve as one JSON object, and nothing else")
    options = parser.parse_args(arguments)
    try:
        curve = read_curve(options.runs, seed=options.seed)
    except S1WebError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(curve, ensure_ascii=False) if options.json else "\n".join(curve_lines(curve)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
