"""Accuracy, a run's statistics, and the paper's three figures of a method: Control, Scaling, Performance (s1 §3.2).

Compute is mean thinking tokens. Accuracy is a share from 0 to 1; Performance is in percent. The paper prints Scaling
without a unit; here it is percentage points per 1,000 thinking tokens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inference.intervals import NUM_RESAMPLES, Interval, percentiles, resampled_means

TRUNCATION = "truncation"
WAIT = "wait"
# neither capped nor extended: where the two arms of budget forcing meet
FREE = "free"
ARMS = (TRUNCATION, FREE, WAIT)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Attributes:
    value: right over graded; None where nothing was graded.
    low, high: what it would be if every sample that was not graded were wrong, or right; both equal value where all
        were graded. This is no interval of chance: see `intervals.bootstrap_mean`.
    """

    value: float | None
    low: float
    high: float
    num_right: int
    num_graded: int
    num_samples: int


def accuracy(grades: Sequence[bool | None]) -> Accuracy:
    """Share of samples that are right (s1 §4.1); a sample without an answer is a wrong one, graded by that rule.

    Args:
        grades: one a sample; None for not graded, which is left out and bounded instead.

    Raises:
        ValueError: no sample.
    """
    if not grades:
        raise ValueError("no sample; accuracy needs one or more")
    right = sum(grade is True for grade in grades)
    graded = sum(grade is not None for grade in grades)
    ungraded = len(grades) - graded
    value = right / graded if graded else None
    return Accuracy(value, right / len(grades), (right + ungraded) / len(grades), right, graded, len(grades))


def control(
    thinking_tokens: Sequence[float] | np.ndarray,
    *,
    at_most: Sequence[float] | np.ndarray | float | None = None,
    at_least: Sequence[float] | np.ndarray | float | None = None,
) -> float:
    """Control: the share of runs with a_min <= a <= a_max (s1 §3.2, equation 1).

    How the paper counted (appendix E.1): token-conditional, at_most = the tokens asked for; step-conditional,
    at_most = 100 x the steps asked for; class-conditional, for the short prompt at_most and for the long prompt
    at_least = the mean tokens without a prompt.

    Args:
        thinking_tokens: mean thinking tokens a of each run.
        at_most, at_least: one number for all runs, or one each; inf and -inf for a run without that limit.

    Raises:
        ValueError: no run, no limit at all, other numbers of limits than runs, or a number that is NaN.
    """
    tokens = _numbers(thinking_tokens, "thinking_tokens")
    if at_most is None and at_least is None:
        raise ValueError("no limit; Control needs at_most, at_least or both")
    is_within = np.ones(len(tokens), dtype=bool)
    for name, limit, sign in (("at_most", at_most, 1.0), ("at_least", at_least, -1.0)):
        if limit is None:
            continue
        limits = np.asarray(limit, dtype=np.float64)
        if limits.shape not in ((), tokens.shape) or np.isnan(limits).any():
            raise ValueError(f"{name} is {limit!r:.80}; give one number, or one for each of {len(tokens)} runs")
        is_within &= sign * tokens <= sign * limits
    return float(is_within.mean())


def scaling(thinking_tokens: np.ndarray | Sequence[float], accuracies: np.ndarray | Sequence[float]) -> float | None:
    """Scaling: the mean slope over all pairs of runs b > a, (f(b) - f(a)) / (b - a) (s1 §3.2, equation 2).

    In percentage points per 1,000 thinking tokens. Two runs of equal compute are no pair b > a.

    Args:
        thinking_tokens: mean thinking tokens of each run, shape (num_runs,).
        accuracies: shares from 0 to 1, the same runs.

    Returns:
        None where no two runs differ in compute: there is no slope, which is not a slope of 0.

    Raises:
        ValueError: no run, other lengths, or a number that is not finite.
    """
    tokens, values = _runs(thinking_tokens, accuracies)
    [slope] = _scalings(tokens[None], values[None])
    return None if np.isnan(slope) else float(slope)


