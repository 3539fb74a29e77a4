import random
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.diversity import (
    benchmark_weights,
    by_hash,
    by_length,
    draw_by_domain,
    draw_uniformly,
    long_trace_rank,
    make_rng,
    uniform_domain,
    uniform_rank,
    weighted_domain,
)
from tests.factories import AIME, GPQA, make_columns, make_question
from tests.twin import slow_recipe as twin

# a draw uses 53 random bits: this is the largest number that rng.random() gives
ALMOST_ONE = 1 - 2.0**-53

numbers = st.floats(0, ALMOST_ONE)


def chi_square(counts: Counter, shares: list[float]) -> float:
    """Pearson's statistic of counts of 0, 1, ... against their shares."""
    total = sum(counts.values())
    return sum((counts[place] - total * share) ** 2 / (total * share) for place, share in enumerate(shares))


# --- the two numbers of a pick ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "v", "rank"),
    [
        (1, 0.0, 0),
        (1, ALMOST_ONE, 0),
        (2, 0.666, 0),  # shares 2/3 and 1/3
        (2, 0.667, 1),
        (3, 0.571, 0),  # 4/7, 2/7, 1/7
        (3, 0.572, 1),
        (3, 0.857, 1),
        (3, 0.858, 2),
        (3, ALMOST_ONE, 2),
        (2_000, 0.0, 0),
        (2_000, 0.49, 0),
        (2_000, 0.5, 1),
        (2_000, 0.75, 2),
        # 53 random bits end at rank 53, however many questions there are
        (2_000, ALMOST_ONE, 53),
        (40, ALMOST_ONE, 39),
    ],
)
def test_rank_by_two_to_the_minus_rank(n, v, rank):
    assert long_trace_rank(n, v) == rank


@pytest.mark.parametrize("n", [1_022, 1_023, 1_073, 1_074, 1_075, 5_000, 10**6])
def test_a_domain_of_more_questions_than_a_float_has_exponents(n):
    # 2.0**-1075 is 0: the draw goes on
    assert [long_trace_rank(n, v) for v in (0.0, 0.3, 0.6, 0.9)] == [0, 0, 1, 3]


@given(st.integers(1, 3_000), numbers)
@settings(deadline=None, derandomize=True, max_examples=300)
def test_ranks_are_the_slow_recipes_and_inside_the_domain(n, v):
    assert long_trace_rank(n, v) == twin.power_rank(n, v) in range(n)
    assert uniform_rank(n, v) == twin.uniform_rank(n, v) in range(n)


@given(
    st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True).map(sorted),
    st.dictionaries(st.sampled_from("abcdefghz"), st.integers(0, 5)),
    numbers,
)
@settings(deadline=None, derandomize=True, max_examples=300)
def test_domains_are_the_slow_recipes(domains, weights, u):
    assert domains[uniform_domain(domains, u)] == twin.pick_domain_uniformly(domains, u)
    assert domains[weighted_domain(weights)(domains, u)] == twin.pick_domain_by_benchmark(domains, weights, u)


@pytest.mark.parametrize(
    ("weights", "u", "place"),
    [
        ({"a": 1, "b": 1, "c": 2}, 0.0, 0),
        ({"a": 1, "b": 1, "c": 2}, 0.25, 1),  # side="right": a border belongs to the next domain
        ({"a": 1, "b": 1, "c": 2}, 0.5, 2),
        ({"b": 3}, 0.0, 1),  # a domain without weight is not drawn
        ({"b": 3}, ALMOST_ONE, 1),
        ({"z": 3}, 0.4, 1),  # weight on domains that are used up alone: uniformly
        ({}, 0.0, 0),
        ({}, ALMOST_ONE, 2),
        ({"a": 1, "b": 1, "c": 1}, ALMOST_ONE, 2),
    ],
)
def test_weighted_domain(weights, u, place):
    assert weighted_domain(weights)(["a", "b", "c"], u) == place


@pytest.mark.parametrize(
    ("gpqa", "aime", "weights"),
    [
        # half of AIME's 7 spread by GPQA's counts: 3 * 7 / 8 = 2.6 and 1 * 7 / 8 = 0.9, each floored
        ({"81": 3, "98": 1}, {"11": 4, "81": 3}, {"11": 4, "81": 5, "98": 0}),
        # 3 * (0.5 * 14 / 21) is 1 exactly, and 0.99... in floats, which would floor to 0
        ({"81": 3, "98": 18}, {"11": 14}, {"11": 14, "81": 1, "98": 6}),
        ({}, {"11": 4}, {"11": 4}),
        ({"81": 3}, {}, {"81": 0}),
        ({}, {}, {}),
    ],
)
def test_benchmark_weights_are_exact(gpqa, aime, weights):
    assert benchmark_weights(gpqa, aime) == weights


counts = st.dictionaries(st.sampled_from(["03", "11", "51", "81", "98"]), st.integers(1, 10**12), max_size=5)


