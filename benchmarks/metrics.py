"""Metrics and grading: maj@k of 500 problems and 64 samples at every k, the bootstrap, and answers an hour."""

import math
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from inference.answers import extract_answer
from inference.intervals import bootstrap_mean, resampled_means
from inference.math_verifier import MathVerifier
from inference.voting import coverage_at_k, majority_at_k

PROBLEMS, SAMPLES, RESAMPLES = 500, 64, 10_000
# what plain Python takes is measured on so many problems or resamples, and scaled up
_SOME_PROBLEMS, _SOME_RESAMPLES = 100, 200


def measure() -> dict[str, Any]:
    """Seconds of each beside a plain way to the same figures, in the same process."""
    rng = np.random.Generator(np.random.PCG64(0))
    # easy and hard problems: the more certain the model is, the fewer different answers it gives
    groups = np.minimum(rng.geometric(rng.uniform(0.1, 0.9, PROBLEMS)[:, None], (PROBLEMS, SAMPLES)), 20) - 1
    is_right = groups == rng.integers(0, 3, PROBLEMS)[:, None]
    return {
        "majority": _majority(groups, is_right),
        "coverage": _coverage(is_right),
        "bootstrap": _bootstrap(is_right),
        "curve_of_20_runs_s": round(
            _seconds(lambda: resampled_means(list(is_right[:, :20].T), seed=0, num_resamples=RESAMPLES)), 3
        ),
        "grading": _grading(),
    }


def _majority(groups: np.ndarray, is_right: np.ndarray) -> dict[str, Any]:
    seconds = _seconds(lambda: majority_at_k(groups, is_right))
    exact, plain = _timed(
        lambda: [_plain_majority(*pair) for pair in zip(groups[:_SOME_PROBLEMS].tolist(), is_right, strict=False)]
    )
    found = majority_at_k(groups[:_SOME_PROBLEMS], is_right[:_SOME_PROBLEMS])
    draws = 100
    sampled, simulated = _timed(
        lambda: [_simulated_majority(*pair, draws) for pair in zip(groups[:3].tolist(), is_right, strict=False)]
    )
    plain_seconds = plain * PROBLEMS / _SOME_PROBLEMS
    return {
        "problems": PROBLEMS,
        "samples": SAMPLES,
        "seconds": round(seconds, 3),
        "plain_python_s": round(plain_seconds, 1),
        "times_faster": round(plain_seconds / seconds, 1),
        "largest_difference": float(np.abs(np.array(exact) - found).max()),
        # what most code does: draw subsets, and live with the noise
        "simulated_100_draws_s": round(simulated * PROBLEMS / 3, 1),
        "simulated_largest_error": round(float(np.abs(np.array(sampled) - found[:3]).max()), 3),
    }


def _coverage(is_right: np.ndarray) -> dict[str, Any]:
    seconds = _seconds(lambda: coverage_at_k(is_right))

    def plain() -> list[float]:
        counts = [int(row.sum()) for row in is_right]
        ks = range(1, SAMPLES + 1)
        return [sum(1 - math.comb(SAMPLES - c, k) / math.comb(SAMPLES, k) for c in counts) / PROBLEMS for k in ks]

    expected, plain_seconds = _timed(plain)
    return {
        "seconds": round(seconds, 5),
        "plain_python_s": round(plain_seconds, 4),
        "largest_difference": float(np.abs(coverage_at_k(is_right) - expected).max()),
    }


def _bootstrap(is_right: np.ndarray) -> dict[str, Any]:
    figures: dict[str, Any] = {"resamples": RESAMPLES}
    numbers = is_right * 1.5
    for name, table in (
        ("one_sample", is_right[:, :1]),
        ("64_repeats", is_right),
        ("numbers", numbers[:, 0]),
        ("numbers_4_repeats", numbers[:, :4]),
    ):
        seconds = _seconds(partial(bootstrap_mean, table, seed=0, num_resamples=RESAMPLES))
        rows = table.tolist() if table.ndim == 2 else [[value] for value in table.tolist()]
        some = _SOME_RESAMPLES if len(rows[0]) < 10 else _SOME_RESAMPLES // 10
        plain = _seconds(partial(_plain_bootstrap, rows, some)) * RESAMPLES / some
        # the loop over resamples that numpy code usually has
        numpy_loop = _seconds(partial(_numpy_bootstrap, table, some)) * RESAMPLES / some
        figures[name] = {
            "seconds": round(seconds, 4),
            "numpy_loop_s": round(numpy_loop, 3),
            "plain_python_s": round(plain, 1),
            "times_faster_than_numpy_loop": round(numpy_loop / seconds, 1),
        }
    return figures