def performance(accuracies: np.ndarray | Sequence[float]) -> float:
    """Performance: the highest accuracy of any run, in percent (s1 §3.2, equation 3).

    The best of several runs flatters: its interval (`measure_curve`) takes the maximum anew in every resample, and so
    leans upwards, too.

    Raises:
        ValueError: no run, or a number that is not finite.
    """
    return 100.0 * float(_numbers(accuracies, "accuracies").max())


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a method over a benchmark's problems; of several repeats, a problem's means.

    Attributes:
        thinking_tokens: shape (num_problems,).
        is_right: shape (num_problems,): shares from 0 to 1, or bool.
        arm: `truncation` where thinking is capped, `wait` where its end is suppressed, `free` where neither.
        at_most, at_least: limits of mean thinking tokens for Control; None for none.
    """

    name: str
    thinking_tokens: np.ndarray
    is_right: np.ndarray
    arm: str = FREE
    at_most: float | None = None
    at_least: float | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """The three figures over a set of runs.

    Attributes:
        names: the runs, by increasing compute.
        points: (mean thinking tokens, accuracy from 0 to 1) of each, in that order.
        control: share from 0 to 1, over the runs that have a limit; None where none has.
        scaling: percentage points per 1,000 thinking tokens; None where no two runs differ in compute.
        performance: percent.
    """

    names: tuple[str, ...]
    points: tuple[tuple[Interval, Interval], ...]
    control: Interval | None
    scaling: Interval | None
    performance: Interval


def measure_curve(
    runs: Sequence[Run], *, seed: int, num_resamples: int = NUM_RESAMPLES, level: float = 0.95
) -> Curve:
    """Control, Scaling and Performance with bootstrap intervals over problems (s1 §3.2, table 3).

    Each resample draws problems once for all runs, and computes all points and figures from the same draw: runs on
    the same problems rise and fall together.

    Raises:
        ValueError: no run, runs on other numbers of problems, two of one name, an unknown arm, or a number that is
            not finite.
    """
    names = [run.name for run in runs]
    if not runs or len(set(names)) < len(names):
        raise ValueError(f"runs are {names!r:.120}; give one or more, of different names")
    for run in runs:
        if run.arm not in ARMS:
            raise ValueError(f"arm={run.arm!r} of run {run.name!r} is not known; allowed: {', '.join(ARMS)}")
    ordered = sorted(runs, key=lambda run: float(np.mean(run.thinking_tokens)))
    columns = [np.asarray(values) for run in ordered for values in (run.thinking_tokens, run.is_right)]
    drawn = resampled_means(columns, seed=seed, num_resamples=num_resamples)
    tokens, values = drawn[:, ::2], drawn[:, 1::2]
    means = np.array([[column.mean() for column in columns]], dtype=np.float64)
    mean_tokens, mean_values = means[:, ::2], means[:, 1::2]

    def interval(value: float, resampled: np.ndarray) -> Interval:
        return Interval(value, *percentiles(resampled, level), level)

    points = tuple(
        (
            interval(float(mean_tokens[0, place]), tokens[:, place]),
            interval(float(mean_values[0, place]), values[:, place]),
        )
        for place in range(len(ordered))
    )
    limited = [place for place, run in enumerate(ordered) if (run.at_most, run.at_least) != (None, None)]
    low = np.array([-np.inf if ordered[place].at_least is None else ordered[place].at_least for place in limited])
    high = np.array([np.inf if ordered[place].at_most is None else ordered[place].at_most for place in limited])

    def controls(table: np.ndarray) -> np.ndarray:
        return np.asarray(((table[:, limited] >= low) & (table[:, limited] <= high)).mean(axis=1))

    slope = float(_scalings(mean_tokens, mean_values)[0])
    return Curve(
        names=tuple(run.name for run in ordered),
        points=points,
        control=interval(float(controls(mean_tokens)[0]), controls(tokens)) if limited else None,
        scaling=None if np.isnan(slope) else interval(slope, _scalings(tokens, values)),
        performance=interval(100.0 * float(mean_values.max()), 100.0 * values.max(axis=1)),
    )


def measure_arms(
    runs: Sequence[Run], *, seed: int, num_resamples: int = NUM_RESAMPLES, level: float = 0.95
) -> Mapping[str, Curve]:
    """Budget forcing's two arms apart, and together: `truncation` (caps), `wait` (suppressions), `all`.

    Caps and Waits scale by different means, one by cutting thinking off and one by prolonging it (s1 §4.2, figure 4):
    one slope over both hides where either flattens. A run that is neither belongs to both arms. An arm without a run
    of its own is left out.

    Raises:
        ValueError: as `measure_curve`.
    """
    curves = {"all": measure_curve(runs, seed=seed, num_resamples=num_resamples, level=level)}
    for arm in (TRUNCATION, WAIT):
        if any(run.arm == arm for run in runs):
            members = [run for run in runs if run.arm in (arm, FREE)]
            curves[arm] = measure_curve(members, seed=seed, num_resamples=num_resamples, level=level)
    return curves


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean, least and most of a count over a run's samples."""

    mean: float
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class RunStatistics:
    """What a run's samples say beside their accuracy (s1 §4.1; spec section 7). Shares are of all samples, 0 to 1.

    Attributes:
        thinking_tokens, answer_tokens: in tokens.
        share_without_answer: no rule found an answer.
        share_not_graded: nothing could decide; an answer that is missing is graded.
        share_at_cap: thinking was ended by force.
        share_outside_budget: thinking tokens below the least or above the most allowed; None without a budget.
    """

    num_samples: int
    thinking_tokens: Spread
    answer_tokens: Spread
    share_without_answer: float
    share_not_graded: float
    share_at_cap: float
    share_outside_budget: float | None


