"""Intervals that hold what they promise, and tests against counting."""

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.intervals import (
    Interval,
    bootstrap_difference,
    bootstrap_mean,
    mcnemar,
    resampled_means,
    wilson,
)


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def slow_bootstrap(values: list[list[float]], seed: int, num_resamples: int) -> list[float]:
    """Value by value, with a generator of its own."""
    rng = generator(seed)
    means = []
    for _ in range(num_resamples):
        drawn = []
        for _ in values:
            row = values[int(rng.integers(len(values)))]
            drawn += [row[int(rng.integers(len(row)))] for _ in row]
        means.append(sum(drawn) / len(drawn))
    return means


@pytest.mark.parametrize("is_binary", [False, True])
@pytest.mark.parametrize("num_repeats", [1, 4])
def test_the_interval_is_that_of_a_slow_bootstrap(num_repeats: int, is_binary: bool) -> None:
    values = generator(1).random((12, num_repeats)) ** 2
    values = (values > 0.3).astype(float) if is_binary else values
    found = bootstrap_mean(values, seed=2, num_resamples=20_000)
    slow = slow_bootstrap(values.tolist(), 3, 4_000)
    assert found.value == pytest.approx(values.mean())
    width = found.high - found.low
    assert found.low == pytest.approx(np.percentile(slow, 2.5), abs=0.06 * width)
    assert found.high == pytest.approx(np.percentile(slow, 97.5), abs=0.06 * width)


def test_few_problems_have_the_interval_of_every_possible_draw() -> None:
    values = [0.0, 0.0, 1.0, 1.0, 1.0]
    draws = sorted(sum(draw) / 5 for draw in product(values, repeat=5))
    found = bootstrap_mean(np.array(values), seed=0, num_resamples=100_000, level=0.8)
    assert (found.low, found.high) == (np.percentile(draws, 10), np.percentile(draws, 90))


def test_repeats_widen_the_interval_by_their_own_noise() -> None:
    """Problems all alike, so that repeats alone differ: problems' means hold their noise once, drawn ones again."""
    rng = generator(7)
    values = rng.random((200, 8)) < 0.5
    problems_alone = bootstrap_mean(values.mean(axis=1), seed=1)
    both = bootstrap_mean(values, seed=1)
    ratio = (both.high - both.low) / (problems_alone.high - problems_alone.low)
    # var of a problem's mean 1/32, and 7/8 of the same again from its repeats: sqrt(1 + 7/8)
    assert ratio == pytest.approx(math.sqrt(1 + 7 / 8), rel=0.08)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """300 benchmarks of 200 problems with a known accuracy; exact coverage would be 95%, with a deviation of 1.3%."""
    rng = generator(11)
    covered = 0
    for trial in range(300):
        found = bootstrap_mean(rng.random(200) < 0.7, seed=trial, num_resamples=1_000)
        covered += found.low <= 0.7 <= found.high
    assert 0.91 <= covered / 300 <= 0.985


def test_the_paired_interval_covers_the_true_difference_as_often_as_it_says() -> None:
    rng = generator(13)
    covered = 0
    for trial in range(300):
        base = rng.random(150)
        first, second = base < 0.6, (base < 0.5) ^ (rng.random(150) < 0.05)
        truth = 0.6 - (0.5 * 0.95 + 0.5 * 0.05)
        found = bootstrap_difference(first, second, seed=trial, num_resamples=1_000)
        covered += found.low <= truth <= found.high
    assert 0.91 <= covered / 300 <= 0.985


def test_pairing_removes_what_the_runs_share() -> None:
    hard = generator(5).random(400) < 0.5
    better = hard.copy()
    better[:8] = True
    paired = bootstrap_difference(better, hard, seed=1)
    alone = bootstrap_mean(better, seed=1)
    assert paired.value == pytest.approx(better.mean() - hard.mean())
    assert paired.high - paired.low < 0.5 * (alone.high - alone.low)
    assert bootstrap_difference(hard, hard, seed=1) == Interval(0.0, 0.0, 0.0, 0.95)


def test_a_paired_difference_without_repeats_is_the_bootstrap_of_the_differences() -> None:
    first, second = generator(1).random(30), generator(2).random(30)
    found = bootstrap_difference(first, second, seed=4)
    expected = bootstrap_mean(first - second, seed=4)
    assert found.value == pytest.approx(expected.value)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_runs_of_a_difference_may_have_other_numbers_of_repeats() -> None:
    first, second = generator(1).random((40, 3)), generator(2).random((40, 5)) / 2
    found = bootstrap_difference(first, second, seed=4)
    assert found.value == pytest.approx(first.mean() - second.mean())
    assert found.low < found.value < found.high
    one_each = bootstrap_difference(first.mean(axis=1), second.mean(axis=1), seed=4)
    assert found.high - found.low > one_each.high - one_each.low


def test_counting_the_right_repeats_of_a_difference_draws_as_drawing_them_does() -> None:
    """Bool tables take another way than numbers; a table of 1s and 2s is the same one, and numbers."""
    first, second = generator(1).random((40, 3)) < 0.6, generator(2).random((40, 5)) < 0.4
    counted = bootstrap_difference(first, second, seed=4, num_resamples=40_000)
    drawn = bootstrap_difference(first + 1.0, second + 1.0, seed=4, num_resamples=40_000)
    width = counted.high - counted.low
    assert counted.value == pytest.approx(drawn.value)
    assert counted.low == pytest.approx(drawn.low, abs=0.04 * width)
    assert counted.high == pytest.approx(drawn.high, abs=0.04 * width)