@given(counts, counts)
@settings(deadline=None, derandomize=True, max_examples=300)
def test_benchmark_weights_are_the_floor_of_the_rational_number(gpqa, aime):
    weights = benchmark_weights(gpqa, aime)
    for domain in {*gpqa, *aime}:
        scaled = Fraction(gpqa.get(domain, 0)) * sum(aime.values()) / (2 * max(1, sum(gpqa.values())))
        assert weights[domain] == aime.get(domain, 0) + scaled.__floor__()


def test_benchmark_weights_are_the_slow_recipes():
    rng = random.Random(5)
    for _ in range(50):
        rows = [
            {"source_type": rng.choice([AIME, GPQA, "other"]), "domain": rng.choice(["11", "51", "81"])}
            for _ in range(rng.randrange(40))
        ]
        gpqa = Counter(row["domain"] for row in rows if row["source_type"] == GPQA)
        aime = Counter(row["domain"] for row in rows if row["source_type"] == AIME)
        assert benchmark_weights(gpqa, aime) == twin.benchmark_counts(rows)


# --- orders ----------------------------------------------------------------------------------------------


def test_by_length_is_longest_first_then_by_hash_and_without_a_length_last():
    questions = [make_question(str(place), trace_tokens=place % 3 or None) for place in range(30)]
    random.Random(1).shuffle(questions)
    columns = make_columns(questions)
    rows = np.arange(0, 30, 2)
    expected = sorted(
        rows.tolist(), key=lambda row: (-(questions[row].trace_tokens or -1), questions[row].question_hash)
    )
    assert by_length(columns, rows).tolist() == expected
    assert by_hash(columns, rows).tolist() == sorted(rows.tolist(), key=lambda row: questions[row].question_hash)


def test_the_longest_trace_that_a_column_holds_is_longest():
    columns = make_columns([make_question("a", trace_tokens=0), make_question("b", trace_tokens=2**31 - 1)])
    assert by_length(columns, np.arange(2)).tolist() == [1, 0]


# --- whole draws -----------------------------------------------------------------------------------------


def draw(columns, *, num_draws, seed, choose_rank=long_trace_rank, choose_domain=lambda drawn: uniform_domain):
    rng = make_rng(seed)
    rows = np.arange(len(columns))
    return draw_by_domain(
        columns, rows, num_draws=num_draws, rng=rng, choose_rank=choose_rank, choose_domain=choose_domain
    )


def slow_draw(questions, *, num_draws, seed, choose_rank):
    domains: dict[str, list] = {}
    for question in sorted(questions, key=lambda question: (-question.trace_tokens, question.question_hash)):
        domains.setdefault(question.domain, []).append(question.question_hash)
    rng = np.random.Generator(np.random.PCG64(seed))
    drawn = []
    while domains and len(drawn) < num_draws:
        u, v = rng.random(), rng.random()
        domain = twin.pick_domain_uniformly(sorted(domains), u)
        drawn.append(domains[domain].pop(choose_rank(len(domains[domain]), v)))
        if not domains[domain]:
            del domains[domain]
    return drawn


@pytest.mark.parametrize("seed", range(20))
def test_draws_are_the_slow_recipes(seed):
    rng = random.Random(seed)
    domains = [f"{code:02d}" for code in range(rng.randrange(1, 12))]
    questions = [
        make_question(str(place), domain=rng.choice(domains), trace_tokens=rng.randrange(4))
        for place in range(rng.randrange(1, 80))
    ]
    columns = make_columns(questions)
    for fast, slow in [(long_trace_rank, twin.power_rank), (uniform_rank, twin.uniform_rank)]:
        for num_draws in (0, 1, 20, 1_000):
            rows = draw(columns, num_draws=num_draws, seed=seed, choose_rank=fast)
            expected = slow_draw(questions, num_draws=num_draws, seed=seed, choose_rank=slow)
            assert [questions[row].question_hash for row in rows] == expected
            assert len(rows) == min(num_draws, len(questions))


def test_a_pick_uses_two_numbers_even_where_nothing_is_to_choose():
    columns = make_columns([make_question(str(place)) for place in range(5)])
    rng = make_rng(0)
    draw_by_domain(
        columns,
        np.arange(5),
        num_draws=9,
        rng=rng,
        choose_rank=uniform_rank,
        choose_domain=lambda drawn: uniform_domain,
    )
    expected = make_rng(0)
    expected.random(10)
    assert rng.random() == expected.random()


def test_a_question_without_a_domain_is_never_drawn():
    columns = make_columns([make_question(str(place), domain="" if place % 2 else "05") for place in range(10)])
    assert sorted(draw(columns, num_draws=100, seed=0)) == [0, 2, 4, 6, 8]


def test_an_emptied_domain_leaves_the_draw():
    # one question each in nine domains and many in the tenth: ten draws may meet each of the nine once at most
    questions = [make_question(str(place), domain=f"{min(place, 9):02d}") for place in range(100)]
    for seed in range(20):
        drawn = [questions[row].domain for row in draw(make_columns(questions), num_draws=100, seed=seed)]
        assert len(drawn) == 100
        assert max(Counter(drawn[:50])[f"{code:02d}"] for code in range(9)) <= 1


