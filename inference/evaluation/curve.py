"""Several runs as one curve: accuracy against thinking tokens, and the paper's three metrics (s1 §3.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from curation.errors import ConfigError
from inference.evaluation.folder import RUN, read_json
from inference.evaluation.summary import RunTable, read_run
from inference.intervals import Interval
from inference.methods.limits import thinking_limit
from inference.methods.registry import method_from_json
from inference.methods.single import ClassConditional
from inference.metrics import FREE, TRUNCATION, WAIT, Curve, Run, measure_arms

# what runs of one curve should have in common; a difference is said, and may be what is compared
_COMMON = {
    "model_sha256": "model",
    "tokenizer_sha256": "tokenizer",
    "prompts": "prompts",
    "delimiters": "delimiters",
}
_COMMON_CONFIG = ("engine", "engine_options", "sampling", "grading", "repeats", "seed")


def read_curve(folders: Sequence[Path], *, seed: int = 0) -> dict[str, Any]:
    """The curve of these runs as JSON: points with intervals by arm, Control, Scaling, Performance, warnings.

    Problems that one of the runs has not answered, or whose answer was not graded, are left out of all of them and
    counted: what is not known is not wrong.

    Args:
        seed: of the bootstrap.

    Raises:
        InputError: a folder holds no run.
        ConfigError: fewer than one run, two of one name, runs on different benchmarks, or no problem in common.
    """
    if not folders:
        raise ConfigError("no run; give the folders of one or more runs")
    tables = [read_run(folder) for folder in folders]
    descriptions = [read_json(folder / RUN) for folder in folders]
    names = [table.name for table in tables]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"two runs are named {twice!r}; give folders of different names")
    benchmarks = {table.benchmark_sha256: table.name for table in tables}
    if len(benchmarks) > 1:
        first, second, *_ = benchmarks.values()
        raise ConfigError(f"{first} and {second} are runs on different problems; give runs on the same benchmark")
    by_problem = [table.by_problem() for table in tables]
    everywhere = set().union(*by_problem)
    common = sorted(problem for problem in everywhere if all(found.get(problem) for found in by_problem))
    if not common:
        raise ConfigError("the runs have no graded problem in common; finish them, or give fewer")
    runs = _runs(tables, by_problem, common)
    arms = measure_arms(runs, seed=seed)
    kinds = {run.name: run for run in runs}
    return {
        "num_problems": len(common),
        "num_left_out": len(everywhere) - len(common),
        "warnings": _warnings(tables, descriptions),
        "arms": {name: _curve_row(curve, kinds) for name, curve in arms.items()},
    }


def arm_of(method: Mapping[str, Any]) -> str:
    """`wait` where ends of thinking are suppressed, `truncation` where it is capped, `free` where neither."""
    forcing = method.get("forcing") or {}
    if forcing.get("num_ignore"):
        return WAIT
    if forcing.get("max_thinking_tokens") is not None or "max_thinking_tokens" in method:
        return TRUNCATION
    return FREE


def limits_of(method: Mapping[str, Any], free_tokens: float | None) -> tuple[float | None, float | None]:
    """(most, least) mean thinking tokens that a run was to keep to; see `methods.limits`.

    Args:
        free_tokens: mean of a run without control, which class-conditional prompts are measured by.
    """
    if method["name"] == ClassConditional.name:
        return (free_tokens, None) if method["length"] == "short" else (None, free_tokens)
    limit = thinking_limit(method_from_json(method))
    return (None if limit is None else float(limit)), None


def _runs(
    tables: Sequence[RunTable],
    by_problem: Sequence[Mapping[str, tuple[float, float] | None]],
    problems: Sequence[str],
) -> list[Run]:
    figures = [np.array([found[problem] for problem in problems], dtype=np.float64) for found in by_problem]
    free = [
        float(columns[:, 0].mean())
        for table, columns in zip(tables, figures, strict=True)
        if table.config["method"]["name"] == "none"
    ]
    runs = []
    for table, columns in zip(tables, figures, strict=True):
        method = table.config["method"]
        most, least = limits_of(method, free[0] if free else None)
        runs.append(Run(table.name, columns[:, 0], columns[:, 1], arm_of(method), at_most=most, at_least=least))
    return runs


def _curve_row(curve: Curve, runs: Mapping[str, Run]) -> dict[str, Any]:
    return {
        "points": [
            {
                "run": name,
                "arm": runs[name].arm,
                "thinking_tokens": asdict(tokens),
                "accuracy": asdict(value),
                "at_most": runs[name].at_most,
                "at_least": runs[name].at_least,
            }
            for name, (tokens, value) in zip(curve.names, curve.points, strict=True)
        ],
        "control": _interval_row(curve.control),
        "scaling": _interval_row(curve.scaling),
        "performance": _interval_row(curve.performance),
    }


def _interval_row(interval: Interval | None) -> dict[str, float] | None:
    return None if interval is None else asdict(interval)


def _warnings(tables: Sequence[RunTable], descriptions: Sequence[Mapping[str, Any]]) -> list[str]:
    found = []
    for key, what in _COMMON.items():
        found += _difference(what, tables, [row.get(key) for row in descriptions])
    for key in _COMMON_CONFIG:
        found += _difference(key.replace("_", " "), tables, [table.config[key] for table in tables])
    return found


def _difference(what: str, tables: Sequence[RunTable], values: Sequence[Any]) -> list[str]:
    other = next((place for place, value in enumerate(values) if value != values[0]), None)
    if other is None:
        return []
    return [f"{tables[0].name} and {tables[other].name} differ in {what}"]
