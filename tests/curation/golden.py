"""Writes the golden files in tests/data, by the slow twin alone: python -m tests.curation.golden

pool.jsonl is an invented pool, evaluation.jsonl its evaluation questions; golden_<preset>.jsonl holds one line a
(size, seed) with the ledger, the ordered hashes and their sha256. Write them anew only where the contract changes.
"""

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.factories import EVALUATION_QUESTIONS, make_rows
from tests.twin import slow_recipe as twin

DATA = Path(__file__).resolve().parent.parent / "data"
# large enough for `released` to pass 700 and draw by the benchmarks' domains; random etc. need no long list
CASES = {preset: [(60, 0), (60, 7)] for preset in twin.PRESETS}
CASES["paper"] = [(200, 0), (200, 7)]
CASES["released"] = [(200, 7), (800, 0)]
CASES["full"] = [(60, 0)]


def read_lines(name: str) -> list[Any]:
    text = (DATA / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


def _write_lines(name: str, values: Iterable[Any]) -> None:
    lines = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)
    (DATA / name).write_text(lines, encoding="utf-8", newline="\n")


def _write() -> None:
    rng = random.Random(2501)
    rows = make_rows(rng, 1_100, repeated=0.03, contaminated=0.04, decorated=0.05, missing=0.01, solved=0.04)
    _write_lines("pool.jsonl", rows)
    _write_lines("evaluation.jsonl", [{"problem": text} for text in EVALUATION_QUESTIONS])
    for preset, cases in CASES.items():
        golden = []
        for size, seed in cases:
            result = twin.select(rows, EVALUATION_QUESTIONS, preset, size, seed)
            golden.append({"size": size, "seed": seed} | {key: result[key] for key in ("ledger", "sha256", "hashes")})
        _write_lines(f"golden_{preset}.jsonl", golden)


if __name__ == "__main__":
    _write()
