"""How sure a figure is: bootstrap intervals, and whether two runs differ (s1 §5.1, table 2).

Generators are PCG64 of an explicit seed: the same values and seed give the same interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

# as many as the paper draws
NUM_RESAMPLES = 10_000
# values are drawn in pieces of so many, 16 MB
_PIECE = 2_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the central `level` of its resampled values, in the figure's own unit."""

    value: float
    low: float
    high: float
    level: float


@dataclass(frozen=True, slots=True)
class McNemar:
    """Attributes:
    only_first, only_second: problems that just one of the runs solves.
    p_value: two-sided and exact; 1.0 where the runs solve the same problems.
    """

    only_first: int
    only_second: int
    p_value: float


def bootstrap_mean(
    values: np.ndarray, *, seed: int, num_resamples: int = NUM_RESAMPLES, level: float = 0.95
) -> Interval:
    """Percentile bootstrap of a mean over problems, and over repeats within them.

    Accuracy, cov@k, maj@k and mean tokens all are means over problems. Problems are drawn with replacement; with
    repeats, those of each drawn problem are then drawn with replacement, too (two-stage bootstrap, Davison and
    Hinkley 1997, §3.8), anew each time the problem is drawn.

    Where all values are equal, as on a benchmark that is solved whole, no resample differs and the interval is a
    point: then `wilson` says more.

    Args:
        values: shape (num_problems,) or (num_problems, num_repeats); bool or numbers.
        seed: of PCG64.
        level: share of the resampled means between low and high.

    Raises:
        ValueError: no value, one that is not finite, or an option out of range.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2 or not table.size:
        raise ValueError(f"values have shape {np.shape(values)}; give problems, or problems by repeats, one or more")
    _check(table, num_resamples, level)
    rng = np.random.Generator(np.random.PCG64(seed))
    if _is_binary(table):
        return _interval(float(table.mean()), _binary_means(table, rng, num_resamples), level)
    means = np.empty(num_resamples)
    for start, size in _pieces(num_resamples, table.size):
        drawn = rng.integers(len(table), size=(size, len(table)))
        means[start : start + size] = _drawn_means(table, drawn, rng)
    return _interval(float(table.mean()), means, level)


def bootstrap_difference(
    first: np.ndarray, second: np.ndarray, *, seed: int, num_resamples: int = NUM_RESAMPLES, level: float = 0.95
) -> Interval:
    """Paired bootstrap of mean(first) - mean(second): the same problems are drawn from both runs (s1 §5.1, table 2).

    Args:
        first, second: shape (num_problems,) or (num_problems, num_repeats); row i is the same problem in both. The
            runs may differ in their repeats, which are drawn apart.

    Raises:
        ValueError: other numbers of problems; else as `bootstrap_mean`.
    """
    tables = [np.asarray(values, dtype=np.float64) for values in (first, second)]
    tables = [table[:, None] if table.ndim == 1 else table for table in tables]
    if any(table.ndim != 2 or not table.size for table in tables) or len(tables[0]) != len(tables[1]):
        shapes = f"{np.shape(first)} and {np.shape(second)}"
        raise ValueError(f"the runs have shapes {shapes}; give the same problems in both, one or more")
    for table in tables:
        _check(table, num_resamples, level)
    rng = np.random.Generator(np.random.PCG64(seed))
    num_problems = len(tables[0])
    differences = np.zeros(num_resamples)
    for start, size in _pieces(num_resamples, max(table.size for table in tables)):
        drawn = rng.integers(num_problems, size=(size, num_problems))
        for sign, table in zip((1, -1), tables, strict=True):
            differences[start : start + size] += sign * _drawn_means(table, drawn, rng)
    return _interval(float(tables[0].mean() - tables[1].mean()), differences, level)


def resampled_means(runs: Sequence[np.ndarray], *, seed: int, num_resamples: int = NUM_RESAMPLES) -> np.ndarray:
    """Means of several runs over the same drawn problems, for figures of a whole curve.

    Args:
        runs: arrays of shape (num_problems,); row i is the same problem in all.

    Returns:
        shape (num_resamples, num_runs).

    Raises:
        ValueError: as `bootstrap_difference`.
    """
    if not runs or len({np.shape(run) for run in runs}) > 1 or np.ndim(runs[0]) != 1:
        raise ValueError(f"the runs have shapes {[np.shape(run) for run in runs]}; give the same problems in all")
    table = np.stack([np.asarray(run, dtype=np.float64) for run in runs], axis=1)
    _check(table, num_resamples, 0.5)
    rng = np.random.Generator(np.random.PCG64(seed))
    num_problems = len(table)
    means = np.empty((num_resamples, len(runs)))
    for start, size in _pieces(num_resamples, num_problems):
        drawn = rng.integers(num_problems, size=(size, num_problems))
        # how often each problem was drawn, so that all runs are one product
        offsets = np.arange(size)[:, None] * num_problems
        counts = np.bincount((drawn + offsets).ravel(), minlength=size * num_problems).reshape(size, num_problems)
        means[start : start + size] = counts @ table / num_problems
    return means


def wilson(num_right: int, num_problems: int, *, level: float = 0.95) -> Interval:
    """Wilson's score interval of a share, one sample a problem (Wilson 1927); holds where all or none are right.

    Raises:
        ValueError: no problem, more right than there are, or a level out of range.
    """
    if num_problems < 1 or not 0 <= num_right <= num_problems:
        raise ValueError(f"{num_right} right of {num_problems} problems; give 0 to all of one or more")
    _check_level(level)
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share, width = num_right / num_problems, 1 + z * z / num_problems
    middle = (share + z * z / (2 * num_problems)) / width
    spread = z * sqrt(share * (1 - share) / num_problems + z * z / (4 * num_problems**2)) / width
    return Interval(share, max(0.0, middle - spread), min(1.0, middle + spread), level)


def mcnemar(first: np.ndarray, second: np.ndarray) -> McNemar:
    """Exact McNemar test between two runs with one sample a problem (McNemar 1947).

    Of the b + c problems that just one run solves, each run would have Binomial(b + c, 1/2): the p-value is
    min(1, 2 P(X <= min(b, c))), in whole numbers throughout. Runs with repeats: `bootstrap_difference`.

    Args:
        first, second: shape (num_problems,), bool; row i is the same problem in both.

    Raises:
        ValueError: the shapes differ, there is no problem, or a value is no bool.
    """
    ours, theirs = np.asarray(first), np.asarray(second)
    if (
        ours.dtype != np.bool_
        or theirs.dtype != np.bool_
        or ours.ndim != 1
        or ours.shape != theirs.shape
        or not ours.size
    ):
        came = f"{ours.dtype} {ours.shape} and {theirs.dtype} {theirs.shape}"
        raise ValueError(f"the runs are {came}; give two bool arrays of the same one or more problems")
    only_first, only_second = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    total = only_first + only_second
    ways, tail = 1, 0
    for number in range(min(only_first, only_second) + 1):
        tail += ways
        ways = ways * (total - number) // (number + 1)
    return McNemar(only_first, only_second, min(1.0, 2 * tail / 2**total))


def percentiles(values: np.ndarray, level: float) -> tuple[float, float]:
    """The central `level` of the values, NaN left out; NaN for both where nothing is left."""
    tail = 50.0 * (1.0 - level)
    known = values[~np.isnan(values)]
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.percentile(known, [tail, 100.0 - tail])
    return float(low), float(high)


def _is_binary(table: np.ndarray) -> bool:
    return bool(((table == 0) | (table == 1)).all())


def _binary_means(table: np.ndarray, rng: np.random.Generator, num_resamples: int) -> np.ndarray:
    """The same draws by counting: problems with the same number of right repeats are alike.

    How many are drawn of each such level is multinomial, and how many of their repeats are right binomial.
    """
    num_problems, num_repeats = table.shape
    levels, sizes = np.unique(table.sum(axis=1), return_counts=True)
    drawn = rng.multinomial(num_problems, sizes / num_problems, size=num_resamples)
    right = rng.binomial(drawn * num_repeats, levels / num_repeats)
    return np.asarray(right.sum(axis=1) / table.size)


def _drawn_means(table: np.ndarray, drawn: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Means over drawn problems, of whose repeats as many are drawn as there are; shape (num_resamples,)."""
    num_repeats = table.shape[1]
    if num_repeats == 1:
        return np.asarray(table[drawn, 0].mean(axis=1))
    if _is_binary(table):
        return np.asarray(rng.binomial(num_repeats, table.mean(axis=1)[drawn]).mean(axis=1) / num_repeats)
    repeats = rng.integers(num_repeats, size=(*drawn.shape, num_repeats))
    return np.asarray(table[drawn[:, :, None], repeats].mean(axis=(1, 2)))


def _interval(value: float, means: np.ndarray, level: float) -> Interval:
    low, high = percentiles(means, level)
    return Interval(value, low, high, level)


def _pieces(num_resamples: int, size: int) -> list[tuple[int, int]]:
    step = max(1, _PIECE // size)
    return [(start, min(step, num_resamples - start)) for start in range(0, num_resamples, step)]


def _check(table: np.ndarray, num_resamples: int, level: float) -> None:
    if not np.isfinite(table).all():
        raise ValueError("a value is not finite; leave out what was not measured, or count it")
    if num_resamples < 1:
        raise ValueError(f"num_resamples={num_resamples} is out of range; give 1 or more")
    _check_level(level)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level={level} is out of range; give a share between 0 and 1, such as 0.95")