def test_the_same_seed_gives_the_same_interval_and_another_one_does_not() -> None:
    values = generator(1).random(50)
    assert bootstrap_mean(values, seed=1) == bootstrap_mean(values, seed=1)
    assert bootstrap_mean(values, seed=1) != bootstrap_mean(values, seed=2)


def test_drawing_in_pieces_leaves_no_resample_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference.intervals._PIECE", 100)
    values = generator(1).random((30, 2)) + 5
    for found in (
        bootstrap_mean(values, seed=1, num_resamples=1_001),
        bootstrap_difference(values + 10, values, seed=1, num_resamples=1_001),
    ):
        assert found.low > 4
        assert found.high < 16
    assert (resampled_means([values[:, 0]], seed=1, num_resamples=1_001) > 4).all()


def test_all_runs_of_a_curve_see_the_same_draw() -> None:
    values = generator(1).random(20)
    means = resampled_means([values, 2 * values, 1 - values], seed=3, num_resamples=500)
    assert means.shape == (500, 3)
    np.testing.assert_allclose(means[:, 1], 2 * means[:, 0])
    np.testing.assert_allclose(means[:, 2], 1 - means[:, 0])
    assert np.percentile(means[:, 0], 50) == pytest.approx(values.mean(), abs=0.02)
    assert means[:, 0].std() == pytest.approx(values.std() / math.sqrt(20), rel=0.15)


@pytest.mark.parametrize("value", [0, 1])
def test_one_problem_and_all_alike_give_a_point_and_no_nan(value: int) -> None:
    point = Interval(float(value), float(value), float(value), 0.95)
    assert bootstrap_mean(np.array([value]), seed=0) == point
    assert bootstrap_mean(np.full((30, 2), bool(value)), seed=0) == point


def test_wilson_inverts_the_score_test_at_both_ends() -> None:
    found = wilson(15, 30)
    for end in (found.low, found.high):
        score = abs(0.5 - end) / math.sqrt(end * (1 - end) / 30)
        assert score == pytest.approx(1.959964, abs=1e-5)
    assert wilson(30, 30).high == 1.0
    assert wilson(30, 30).low == pytest.approx(30 / (30 + 1.959964**2), abs=1e-6)
    assert wilson(0, 30).low == 0.0
    assert wilson(15, 30, level=0.99).low < found.low


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12))
def test_mcnemar_is_the_share_of_signs_as_uneven_as_those_seen(pairs: list[tuple[bool, bool]]) -> None:
    """Every way in which the differing problems could have gone, counted."""
    first, second = np.array(pairs).T
    found = mcnemar(first, second)
    signs = [1 if ours else -1 for ours, theirs in pairs if ours != theirs]
    ways = [abs(sum(way)) >= abs(sum(signs)) for way in product((-1, 1), repeat=len(signs))]
    assert found.p_value == pytest.approx(float(Fraction(sum(ways), len(ways))))
    assert (found.only_first, found.only_second) == (signs.count(1), signs.count(-1))


def test_mcnemar_of_many_problems_is_still_exact() -> None:
    first = np.arange(20_000) < 10_200
    found = mcnemar(first, ~first)
    # 400 more of 20,000 is 2.83 deviations
    assert found.p_value == pytest.approx(math.erfc(399 / math.sqrt(20_000) / math.sqrt(2)), rel=1e-3)
    assert mcnemar(np.ones(5_000, dtype=bool), np.zeros(5_000, dtype=bool)).p_value == 0.0


BOOLS = np.array([True, False])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: bootstrap_mean(np.array([]), seed=0), "values have shape .0,.; give problems"),
        (lambda: bootstrap_mean(np.array([1.0, np.nan]), seed=0), "a value is not finite; leave out"),
        (lambda: bootstrap_mean(BOOLS, seed=0, num_resamples=0), "num_resamples=0 is out of range; give 1 or more"),
        (lambda: bootstrap_mean(BOOLS, seed=0, level=95), "level=95 is out of range; give a share between 0 and 1"),
        (lambda: bootstrap_difference(BOOLS, BOOLS[:1], seed=0), "shapes .2,. and .1,.; give the same problems"),
        (lambda: resampled_means([], seed=0), "give the same problems in all"),
        (lambda: resampled_means([BOOLS, BOOLS[:1]], seed=0), "give the same problems in all"),
        (lambda: wilson(3, 2), "3 right of 2 problems; give 0 to all of one or more"),
        (lambda: wilson(0, 0), "0 right of 0 problems"),
        (lambda: wilson(1, 2, level=1.0), "level=1.0 is out of range"),
        (lambda: mcnemar(BOOLS, BOOLS[:1]), "give two bool arrays of the same one or more problems"),
        (lambda: mcnemar(BOOLS.astype(int), BOOLS), "the runs are int64 .2,. and bool .2,.; give two bool arrays"),
    ],
)
def test_what_cannot_be_resampled_says_why_in_one_line(call, said) -> None:
    with pytest.raises(ValueError, match=said) as error:
        call()
    assert "\n" not in str(error.value)
