"""Accuracy, Control, Scaling, Performance and a run's statistics, against the paper's rules and slow twins."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.metrics import (
    ARMS,
    Accuracy,
    Run,
    Spread,
    accuracy,
    control,
    measure_arms,
    measure_curve,
    performance,
    run_statistics,
    scaling,
)

INF = math.inf
# class-conditional on AIME24: mean thinking tokens of the short and long prompt, and without one (s1 appendix E.1)
SHORT, LONG, DEFAULT = 8_033, 9_651, 6_109


def test_what_is_not_graded_is_left_out_and_bounds_the_accuracy() -> None:
    assert accuracy([True, False, None, True]) == Accuracy(2 / 3, 2 / 4, 3 / 4, 2, 3, 4)
    assert accuracy([None]) == Accuracy(None, 0.0, 1.0, 0, 0, 1)
    assert accuracy([True]) == Accuracy(1.0, 1.0, 1.0, 1, 1, 1)


def test_control_of_token_conditional_runs_counts_those_below_their_limit() -> None:
    """The paper's 2 of 5 (table 3): means that hardly follow the prompt, between the third limit and the fourth."""
    limits = [1_024, 2_048, 4_096, 8_192, 16_384]
    assert control([7_300, 7_100, 7_900, 7_400, 7_600], at_most=limits) == 2 / 5
    assert control([1_000, 2_048, 4_000, 7_400, 7_600], at_most=limits) == 1.0


def test_control_of_step_conditional_runs_takes_a_hundred_tokens_a_step() -> None:
    """The paper's 3 of 5 (table 3): 1,600 to 25,600 tokens for 16 to 256 steps; the two smallest are missed."""
    limits = [100 * steps for steps in (16, 32, 64, 128, 256)]
    assert control([4_000, 4_700, 5_900, 7_000, 7_500], at_most=limits) == 3 / 5


def test_control_of_class_conditional_runs_compares_with_no_prompt() -> None:
    """The paper's 1 of 2 (table 3): the short prompt should give fewer tokens than none, the long one more."""
    assert control([SHORT, LONG], at_most=[DEFAULT, INF], at_least=[-INF, DEFAULT]) == 1 / 2


def test_both_ends_of_a_limit_are_within_it() -> None:
    assert control([100, 200, 300], at_least=100, at_most=200) == 2 / 3


def slow_scaling(tokens: list[float], values: list[float]) -> float | None:
    slopes = []
    for (a, low), (b, high) in combinations(sorted(zip(tokens, values, strict=True)), 2):
        if b > a:
            slopes.append((high - low) / (b - a))
    return 100 * 1_000 * sum(slopes) / len(slopes) if slopes else None


RUNS = st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 30)), min_size=1, max_size=8)


@given(RUNS)
def test_scaling_is_the_mean_slope_over_all_pairs(runs: list[tuple[int, int]]) -> None:
    tokens, values = [float(run[0]) for run in runs], [run[1] / 30 for run in runs]
    expected = slow_scaling(tokens, values)
    found = scaling(tokens, values)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-6))


def test_scaling_is_in_percentage_points_per_thousand_tokens() -> None:
    assert scaling([1_000, 3_000], [0.30, 0.50]) == pytest.approx(10.0)
    assert scaling([3_000, 1_000], [0.30, 0.50]) == pytest.approx(-10.0)
    # (10 + 0 + 5) / 3: pairs count, not pieces of the line
    assert scaling([1_000, 2_000, 3_000], [0.1, 0.2, 0.2]) == pytest.approx(5.0)


def test_runs_of_equal_compute_have_no_slope_and_none_is_not_nought() -> None:
    assert scaling([1_000], [0.5]) is None
    assert scaling([1_000, 1_000], [0.5, 0.7]) is None
    assert scaling([1_000, 2_000], [0.5, 0.5]) == 0.0


def test_performance_is_the_best_run_in_percent() -> None:
    assert performance([0.5, 17 / 30, 0.4]) == pytest.approx(56.67, abs=0.01)


def make_runs() -> list[Run]:
    rng = np.random.Generator(np.random.PCG64(3))
    skill = rng.random(60)
    runs = []
    for name, tokens, level, arm in (
        ("cap 500", 480, 0.2, "truncation"),
        ("cap 2k", 1_800, 0.35, "truncation"),
        ("none", 6_000, 0.5, "free"),
        ("2x Wait", 7_000, 0.53, "wait"),
        ("4x Wait", 8_000, 0.53, "wait"),
    ):
        limit = {"cap 500": 500.0, "cap 2k": 1_700.0}.get(name)
        runs.append(Run(name, tokens + rng.normal(0, 30, 60), skill < level, arm=arm, at_most=limit))
    return runs