def test_first_draws_are_uniform_over_domains_and_two_to_the_minus_rank_within():
    # ten domains of different sizes, the longest trace named 0; 4,000 seeds, one first pick each
    sizes = [5, 6, 40, 5, 8, 100, 5, 5, 9, 7]
    questions = [
        make_question(f"{code} {rank}", domain=f"{code:02d}", trace_tokens=1_000 - rank)
        for code, size in enumerate(sizes)
        for rank in range(size)
    ]
    columns = make_columns(questions)
    picks = [questions[draw(columns, num_draws=1, seed=seed)[0]] for seed in range(4_000)]
    # 0.1% of fair generators pass 27.9 with nine degrees of freedom, and 20.5 with five
    assert chi_square(Counter(int(pick.domain) for pick in picks), [0.1] * 10) < 27.9
    ranks = Counter(min(1_000 - pick.trace_tokens, 5) for pick in picks if sizes[int(pick.domain)] >= 40)
    assert chi_square(ranks, [2.0**-rank for rank in range(1, 6)] + [2.0**-5]) < 20.5
    of_five = Counter(1_000 - pick.trace_tokens for pick in picks if sizes[int(pick.domain)] == 5)
    assert chi_square(of_five, [16 / 31, 8 / 31, 4 / 31, 2 / 31, 1 / 31]) < 18.5


def test_ranks_count_what_remains():
    # after the longest has gone, the second longest is rank 0
    questions = [make_question(str(rank), trace_tokens=100 - rank) for rank in range(3)]
    columns = make_columns(questions)
    orders = Counter(
        tuple(100 - questions[row].trace_tokens for row in draw(columns, num_draws=3, seed=s)) for s in range(4_000)
    )
    expected = {(0, 1, 2): 4 / 7 * 2 / 3, (0, 2, 1): 4 / 7 / 3, (1, 0, 2): 2 / 7 * 2 / 3}
    expected |= {(1, 2, 0): 2 / 7 / 3, (2, 0, 1): 1 / 7 * 2 / 3, (2, 1, 0): 1 / 7 / 3}
    for order, share in expected.items():
        assert orders[order] / 4_000 == pytest.approx(share, abs=0.025)


def test_uniform_ranks_are_uniform():
    columns = make_columns([make_question(str(place), trace_tokens=place) for place in range(5)])
    picks = Counter(draw(columns, num_draws=1, seed=seed, choose_rank=uniform_rank)[0] for seed in range(4_000))
    assert chi_square(picks, [0.2] * 5) < 18.5


def test_weighted_draws_have_the_weights_shares():
    questions = [make_question(f"{code} {place}", domain=code) for code in "abcd" for place in range(3)]
    weighted = weighted_domain({"a": 5, "b": 3, "d": 2})
    picks = Counter()
    for seed in range(4_000):
        (row,) = draw(make_columns(questions), num_draws=1, seed=seed, choose_domain=lambda drawn: weighted)
        picks[questions[row].domain] += 1
    assert picks["c"] == 0
    assert chi_square(Counter({0: picks["a"], 1: picks["b"], 2: picks["d"]}), [0.5, 0.3, 0.2]) < 13.9


def test_the_domain_choice_is_told_how_many_are_drawn():
    asked = []

    def choose_domain(num_drawn):
        asked.append(num_drawn)
        return uniform_domain

    draw(
        make_columns([make_question(str(place)) for place in range(9)]),
        num_draws=4,
        seed=0,
        choose_domain=choose_domain,
    )
    assert asked == [0, 1, 2, 3]


@pytest.mark.parametrize("seed", range(5))
def test_uniform_draws_give_each_hash_in_sorted_order_a_key(seed):
    questions = [make_question(str(place)) for place in range(40)]
    columns = make_columns(questions)
    rows = np.arange(5, 40)
    drawn = draw_uniformly(columns, rows, num_draws=12, rng=make_rng(seed))
    expected = twin.select_at_random([{"question_hash": questions[row].question_hash} for row in rows], 12, seed)
    assert [questions[row].question_hash for row in drawn] == expected


@pytest.mark.parametrize("num_draws", [0, 3, 4, 100])
def test_uniform_draws_end_with_the_candidates(num_draws):
    columns = make_columns([make_question(str(place)) for place in range(4)])
    assert len(draw_uniformly(columns, np.arange(4), num_draws=num_draws, rng=make_rng(0))) == min(num_draws, 4)


def test_uniform_draws_take_every_question_equally_often():
    columns = make_columns([make_question(str(place)) for place in range(10)])
    picks = Counter()
    for seed in range(2_000):
        picks.update(draw_uniformly(columns, np.arange(10), num_draws=3, rng=make_rng(seed)))
    assert chi_square(picks, [0.1] * 10) < 27.9


def test_no_candidates_no_draws():
    empty = np.empty(0, dtype=np.int64)
    columns = make_columns([make_question("a")])
    assert draw_uniformly(columns, empty, num_draws=3, rng=make_rng(0)) == []
    assert draw(make_columns([]), num_draws=3, seed=0) == []
