"""What a run's samples add up to: accuracy with its interval, cov@k and maj@k, tokens, and what was forced."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inference.answers import NONE
from inference.equivalence import group_answers
from inference.evaluation.folder import RUN, SAMPLES, read_json, read_jsonl
from inference.intervals import Interval, bootstrap_mean, wilson
from inference.methods.base import Account
from inference.metrics import accuracy, run_statistics
from inference.voting import MAX_SAMPLES, coverage_at_k, majority_at_k


@dataclass(frozen=True)
class RunTable:
    """A run's samples as columns, a row for each trial that has ended.

    Attributes:
        config, name: of the run; the folder's name.
        problem, repeat: of each row.
        is_right: None where not graded, or where the engine could not serve it.
        thinking_tokens, answer_tokens, seconds: of all samples of a trial together.
        has_answer, hit_cap, has_error: flags.
        answers: extracted; None for none.
        account: over the whole run.
        rules: rule of extraction -> candidates; rule of grading -> trials.
    """

    config: Mapping[str, Any]
    benchmark_sha256: str
    name: str
    problem: list[str]
    repeat: list[int]
    is_right: list[bool | None]
    thinking_tokens: np.ndarray
    answer_tokens: np.ndarray
    seconds: np.ndarray
    has_answer: np.ndarray
    hit_cap: np.ndarray
    has_error: np.ndarray
    answers: list[str | None]
    account: Account
    extraction_rules: Mapping[str, int]
    grading_rules: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.problem)

    def by_problem(self) -> dict[str, tuple[float, float] | None]:
        """Problem -> (mean thinking tokens, share right) over its repeats; None where one of them is not graded."""
        rows: dict[str, list[int]] = {}
        for place, problem in enumerate(self.problem):
            rows.setdefault(problem, []).append(place)
        found: dict[str, tuple[float, float] | None] = {}
        for problem, places in rows.items():
            grades = [self.is_right[place] for place in places]
            known = [grade for grade in grades if grade is not None]
            found[problem] = (
                (float(self.thinking_tokens[places].mean()), sum(known) / len(known))
                if len(known) == len(grades)
                else None
            )
        return found


def read_run(folder: Path) -> RunTable:
    """The run in a folder, finished or not, in the order of problems and repeats.

    Raises:
        InputError: the folder holds no run.
    """
    description = read_json(folder / RUN)
    extraction: Counter[str] = Counter()
    grading: Counter[str] = Counter()
    account = Account()
    rows = []
    for row in read_jsonl(folder / SAMPLES):
        account += Account(**row["account"])
        extraction.update(candidate["rule"] for candidate in row["candidates"])
        grading.update([row["grade"]["rule"] if row["grade"] else "error"])
        final = None if row["chosen"] is None else row["candidates"][row["chosen"]]
        rows.append(
            (
                row["problem"],
                row["repeat"],
                row["grade"]["is_right"] if row["grade"] else None,
                row["thinking_tokens"],
                row["answer_tokens"],
                row["seconds"],
                final is not None and final["rule"] != NONE,
                row["hit_cap"],
                row["error"] is not None,
                None if final is None else final["answer"],
            )
        )
    rows.sort(key=lambda row: (row[0], row[1]))
    columns = list(zip(*rows, strict=True)) if rows else [()] * 10
    return RunTable(
        config=description["config"],
        benchmark_sha256=description["benchmark"]["sha256"],
        name=folder.name,
        problem=list(columns[0]),
        repeat=list(columns[1]),
        is_right=list(columns[2]),
        thinking_tokens=np.array(columns[3], dtype=np.int64),
        answer_tokens=np.array(columns[4], dtype=np.int64),
        seconds=np.array(columns[5], dtype=np.float64),
        has_answer=np.array(columns[6], dtype=bool),
        hit_cap=np.array(columns[7], dtype=bool),
        has_error=np.array(columns[8], dtype=bool),
        answers=list(columns[9]),
        account=account,
        extraction_rules=dict(extraction),
        grading_rules=dict(grading),
    )


def summarise(table: RunTable, *, num_problems: int, num_repeats: int) -> dict[str, Any]:
    """The run's figures as JSON; shares from 0 to 1, intervals of 95%.

    Args:
        num_problems, num_repeats: that the run is to have; a run that is not complete says so.
    """
    total = num_problems * num_repeats
    summary: dict[str, Any] = {
        "name": table.name,
        "is_complete": len(table) == total,
        "num_trials": total,
        "num_done": len(table),
        "num_failed": int(table.has_error.sum()),
        "num_problems": num_problems,
        "num_repeats": num_repeats,
        "account": asdict(table.account),
        "extraction_rules": dict(table.extraction_rules),
        "grading_rules": dict(table.grading_rules),
    }
    if not len(table):
        return summary
    seed = int(table.config["seed"])
    summary["accuracy"] = _accuracy(table, seed)
    served = ~table.has_error
    if served.any():
        budget = budget_of(table.config["method"])
        statistics = run_statistics(
            table.thinking_tokens[served],
            table.answer_tokens[served],
            has_answer=table.has_answer[served],
            is_graded=np.array([grade is not None for grade in table.is_right])[served],
            hit_cap=table.hit_cap[served],
            max_thinking_tokens=budget,
        )
        summary["statistics"] = asdict(statistics)
        summary["seconds_mean"] = round(float(table.seconds[served].mean()), 3)
    if num_repeats > 1:
        summary |= _at_k(table, num_repeats)
    return summary


def budget_of(method: Mapping[str, Any]) -> int | None:
    """The most thinking tokens that a method allows one sample; None for no cap."""
    cap = method.get("max_thinking_tokens")
    forcing = method.get("forcing")
    if cap is None and forcing is not None:
        cap = forcing["max_thinking_tokens"]
        if cap is None and method["name"] == "token_conditional":
            cap = method["num_tokens"]
    samples = method.get("num_samples", 1)
    return None if cap is None or samples > 1 else int(cap)


def _accuracy(table: RunTable, seed: int) -> dict[str, Any]:
    """Over what is graded; `low` and `high` of the bounds count what is not as wrong and as right."""
    found = accuracy(table.is_right)
    means = [mean for mean in table.by_problem().values() if mean is not None]
    interval: Interval | None = None
    if means:
        shares = np.array([share for _, share in means])
        interval = bootstrap_mean(shares, seed=seed)
        if interval.low == interval.high and ((shares == 0) | (shares == 1)).all():
            # all alike: no resample differs, and the score interval says more
            interval = wilson(int(shares.sum()), len(shares))
    return {**asdict(found), "interval": None if interval is None else asdict(interval)}


def _at_k(table: RunTable, num_repeats: int) -> dict[str, Any]:
    """cov@k and maj@k of every k, over the problems whose repeats are all there and graded."""
    rows: dict[str, list[int]] = {}
    for place, problem in enumerate(table.problem):
        rows.setdefault(problem, []).append(place)
    whole = [
        places
        for places in rows.values()
        if len(places) == num_repeats and all(table.is_right[place] is not None for place in places)
    ]
    if not whole:
        return {}
    is_right = np.array([[table.is_right[place] for place in places] for places in whole], dtype=bool)
    figures = {"coverage_at_k": coverage_at_k(is_right).tolist()}
    if num_repeats <= MAX_SAMPLES:
        groups = np.array([_groups(table, places) for places in whole])
        figures["majority_at_k"] = majority_at_k(groups, is_right).mean(axis=0).tolist()
    return figures


def _groups(table: RunTable, places: list[int]) -> list[int]:
    """The trials' answers by number: all right ones are one answer, and no wrong one is among them."""
    groups = group_answers([table.answers[place] for place in places])
    right = max(groups) + 1
    return [right if table.is_right[place] else group for place, group in zip(places, groups, strict=True)]