def test_a_curve_has_the_figures_of_its_points() -> None:
    runs = make_runs()
    curve = measure_curve(runs[::-1], seed=5, num_resamples=2_000)
    assert curve.names == tuple(run.name for run in runs)
    tokens = [float(run.thinking_tokens.mean()) for run in runs]
    values = [float(run.is_right.mean()) for run in runs]
    assert [point[0].value for point in curve.points] == pytest.approx(tokens)
    assert [point[1].value for point in curve.points] == pytest.approx(values)
    assert curve.scaling
    assert curve.scaling.value == pytest.approx(scaling(tokens, values))
    assert curve.performance.value == pytest.approx(performance(values))
    # two runs have a limit, and one of them keeps it
    assert curve.control
    assert curve.control.value == control(tokens[:2], at_most=[500, 1_700]) == 0.5


def test_a_curves_intervals_are_those_of_a_slow_bootstrap() -> None:
    runs = make_runs()
    curve = measure_curve(runs, seed=5, num_resamples=4_000)
    rng = np.random.Generator(np.random.PCG64(99))
    slopes, bests, kept = [], [], []
    for _ in range(2_000):
        drawn = [int(rng.integers(60)) for _ in range(60)]
        tokens = [float(np.mean([run.thinking_tokens[row] for row in drawn])) for run in runs]
        values = [float(np.mean([run.is_right[row] for row in drawn])) for run in runs]
        slopes.append(slow_scaling(tokens, values))
        bests.append(100 * max(values))
        kept.append(((tokens[0] <= 500) + (tokens[1] <= 1_700)) / 2)
    assert curve.scaling
    assert curve.control
    for interval, slow in ((curve.scaling, slopes), (curve.performance, bests), (curve.control, kept)):
        width = interval.high - interval.low
        assert interval.low == pytest.approx(np.percentile(slow, 2.5), abs=0.1 * width)
        assert interval.high == pytest.approx(np.percentile(slow, 97.5), abs=0.1 * width)


def test_the_arms_of_budget_forcing_stand_apart_and_share_the_free_run() -> None:
    curves = measure_arms(make_runs(), seed=1, num_resamples=200)
    assert {name: curve.names for name, curve in curves.items()} == {
        "all": ("cap 500", "cap 2k", "none", "2x Wait", "4x Wait"),
        "truncation": ("cap 500", "cap 2k", "none"),
        "wait": ("none", "2x Wait", "4x Wait"),
    }
    assert curves["wait"].control is None
    assert curves["truncation"].scaling
    assert curves["wait"].scaling
    assert curves["truncation"].scaling.value > 2 * curves["wait"].scaling.value


def test_an_arm_without_a_run_of_its_own_is_left_out() -> None:
    assert set(measure_arms(make_runs()[:3], seed=1, num_resamples=50)) == {"all", "truncation"}


def test_one_run_on_one_problem_has_points_and_no_slope() -> None:
    curve = measure_curve([Run("one", np.array([100]), np.array([True]))], seed=0, num_resamples=10)
    assert curve.scaling is None
    assert curve.control is None
    assert (curve.performance.low, curve.performance.value, curve.performance.high) == (100.0, 100.0, 100.0)


def test_resamples_in_which_two_runs_cost_the_same_leave_no_nan() -> None:
    """Runs that differ on one problem of three: in 8 of 27 draws it is absent and there is no slope."""
    first = Run("a", np.array([100, 100, 100]), np.array([True, False, False]))
    second = Run("b", np.array([100, 100, 130]), np.array([True, False, True]))
    curve = measure_curve([first, second], seed=0, num_resamples=500)
    assert curve.scaling
    assert curve.scaling.low == pytest.approx(curve.scaling.value)
    assert not math.isnan(curve.scaling.high)


def test_performance_takes_the_best_run_of_every_resample_anew() -> None:
    """Two runs that solve opposite halves: one of them has half or more right in every draw."""
    half = np.arange(40) < 20
    runs = [Run("a", np.full(40, 100), half), Run("b", np.full(40, 200), ~half)]
    curve = measure_curve(runs, seed=0, num_resamples=500)
    assert curve.performance.low >= 50.0
    assert curve.performance.high > 55.0
    assert curve.points[0][1].low < 0.45


