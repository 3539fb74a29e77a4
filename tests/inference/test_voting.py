"""pass@k, cov@k and maj@k against counting every draw."""

from collections import Counter
from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.voting import MAX_SAMPLES, coverage_at_k, majority_at_k, pass_at_k

PROBLEM = st.integers(1, 9).flatmap(
    lambda size: st.tuples(st.lists(st.integers(-1, 3), min_size=size, max_size=size), st.sets(st.integers(0, 3)))
)


def to_arrays(labels: list[int], right: set[int]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([labels]), np.array([[label in right for label in labels]])


def vote(labels: list[int], right: set[int]) -> Fraction:
    """One draw's vote; a tie counts by the share of right answers in it."""
    votes = Counter(label for label in labels if label != -1)
    best = [label for label, count in votes.items() if count == max(votes.values())]
    return Fraction(sum(label in right for label in best), len(best)) if best else Fraction(0)


def slow_majority(labels: list[int], right: set[int], k: int) -> Fraction:
    draws = [vote([labels[place] for place in draw], right) for draw in combinations(range(len(labels)), k)]
    return sum(draws, Fraction(0)) / len(draws)


@settings(max_examples=300, deadline=None)
@given(PROBLEM)
def test_majority_is_the_mean_over_every_draw(problem: tuple[list[int], set[int]]) -> None:
    labels, right = problem
    [found] = majority_at_k(*to_arrays(labels, right))
    expected = [float(slow_majority(labels, right, k)) for k in range(1, len(labels) + 1)]
    assert found == pytest.approx(expected, abs=1e-12)


@given(PROBLEM)
def test_pass_and_coverage_are_the_share_of_draws_with_a_right_sample(problem: tuple[list[int], set[int]]) -> None:
    labels, right = problem
    _, is_right = to_arrays(labels, right)
    for k in range(1, len(labels) + 1):
        draws = [any(is_right[0, list(draw)]) for draw in combinations(range(len(labels)), k)]
        assert pass_at_k(is_right.sum(axis=1), len(labels))[0, k - 1] == pytest.approx(sum(draws) / len(draws))
        assert coverage_at_k(is_right)[k - 1] == pytest.approx(sum(draws) / len(draws))


def test_many_problems_at_once_are_each_as_alone() -> None:
    rng = np.random.Generator(np.random.PCG64(3))
    labels = rng.integers(-1, 5, size=(40, 8))
    right = labels == rng.integers(0, 5, size=(40, 1))
    together = majority_at_k(labels, right)
    alone = np.concatenate([majority_at_k(labels[[row]], right[[row]]) for row in range(40)])
    np.testing.assert_allclose(together, alone, rtol=1e-13)
    assert len(np.unique(together[:, 4])) > 5


def test_sixty_four_samples_agree_with_exact_whole_numbers() -> None:
    """At this size draws cannot be listed: answers are counted one by one, in fractions."""
    own, others, blanks = 20, [18, 15, 6, 1], 4
    labels = np.repeat([0, 1, 2, 3, 4, -1], [own, *others, blanks])[None]
    found = majority_at_k(labels, labels == 0)[0]
    for k in (1, 2, 7, 20, 33, 50, 63, 64):
        total = Fraction(0)
        for votes in range(1, min(own, k) + 1):
            # by (drawn, ties): ways of drawing the other answers
            ways = {(0, 0): 1}
            for size in others:
                new: Counter[tuple[int, int]] = Counter()
                for (drawn, ties), count in ways.items():
                    for more in range(min(size, votes) + 1):
                        new[drawn + more, ties + (more == votes)] += count * comb(size, more)
                ways = new
            for (drawn, ties), count in ways.items():
                rest = k - votes - drawn
                if 0 <= rest <= blanks:
                    total += Fraction(count * comb(own, votes) * comb(blanks, rest), ties + 1)
        assert found[k - 1] == pytest.approx(float(total / comb(64, k)), rel=1e-10)


def test_one_sample_is_plain_accuracy_and_all_samples_are_one_vote() -> None:
    labels = np.array([[0, 0, 1, 2], [0, 1, 1, -1], [-1, -1, -1, 0], [-1, -1, -1, -1]])
    right = labels == np.array([[0], [0], [0], [0]])
    found = majority_at_k(labels, right)
    assert found[:, 0].tolist() == pytest.approx([0.5, 0.25, 0.25, 0.0])
    assert found[:, 3].tolist() == pytest.approx([1.0, 0.0, 1.0, 0.0])


def test_a_tie_counts_by_its_share_of_right_answers() -> None:
    labels = np.array([[0, 1]])
    assert majority_at_k(labels, labels == 0)[0].tolist() == pytest.approx([0.5, 0.5])
    labels = np.array([[0, 1, 2]])
    assert majority_at_k(labels, labels < 2)[0, 2] == pytest.approx(2 / 3)


def test_as_many_samples_as_allowed_lose_no_digits() -> None:
    labels = np.zeros((1, MAX_SAMPLES), dtype=int)
    labels[0, : MAX_SAMPLES // 2] = 1
    found = majority_at_k(labels, labels == 1)
    # two answers as frequent as one another: a coin at every k
    assert found[0] == pytest.approx(np.full(MAX_SAMPLES, 0.5), rel=1e-9)


def test_all_right_is_one_and_all_wrong_is_nothing() -> None:
    labels = np.zeros((3, 6), dtype=int)
    assert majority_at_k(labels, np.ones((3, 6), dtype=bool)).tolist() == pytest.approx(np.ones((3, 6)))
    assert majority_at_k(labels, np.zeros((3, 6), dtype=bool)).tolist() == np.zeros((3, 6)).tolist()
    assert coverage_at_k(np.ones((3, 6), dtype=bool)).tolist() == [1.0] * 6


def test_problems_may_have_different_numbers_of_samples() -> None:
    found = pass_at_k(np.array([1, 2]), np.array([2, 10]))
    assert found.shape == (2, 2)
    assert found.tolist() == [pytest.approx([0.5, 1.0]), pytest.approx([0.2, 1 - comb(8, 2) / comb(10, 2)])]


def test_only_the_first_k_are_given_where_asked() -> None:
    labels = np.array([[0, 0, 1, 2]])
    np.testing.assert_array_equal(
        majority_at_k(labels, labels == 0, max_k=2), majority_at_k(labels, labels == 0)[:, :2]
    )
    assert pass_at_k(np.array([1]), 4, max_k=3).shape == (1, 3)


ONE = np.zeros((1, 2), dtype=int)
NO = np.zeros((1, 2), dtype=bool)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: pass_at_k(np.array([], dtype=int), 4), "num_right has shape .0,.; give one number for each"),
        (lambda: pass_at_k(np.array([5]), 4), "problem 0 has 5 right of 4 samples; give 0 to all of them"),
        (lambda: pass_at_k(np.array([0, -1]), 4), "problem 1 has -1 right of 4 samples"),
        (lambda: pass_at_k(np.array([0.5]), 4), "are float64 and int64; give whole numbers"),
        (lambda: pass_at_k(np.array([1]), 4, max_k=5), "max_k=5 is out of range; give 1 to 4"),
        (lambda: coverage_at_k(np.array([[1, 0]])), "is_right is int64 of shape .1, 2.; give bool"),
        (lambda: coverage_at_k(np.zeros((0, 2), dtype=bool)), "give bool, problems by samples, one or more"),
        (lambda: majority_at_k(ONE, NO[:, :1]), "groups has shape .1, 2. and is_right .1, 1.; give the same"),
        (lambda: majority_at_k(ONE - 2, NO), "groups are int64 from -2; give whole numbers from 0"),
        (lambda: majority_at_k(ONE + 0.5, NO), "groups are float64"),
        (lambda: majority_at_k(ONE, NO, max_k=0), "max_k=0 is out of range; give 1 to 2"),
        (lambda: majority_at_k(ONE, np.array([[True, False]])), "problem 0 has answer 0 that is right in one sample"),
        (
            lambda: majority_at_k(ONE - 1, ~NO),
            "problem 0 has no answer that is right in one sample; .* must be wrong",
        ),
        (
            lambda: majority_at_k(np.zeros((1, 1001), dtype=int), np.zeros((1, 1001), dtype=bool)),
            "1001 samples of a problem; maj@k takes 1000 at most",
        ),
    ],
)
def test_what_cannot_be_counted_says_why_in_one_line(call, said) -> None:
    with pytest.raises(ValueError, match=said) as error:
        call()
    assert "\n" not in str(error.value)
