import random
from functools import cache
from itertools import pairwise

import pytest

from curation.deduplication import NearDuplicate, find_near_duplicates
from curation.text import bare_tokens

WORDS = [
    first + second for first in ("ka", "lo", "mi", "ru", "te", "vo") for second in ("b", "d", "n", "r", "s", "t")
]


@cache
def shingles(text: str) -> set[tuple[str, ...]]:
    tokens = bare_tokens(text)
    return {tuple(tokens[start : start + 3]) for start in range(max(1, len(tokens) - 2))}


def jaccard(a: str, b: str) -> float:
    shared = len(shingles(a) & shingles(b))
    return shared / (len(shingles(a)) + len(shingles(b)) - shared)


@cache
def numbers(text: str) -> list[str]:
    return [token for token in bare_tokens(text) if token[0].isdecimal()]


def slow_search(questions: list[str], threshold: float) -> list[NearDuplicate]:
    """Every question against every kept one before it."""
    found, kept = [], []
    stands_for: dict[tuple[str, ...], int] = {}
    for place, text in enumerate(questions):
        same = stands_for.setdefault(tuple(bare_tokens(text)), place)
        if same != place:
            found.append(NearDuplicate(place, same, 1.0))
            continue
        similar = [
            (jaccard(text, questions[other]), -other) for other in kept if numbers(text) == numbers(questions[other])
        ]
        best = max(similar, default=(0.0, 0))
        if best[0] >= threshold:
            found.append(NearDuplicate(place, -best[1], best[0]))
            stands_for[tuple(bare_tokens(text))] = -best[1]
        else:
            kept.append(place)
    return found


def make_sentences(rng: random.Random, num_sentences: int) -> list[str]:
    """Sentences, many of them an earlier one with a few words exchanged, added or left out."""
    sentences: list[list[str]] = []
    for _ in range(num_sentences):
        if sentences and rng.random() < 0.6:
            words = list(rng.choice(sentences))
            for _ in range(rng.randrange(4)):
                place = rng.randrange(len(words))
                words[place : place + rng.randrange(2)] = rng.choice([[], [rng.choice(WORDS)]])
        else:
            words = [*rng.choices(WORDS, k=rng.randrange(20, 60)), str(rng.randrange(3))]
        sentences.append(words or ["empty"])
    return [" ".join(words) for words in sentences]


@pytest.mark.parametrize("threshold", [0.6, 0.75, 0.85, 0.95])
def test_what_is_found_is_what_comparing_all_pairs_finds(threshold):
    num_expected = num_missed = 0
    for seed in range(3):
        sentences = make_sentences(random.Random(seed), 200)
        expected = {duplicate.dropped: duplicate for duplicate in slow_search(sentences, threshold)}
        found = {duplicate.dropped: duplicate for duplicate in find_near_duplicates(sentences, threshold=threshold)}
        for place, duplicate in found.items():
            # never a pair that is not one: every candidate is compared exactly
            exact = jaccard(sentences[place], sentences[duplicate.kept])
            same_wording = bare_tokens(sentences[place]) == bare_tokens(sentences[duplicate.kept])
            assert duplicate.similarity == exact or (duplicate.similarity == 1.0 and exact >= threshold)
            assert exact >= threshold or same_wording
            assert numbers(sentences[place]) == numbers(sentences[duplicate.kept])
            assert duplicate.kept < place
            assert duplicate.kept not in found
        num_expected += len(expected)
        num_missed += len(expected.keys() - found.keys())
    assert num_expected > 100
    # MinHash estimates: it may overlook a few pairs that lie at the threshold
    assert num_missed / num_expected <= 0.03


def test_the_same_sequence_gives_the_same_duplicates():
    sentences = make_sentences(random.Random(9), 150)
    assert find_near_duplicates(sentences) == find_near_duplicates(list(sentences))


BASE = "Let the ferry cross the wide river in three hours against a steady current and return at dusk without cargo"