def test_a_seed_decides_a_curves_intervals() -> None:
    runs = make_runs()
    one, again, other = (measure_curve(runs, seed=seed, num_resamples=200) for seed in (1, 1, 2))
    assert one == again
    assert one.points == again.points
    assert one.performance != other.performance or one.scaling != other.scaling


def test_a_runs_statistics_count_what_happened() -> None:
    found = run_statistics(
        np.array([10, 30, 20, 500]),
        np.array([1, 0, 3, 4]),
        has_answer=np.array([True, False, True, True]),
        is_graded=np.array([True, True, False, False]),
        hit_cap=np.array([False, False, False, True]),
        min_thinking_tokens=20,
        max_thinking_tokens=30,
    )
    assert found.num_samples == 4
    assert found.thinking_tokens == Spread(140.0, 10, 500)
    assert found.answer_tokens == Spread(2.0, 0, 4)
    shares = (found.share_without_answer, found.share_not_graded, found.share_at_cap, found.share_outside_budget)
    assert shares == (0.25, 0.5, 0.25, 0.5)


@pytest.mark.parametrize(("least", "most", "share"), [(None, None, None), (None, 20, 1 / 3), (20, None, 1 / 3)])
def test_an_open_budget_leaves_nothing_outside_at_that_end(least, most, share) -> None:
    flags = np.ones(3, dtype=bool)
    found = run_statistics(
        np.array([10, 20, 30]),
        np.array([1, 1, 1]),
        has_answer=flags,
        is_graded=flags,
        hit_cap=flags,
        min_thinking_tokens=least,
        max_thinking_tokens=most,
    )
    assert found.share_outside_budget == share


def statistics(tokens=(1, 2), answers=(1, 2), flag=(True, False)) -> object:
    columns = [np.array(values) for values in (tokens, answers, flag)]
    return run_statistics(columns[0], columns[1], has_answer=columns[2], is_graded=columns[2], hit_cap=columns[2])


def run(name="a", tokens=(1.0,), right=(True,), arm="free") -> Run:
    return Run(name, np.array(tokens), np.array(right), arm=arm)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: accuracy([]), "no sample; accuracy needs one or more"),
        (lambda: control([], at_most=1), "thinking_tokens is ..; give one finite number for each"),
        (lambda: control([1]), "no limit; Control needs at_most, at_least or both"),
        (lambda: control([1, 2], at_most=[1]), "at_most is .1.; give one number, or one for each of 2 runs"),
        (lambda: control([1], at_least=math.nan), "at_least is nan; give one number"),
        (lambda: scaling([1, 2], [0.5]), "2 runs have thinking_tokens and 1 accuracies; give both for each"),
        (lambda: scaling([1, math.nan], [0.5, 0.5]), "thinking_tokens is .*; give one finite number"),
        (lambda: performance([]), "accuracies is ..; give one finite number"),
        (lambda: measure_curve([], seed=0), "runs are ..; give one or more, of different names"),
        (lambda: measure_curve([run(), run()], seed=0), "of different names"),
        (
            lambda: measure_curve([run(arm="up")], seed=0),
            f"arm='up' of run 'a' is not known; allowed: {', '.join(ARMS)}",
        ),
        (lambda: measure_curve([run(), run("b", (1.0, 2.0), (True, True))], seed=0), "give the same problems in all"),
        (lambda: measure_curve([run(tokens=(math.nan,))], seed=0), "a value is not finite"),
        (lambda: statistics(tokens=()), "thinking_tokens has shape .0,.; give one value for each"),
        (lambda: statistics(answers=(1,)), "answer_tokens has shape .1,.; give one value for each"),
        (lambda: statistics(tokens=(1.5, 2.0)), "thinking_tokens is float64; give whole numbers"),
        (lambda: statistics(tokens=(-1, 2)), "thinking_tokens holds -1; give 0 or more"),
        (lambda: statistics(flag=(1, 0)), "has_answer is int64; give bool"),
    ],
)
def test_what_cannot_be_measured_says_why_in_one_line(call, said) -> None:
    with pytest.raises(ValueError, match=said) as error:
        call()
    assert "\n" not in str(error.value)