def run_statistics(
    thinking_tokens: np.ndarray,
    answer_tokens: np.ndarray,
    *,
    has_answer: np.ndarray,
    is_graded: np.ndarray,
    hit_cap: np.ndarray,
    min_thinking_tokens: int | None = None,
    max_thinking_tokens: int | None = None,
) -> RunStatistics:
    """The statistics of a run's samples.

    Args:
        thinking_tokens, answer_tokens: shape (num_samples,), whole numbers.
        has_answer, is_graded, hit_cap: the same shape, bool.
        min_thinking_tokens, max_thinking_tokens: the budget, both ends within it; None for an open end.

    Raises:
        ValueError: no sample, other lengths, counts that are not whole or below 0, or flags that are not bool.
    """
    counts = {"thinking_tokens": np.asarray(thinking_tokens), "answer_tokens": np.asarray(answer_tokens)}
    flags = {
        name: np.asarray(flag)
        for name, flag in zip(("has_answer", "is_graded", "hit_cap"), (has_answer, is_graded, hit_cap), strict=True)
    }
    shape = counts["thinking_tokens"].shape
    for name, column in (counts | flags).items():
        if column.shape != shape or column.ndim != 1 or not column.size:
            raise ValueError(f"{name} has shape {column.shape}; give one value for each of one or more samples")
        is_flag = name in flags
        if not np.issubdtype(column.dtype, np.bool_ if is_flag else np.integer):
            raise ValueError(f"{name} is {column.dtype}; give {'bool' if is_flag else 'whole numbers'}")
        if not is_flag and column.min() < 0:
            raise ValueError(f"{name} holds {column.min()}; give 0 or more")
    tokens = counts["thinking_tokens"]
    outside = None
    if min_thinking_tokens is not None or max_thinking_tokens is not None:
        least = 0 if min_thinking_tokens is None else min_thinking_tokens
        most = np.inf if max_thinking_tokens is None else max_thinking_tokens
        outside = float(((tokens < least) | (tokens > most)).mean())
    return RunStatistics(
        num_samples=len(tokens),
        thinking_tokens=_spread(tokens),
        answer_tokens=_spread(counts["answer_tokens"]),
        share_without_answer=float((~flags["has_answer"]).mean()),
        share_not_graded=float((~flags["is_graded"]).mean()),
        share_at_cap=float(flags["hit_cap"].mean()),
        share_outside_budget=outside,
    )


def _spread(counts: np.ndarray) -> Spread:
    return Spread(float(counts.mean()), int(counts.min()), int(counts.max()))


def _scalings(tokens: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Scaling of each row; NaN where no two runs of it differ in compute. Shapes (num_rows, num_runs)."""
    first, second = np.triu_indices(tokens.shape[1], k=1)
    steps = tokens[:, second] - tokens[:, first]
    # a slope is the same from either end, so that the order of a pair is of no account
    rises = values[:, second] - values[:, first]
    is_pair = steps != 0
    slopes = np.divide(rises, steps, out=np.zeros_like(steps), where=is_pair)
    num_pairs = is_pair.sum(axis=1)
    totals = slopes.sum(axis=1)
    means = np.divide(totals, num_pairs, out=np.full(len(tokens), np.nan), where=num_pairs > 0)
    # shares to percentage points, tokens to thousands
    return np.asarray(means * 100.0 * 1000.0)


def _numbers(values: np.ndarray | Sequence[float], name: str) -> np.ndarray:
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or not numbers.size or not np.isfinite(numbers).all():
        raise ValueError(f"{name} is {values!r:.80}; give one finite number for each of one or more runs")
    return numbers


def _runs(
    thinking_tokens: np.ndarray | Sequence[float], accuracies: np.ndarray | Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    tokens, values = _numbers(thinking_tokens, "thinking_tokens"), _numbers(accuracies, "accuracies")
    if tokens.shape != values.shape:
        raise ValueError(f"{len(tokens)} runs have thinking_tokens and {len(values)} accuracies; give both for each")
    return tokens, values