@pytest.mark.parametrize(
    ("first", "second", "similarity"),
    [
        # spacing, punctuation, case and LaTeX signs do not count
        ("What is $x_1 + 2$?", "what   is x1 + 2 !", 1.0),
        ("Find \\(x\\).", "Find $x$", 1.0),
        (BASE, BASE.upper() + ".", 1.0),
        # 18 shingles, one word changed at the end: 17 common of 19
        (BASE, BASE.replace("cargo", "coal"), 17 / 19),
        (BASE, "Now " + BASE, 18 / 19),
    ],
)
def test_near_duplicates_and_their_similarity(first, second, similarity):
    assert find_near_duplicates([first, second]) == [NearDuplicate(1, 0, pytest.approx(similarity))]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # other numbers, the same in another order, one more, another notation: another question
        (BASE + " with 12 people", BASE + " with 13 people"),
        (BASE + " with 12 people and 13 dogs", BASE + " with 13 people and 12 dogs"),
        (BASE, BASE + " 7"),
        (BASE + " at 1.5 knots", BASE + " at 15 knots"),
        # too little in common
        (BASE, BASE.replace("wide", "broad").replace("steady", "strong").replace("dusk", "dawn")),
        (BASE, "Find the sum of the digits"),
        ("", "a"),
    ],
)
def test_no_near_duplicates(first, second):
    assert find_near_duplicates([first, second]) == []


def test_the_threshold_decides_and_is_itself_enough():
    changed = [BASE, BASE.replace("cargo", "coal")]
    assert find_near_duplicates(changed, threshold=17 / 19)
    assert not find_near_duplicates(changed, threshold=17 / 19 + 1e-9)
    assert not find_near_duplicates(changed, threshold=1)
    assert find_near_duplicates([BASE, BASE + "!"], threshold=1)


def test_a_chain_of_small_changes_is_compared_with_what_was_kept():
    words = BASE.split()
    chain = [BASE]
    for place in (-1, -2, -3):  # each differs from the one before in one word more, from the end
        changed = [*words[:place], *(f"new{'abc'[-place - 1]}" for _ in range(-place))]
        chain.append(" ".join(changed))
    assert jaccard(chain[0], chain[1]) > 0.85 > jaccard(chain[0], chain[3])
    similar_to_first = [place for place in (1, 2, 3) if jaccard(chain[0], chain[place]) >= 0.85]
    found = find_near_duplicates(chain)
    assert [duplicate.dropped for duplicate in found if duplicate.kept == 0] == similar_to_first
    assert all(later.dropped > earlier.dropped for earlier, later in pairwise(found))


def test_an_exact_repeat_of_a_dropped_wording_points_to_what_stands_for_it():
    near = BASE.replace("cargo", "coal")
    assert find_near_duplicates([BASE, near, near + "?"]) == [
        NearDuplicate(1, 0, pytest.approx(17 / 19)),
        NearDuplicate(2, 0, 1.0),
    ]


def test_of_several_kept_the_most_similar_is_named():
    left, right = BASE.replace("cargo", "coal"), "Now " + BASE
    assert jaccard(left, right) < 0.86 < jaccard(BASE, left) < jaccard(BASE, right)
    assert find_near_duplicates([left, right, BASE], threshold=0.86) == [NearDuplicate(2, 1, pytest.approx(18 / 19))]


def test_of_equally_similar_ones_the_first_is_named():
    left, right = BASE + " alone", BASE + " again"
    assert jaccard(left, right) < 0.93 < jaccard(BASE, left) == jaccard(BASE, right)
    assert find_near_duplicates([left, right, BASE], threshold=0.93) == [NearDuplicate(2, 0, pytest.approx(18 / 19))]


@pytest.mark.parametrize("questions", [[], ["one"], ["", "x", "y"]])
def test_nothing_to_compare(questions):
    assert find_near_duplicates(questions) == []


@pytest.mark.parametrize("threshold", [0.5, 0.0, -1, 1.01, float("nan")])
def test_a_threshold_that_is_no_similarity_is_refused(threshold):
    with pytest.raises(ValueError, match=r"a similarity above 0\.5 and at most 1 is allowed"):
        find_near_duplicates(["a", "b"], threshold=threshold)


@pytest.mark.parametrize(
    ("one", "other"),
    [("What is 7 + 5?", "What is 7 - 5?"), ("Is $a<b$ here?", "Is $a>b$ here?"), ("Find ∫ f of x", "Find ∑ f of x")],
)
def test_other_operators_make_another_question(one, other):
    assert find_near_duplicates([one, other]) == []