def _grading() -> dict[str, Any]:
    """Answers that only mathematics decides, with two workers that have started."""
    pairs = [(f"\\frac{{{n}}}{{{n + 1}}}", f"{2 * n}/{2 * n + 2}") for n in range(1, 301)]
    text = "So $x = 3$ {and} \\frac{1}{2}.\n" * 4_000 + "\\boxed{\\frac{1}{2}}"
    with MathVerifier(num_workers=2) as verifier:
        first = _seconds(lambda: verifier.verify([("1/2", "0.5"), ("1/3", "0.5")]), repeats=1)
        grades, seconds = _timed(lambda: verifier.verify(pairs))
    assert all(grade.is_right for grade in grades)
    return {
        "start_s": round(first, 2),
        "pairs_a_second": round(len(pairs) / seconds, 1),
        "extraction_mb_a_second": round(len(text) / 1e6 / _seconds(lambda: extract_answer(text)), 1),
    }


def _plain_majority(labels: Sequence[int], is_right: np.ndarray) -> list[float]:
    """Exact, in whole numbers: for each vote count, the others one by one with the number of ties."""
    size = len(labels)
    votes = Counter(labels)
    right = {label for label, flag in zip(labels, is_right.tolist(), strict=True) if flag}
    wins = [0.0] * (size + 1)
    for name in right:
        for mine in range(1, votes[name] + 1):
            ways = {(0, 0): 1}
            for other, count in votes.items():
                if other == name:
                    continue
                new: dict[tuple[int, int], int] = {}
                for (drawn, ties), number in ways.items():
                    for more in range(min(count, mine) + 1):
                        key = drawn + more, ties + (more == mine)
                        new[key] = new.get(key, 0) + number * math.comb(count, more)
                ways = new
            for (drawn, ties), number in ways.items():
                if drawn + mine <= size:
                    wins[drawn + mine] += number * math.comb(votes[name], mine) / (ties + 1)
    return [wins[k] / math.comb(size, k) for k in range(1, size + 1)]


def _simulated_majority(labels: Sequence[int], is_right: np.ndarray, draws: int) -> list[float]:
    rng = random.Random(0)
    found = []
    for k in range(1, len(labels) + 1):
        hits = 0
        for _ in range(draws):
            places = rng.sample(range(len(labels)), k)
            best = Counter(labels[place] for place in places).most_common(1)[0][0]
            hits += bool(is_right[list(labels).index(best)])
        found.append(hits / draws)
    return found


def _plain_bootstrap(rows: list[list[float]], num_resamples: int) -> list[float]:
    rng = random.Random(0)
    means = []
    for _ in range(num_resamples):
        total = 0.0
        for _ in rows:
            row = rng.choice(rows)
            total += sum(rng.choices(row, k=len(row))) if len(row) > 1 else row[0]
        means.append(total / len(rows) / len(rows[0]))
    return sorted(means)


def _numpy_bootstrap(table: np.ndarray, num_resamples: int) -> tuple[float, float]:
    rng = np.random.Generator(np.random.PCG64(0))
    values = table if table.ndim == 2 else table[:, None]
    means = []
    for _ in range(num_resamples):
        drawn = values[rng.integers(len(values), size=len(values))]
        if values.shape[1] > 1:
            repeats = rng.integers(values.shape[1], size=drawn.shape)
            drawn = np.take_along_axis(drawn, repeats, axis=1)
        means.append(drawn.mean())
    return float(np.percentile(means, 2.5)), float(np.percentile(means, 97.5))


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def _seconds(work: Callable[[], object], repeats: int = 3) -> float:
    return min(_timed(work)[1] for _ in range(repeats))
