"""The slow recipe against cases worked out by hand from the contract: they guard the twin itself.

Where a case draws, the numbers are those of `numpy.random.Generator(numpy.random.PCG64(0))`:

    pick   u        v
    1      0.63696  0.26979
    2      0.04097  0.01653
    3      0.81327  0.91276
    4      0.60664  0.72950
"""

import hashlib
from typing import Any

import numpy as np
import pytest

from tests.twin.rows import AIME, GPQA, MATH, NUMINA, make_counted, make_picks, make_row, name_questions

from . import slow_recipe as twin


def test_the_generator_gives_the_numbers_that_the_cases_use() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    numbers = [round(float(rng.random()), 5) for _ in range(8)]
    assert numbers == [0.63696, 0.26979, 0.04097, 0.01653, 0.81327, 0.91276, 0.60664, 0.7295]


# --- identity -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [  # the published SHA-256 test vectors, cut to 16 digits
        ("", "e3b0c44298fc1c14"),
        ("abc", "ba7816bf8f01cfea"),
    ],
)
def test_question_hash_is_the_head_of_sha256(text: str, expected: str) -> None:
    assert twin.question_hash(text) == expected


def test_question_hash_does_not_normalise() -> None:
    texts = ["What is é?", "What is e\u0301?", "what is é?", "What is é? ", "What  is é?"]
    assert len({twin.question_hash(text) for text in texts}) == 5


def test_sha256_is_over_the_ordered_hashes_joined_by_a_newline() -> None:
    assert twin.selection_sha256(["abc"]) == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # no newline at the end
    )
    assert twin.selection_sha256(["a", "b"]) == hashlib.sha256(b"a\nb").hexdigest()
    assert twin.selection_sha256(["a", "b"]) != twin.selection_sha256(["b", "a"])


# --- pool -----------------------------------------------------------------------------------------------


def test_pool_keeps_the_first_row_of_each_hash_in_load_order() -> None:
    rows = [
        make_row("Q", solution=None, source_type="first"),
        make_row("R"),
        make_row("Q", solution="42", source_type="second"),
        make_row("Q "),  # a blank more is another question: the text is not normalised
    ]
    merged = twin.merge_pool(rows)
    assert [row["question"] for row in merged] == ["Q", "R", "Q "]
    # source and solution are no annotations: those of the first row stay, even where missing
    assert (merged[0]["source_type"], merged[0]["solution"]) == ("first", None)


def test_each_grade_and_the_domain_come_from_the_first_row_that_has_them() -> None:
    rows = [
        make_row("Q", isqwen7bcorrect=None, isqwen32bcorrect=None, domain=None),
        make_row("Q", isqwen7bcorrect=False, isqwen32bcorrect=None, domain=""),
        make_row("Q", isqwen7bcorrect=True, isqwen32bcorrect=True, domain="11"),
        make_row("Q", isqwen7bcorrect=True, isqwen32bcorrect=False, domain="12"),
    ]
    merged = twin.merge_pool(rows)[0]
    # 7B: row 2, False is a grade. 32B: row 3. Domain: row 3, empty text is none.
    assert (merged["isqwen7bcorrect"], merged["isqwen32bcorrect"], merged["domain"]) == (False, True, "11")


def test_a_value_that_the_first_row_has_stays() -> None:
    rows = [make_row("Q", isqwen7bcorrect=False), make_row("Q", isqwen7bcorrect=True)]
    assert twin.merge_pool(rows)[0]["isqwen7bcorrect"] is False


def trace(thinking: Any, attempt: Any, grade: Any, tokens: Any) -> dict[str, Any]:
    return {
        "thinking_trajectories": thinking,
        "attempt": attempt,
        "isgeminicorrect": grade,
        "gemini_length": tokens,
    }


FULL = trace(["t"], "A", True, 10)


@pytest.mark.parametrize(
    ("traces", "expected"),
    [
        # the first has thinking: its own four stay, what it lacks is not taken from another trace
        ([trace(["s"], "B", None, None), FULL], trace(["s"], "B", None, None)),
        # the first has none, the second has: all four of the second, over the first's length and attempt
        ([trace([], "B", False, 99), FULL], FULL),
        # also where the second's four are not complete
        ([trace([], "B", False, 99), trace(["t"], None, None, 5)], trace(["t"], None, None, 5)),
        # an empty list, no value and a list of one empty string are all no thinking
        ([trace([], None, None, 1), trace(None, None, None, 2), trace([""], "B", False, 9), FULL], FULL),
        # of two later rows with thinking the first
        ([trace([], None, None, None), trace(["s"], "B", False, 9), FULL], trace(["s"], "B", False, 9)),
        # none has thinking: the first with any of the others; False is a grade, an empty attempt is none
        (
            [trace([], "", None, None), trace([], None, False, None), trace([], "B", True, 9)],
            trace([], None, False, None),
        ),
        # none has anything
        ([trace([], "", None, None), trace([], None, None, None)], trace(None, None, None, None)),
    ],
)
def test_a_trace_travels_with_its_attempt_grade_and_length(
    traces: list[dict[str, Any]], expected: dict[str, Any]
) -> None:
    merged = twin.merge_pool([make_row("Q", **values) for values in traces])[0]
    assert {column: merged[column] for column in twin.TRACE_COLUMNS} == expected


def test_rows_without_annotation_columns_are_merged_too() -> None:
    merged = twin.merge_pool([{"question": "Q"}, make_row("Q", domain="11")])[0]
    assert (merged["domain"], merged["gemini_length"]) == ("11", 100)


# --- decontamination ------------------------------------------------------------------------------------

EVALUATION = [
    "Find the sum of all positive integers n such that n divides twelve.",  # 13 words
    "What is 2+2?",  # 3 words
    "Compute the area of the big square.",  # 7 words
]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("find THE  sum\nof\tall positive integers n", "decontamination.ngram"),  # 8 words, all shared
        ("So, sum of all positive integers n such that works", "decontamination.ngram"),  # 8 in the middle
        ("find the sum of all positive integers m", None),  # 8 words, of which 7 are shared
        ("Now find the sum of all positive integers below twenty", None),  # 10 words, 7 shared
        ("find the sum of all positive integers", "decontamination.short"),  # 7 words stand in the first
        ("compute the AREA of the big square.", "decontamination.short"),  # 7 words equal the third
        ("such that n divides twelve.", "decontamination.short"),  # 5 words at its end
        ("such that n divides twelve", None),  # `twelve` is not the word `twelve.`
        ("all positive integers n", "decontamination.short"),  # 4 words
        ("all positive integers", None),  # 3 words that stand in one are not enough
        ("what  IS 2+2?", "decontamination.short"),  # but 3 words that equal one are
        ("is 2+2?", None),  # 2 words
        ("ll positive integers n", None),  # 4 words; stands in it as characters, but not at a word boundary
        ("all positive n such", None),  # 4 of its words, not in a row
        ("Tell me now quickly: What is 2+2? I wait", None),  # a short evaluation question inside a longer one
        ("", None),
    ],
)
def test_decontamination_rule(question: str, expected: str | None) -> None:
    assert twin.is_contaminated(question, EVALUATION) == expected
    assert twin.is_contaminated(question, EVALUATION, twin.index_ngrams(EVALUATION)) == expected


def test_nothing_is_contaminated_without_evaluation_questions() -> None:
    assert twin.is_contaminated("find the sum of all positive integers n", []) is None


@pytest.mark.parametrize(
    ("question", "evaluation_question", "expected"),
    [
        ("a b c d x b c", "z b c d b c", (3, 1, 1)),  # `b c d`; `b c` is shared too, but shorter
        ("y x a b", "a b c", (2, 2, 0)),
        ("p q r q", "q p", (1, 0, 1)),  # one word each: `p` starts first in the question
        ("a a a", "a a", (2, 0, 0)),
        ("a", "x a a", (1, 0, 1)),
        ("X  Y", "x\ty", (2, 0, 0)),
        ("a b", "c d", (0, 0, 0)),
        ("", "a", (0, 0, 0)),
    ],
)
def test_longest_shared_span(question: str, evaluation_question: str, expected: tuple[int, int, int]) -> None:
    assert twin.longest_shared_span(question, evaluation_question) == expected


# --- annotation, formatting, difficulty -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, None),  # grades of False are grades
        ({"gemini_length": 0}, None),  # 0 is a length
        ({"isqwen7bcorrect": None}, "annotation.missing"),
        ({"isqwen32bcorrect": None}, "annotation.missing"),
        ({"isqwen7bcorrect": None, "isqwen32bcorrect": True}, "annotation.missing"),
        ({"isgeminicorrect": None}, "annotation.missing"),
        ({"domain": None}, "annotation.missing"),
        ({"domain": ""}, "annotation.missing"),
        ({"gemini_length": None}, "annotation.missing"),
        ({"attempt": None, "solution": None}, None),  # neither is on the contract's list
    ],
)
def test_annotation_rule(values: dict[str, Any], expected: str | None) -> None:
    assert twin.annotation_rule(make_row("Q", **values)) == expected


@pytest.mark.parametrize(
    ("question", "source", "expected"),
    [
        ("See [asy] draw(); [/asy]", NUMINA, "formatting.asy"),
        ("See [asy] draw(); [/asy]", AIME, None),
        ("See [asy] draw(); [/asy]", "my/Aime-copy", None),  # AIME in any case
        ("[asy] and ![Image](x) and p1. and **7**", AIME, None),  # no further checks
        ("[asy] and ![Image](x) and p1. and **7**", NUMINA, "formatting.asy"),  # the first of four
        ("![Image](x) and p1. and **7**", AIME, "formatting.image_reference"),  # no [asy]: checked
        ("p1. and **7**", NUMINA, "formatting.part_number"),
        ("**7**", NUMINA, "formatting.bold_digits"),
        ("See [ASY] and ![image](x) and ![](x)", NUMINA, None),  # neither is what the rules spell
        ("Solve p0. now", NUMINA, None),
        ("Solve p1. now", NUMINA, "formatting.part_number"),
        ("Solve p999. now", NUMINA, "formatting.part_number"),
        ("Solve p1000. now", NUMINA, None),
        ("Solve p01. now", NUMINA, None),
        ("Solve p1 now", NUMINA, None),
        ("Solve P1. now", NUMINA, None),
        ("After step1.", NUMINA, "formatting.part_number"),  # contains `p1.`: the rule asks for no boundary
        ("**Problem 7** continues.", NUMINA, None),  # the regex lets no blank stand in the run
        ("**Problem7** continues.", NUMINA, "formatting.bold_digits"),
        ("**a]7**", NUMINA, None),  # nor a bracket
        ("**bold** and 5", NUMINA, "formatting.bold_digits"),  # its lookahead reads to the end of the line
        ("**bold**\nand 5", NUMINA, None),  # but no further
        ("5 and **bold**", NUMINA, None),  # nor back
        ("**bold**", NUMINA, None),
        ("*7*", NUMINA, None),
        ("Plain question 7?", None, None),
    ],
)
def test_formatting_rule(question: str, source: str | None, expected: str | None) -> None:
    assert twin.formatting_rule(question, source) == expected


@pytest.mark.parametrize(
    ("small", "large", "expected"),
    [
        (False, False, None),
        (True, False, "difficulty.solved"),
        (False, True, "difficulty.solved"),
        (True, True, "difficulty.solved"),
    ],
)
def test_difficulty_rule(small: bool, large: bool, expected: str | None) -> None:
    row = make_row("Q", isqwen7bcorrect=small, isqwen32bcorrect=large)
    assert twin.difficulty_rule(row) == expected


# One row for each step further down the funnel; each would also be dropped by the steps after its own.
FUNNEL = [
    make_row("Tell: what is the sum of [asy] all odd primes", isqwen7bcorrect=None, isqwen32bcorrect=True),
    make_row("Missing [asy]", isqwen7bcorrect=None, isqwen32bcorrect=True),
    make_row("Drawn [asy]", isqwen32bcorrect=True),
    make_row("Solved", isqwen32bcorrect=True),
    make_row("Left", domain="05"),
    make_row("Left", domain="11"),
]
FUNNEL_EVALUATION = ["What is the sum of [asy] all odd primes below 20?"]


def test_stages_run_in_order_and_the_ledger_accounts_for_every_row() -> None:
    result = twin.select(FUNNEL, FUNNEL_EVALUATION, "paper", size=1)
    assert result["ledger"] == [
        {"stage": "pool", "in": 6, "out": 5, "dropped": {"pool.duplicate": 1}},
        {"stage": "decontamination", "in": 5, "out": 4, "dropped": {"decontamination.ngram": 1}},
        {"stage": "annotation", "in": 4, "out": 3, "dropped": {"annotation.missing": 1}},
        {"stage": "formatting", "in": 3, "out": 2, "dropped": {"formatting.asy": 1}},
        {"stage": "difficulty", "in": 2, "out": 1, "dropped": {"difficulty.solved": 1}},
        {"stage": "selection", "in": 1, "out": 1, "dropped": {}},
    ]
    assert [result["fate"][row["question_hash"]] for row in twin.merge_pool(FUNNEL)] == [
        "decontamination.ngram",
        "annotation.missing",
        "formatting.asy",
        "difficulty.solved",
        None,
    ]
    assert name_questions(result, FUNNEL) == ["Left"]
    assert result["sha256"] == hashlib.sha256(twin.question_hash("Left").encode()).hexdigest()


@pytest.mark.parametrize("preset", ["random", "diverse", "longest", "full"])
def test_difficulty_is_a_stage_of_paper_and_released_alone(preset: str) -> None:
    result = twin.select(FUNNEL, FUNNEL_EVALUATION, preset)
    stages = [line["stage"] for line in result["ledger"]]
    assert stages == ["pool", "decontamination", "annotation", "formatting", "selection"]
    assert sorted(name_questions(result, FUNNEL)) == ["Left", "Solved"]


def test_what_is_left_and_not_drawn_has_its_rule() -> None:
    rows = [make_row("long", gemini_length=2), make_row("short", gemini_length=1)]
    result = twin.select(rows, [], "longest", size=1)
    assert result["fate"] == {
        twin.question_hash("long"): None,
        twin.question_hash("short"): "selection.not_drawn",
    }


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(ValueError, match="preset='best' is not a preset; use one of paper, released"):
        twin.select([], [], "best")


@pytest.mark.parametrize("preset", twin.PRESETS)
def test_an_empty_pool_gives_an_empty_selection(preset: str) -> None:
    result = twin.select([], [], preset)
    assert result["hashes"] == []
    assert result["sha256"] == hashlib.sha256(b"").hexdigest()


# --- whole-taken picks ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "grade", "tokens", "expected"),
    [
        (GPQA, True, 10, True),
        (AIME, True, 10, True),
        ("x/GPQA-ext", True, 10, True),
        (GPQA, False, 10, False),
        (AIME, False, 9000, False),
        (MATH, True, 5601, True),
        (MATH, True, 5600, False),  # longer than 5,600
        (MATH, False, 5601, False),  # the trace must be correct there too
        ("qfq/OpenAIMath/Algebra", True, 5601, True),
        (NUMINA, True, 9000, False),
    ],
)
def test_taken_whole(source: str, grade: bool, tokens: int, expected: bool) -> None:
    row = make_row("Q", source_type=source, isgeminicorrect=grade, gemini_length=tokens)
    assert twin.is_taken_whole(row) is expected


def test_more_picks_than_the_size_are_cut_to_the_longest() -> None:
    rows = [
        make_row("a", source_type=AIME, isgeminicorrect=True, gemini_length=10),
        make_row("b", source_type=GPQA, isgeminicorrect=True, gemini_length=30),
        make_row("c", source_type=MATH, isgeminicorrect=True, gemini_length=6000),
        make_row("d", gemini_length=9000),
    ]
    for preset in ("paper", "released"):
        assert name_questions(twin.select(rows, [], preset, size=2), rows) == ["c", "b"]
        assert name_questions(twin.select(rows, [], preset, size=3), rows) == ["c", "b", "a"]
        assert name_questions(twin.select(rows, [], preset, size=4), rows) == ["c", "b", "a", "d"]


def test_equal_lengths_are_ordered_by_hash() -> None:
    rows = make_picks(5, AIME, "11")
    hashes = twin.select(rows, [], "paper", size=5)["hashes"]
    assert hashes == sorted(hashes)
    assert twin.select(rows, [], "longest", size=3)["hashes"] == hashes[:3]


# --- one draw -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "v", "expected"),
    [
        (1, 0.0, 0),
        (1, 0.99, 0),  # 1 - 0.99/2 = 0.505: -log2 is 0.99
        (1, 1 - 2**-53, 0),  # 1/2 + 2^-54 is rounded to 1/2, -log2 is 1: no more than n-1
        # two questions have chances 2/3 and 1/3
        (2, 0.66, 0),
        (2, 0.67, 1),
        (2, 0.99, 1),
        # three have 4/7, 2/7, 1/7: the borders are 4/7 = 0.5714 and 6/7 = 0.8571
        (3, 0.0, 0),
        (3, 0.57, 0),
        (3, 0.58, 1),
        (3, 0.85, 1),
        (3, 0.86, 2),
        (3, 0.99, 2),
        (4, 0.5, 0),  # 1 - 0.5·15/16 = 0.53125: 0.91
        (5, 1 - 2**-53, 4),  # the largest number that rng.random() gives: 1/32 and a little
        (2000, 1 - 2**-53, 53),  # 2^-2000 is 0 as a float: 1 - v = 2^-53
        (2000, 0.5, 1),
    ],
)
def test_power_rank(n: int, v: float, expected: int) -> None:
    assert twin.power_rank(n, v) == expected


@pytest.mark.parametrize(("n", "v", "expected"), [(4, 0.0, 0), (4, 0.5, 2), (4, 0.99, 3), (1, 0.99, 0)])
def test_uniform_rank(n: int, v: float, expected: int) -> None:
    assert twin.uniform_rank(n, v) == expected


@pytest.mark.parametrize(("u", "expected"), [(0.0, "05"), (0.33, "05"), (0.34, "11"), (0.67, "81"), (0.99, "81")])
def test_uniform_domain(u: float, expected: str) -> None:
    assert twin.pick_domain_uniformly(["05", "11", "81"], u) == expected


@pytest.mark.parametrize(
    ("counts", "u", "expected"),
    [
        ({"05": 1, "11": 3}, 0.24, "05"),  # borders 0.25, 1, 1
        ({"05": 1, "11": 3}, 0.25, "11"),  # side="right": a number on the border belongs to the next
        ({"05": 1, "11": 3}, 0.99, "11"),  # no weight, never drawn
        ({"11": 1, "81": 1}, 0.0, "11"),  # nor at the front: 0 is the border of the first
        ({"05": 1, "99": 9}, 0.99, "05"),  # a domain without questions takes no part
        ({"99": 9}, 0.34, "11"),  # nobody here has weight: floor(0.34·3) = 1
        ({}, 0.67, "81"),
    ],
)
def test_benchmark_domain(counts: dict[str, int], u: float, expected: str) -> None:
    assert twin.pick_domain_by_benchmark(["05", "11", "81"], counts, u) == expected


def test_benchmark_domain_is_clipped_to_the_last() -> None:
    # ten tenths add up to 1 - 2^-53 in floats, which is also the largest number that is drawn: position 10,
    # where the last is 9
    codes = [f"{i:02d}" for i in range(10)]
    u = 1 - 2**-53
    counts = dict.fromkeys(codes, 1)
    assert np.searchsorted(np.cumsum(np.full(10, 0.1)), u, side="right") == 10
    assert twin.pick_domain_by_benchmark(codes, counts, u) == "09"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # AIME total 4, GPQA total 3, scale 0.5·4/3 = 2/3: 81 has floor(4/3) = 1, 11 has floor(2/3) = 0 more
        (make_counted(AIME, d11=3, d05=1) + make_counted(GPQA, d81=2, d11=1), {"11": 3, "05": 1, "81": 1}),
        # both families in a domain are summed: scale 0.5·4/2 = 1
        (make_counted(AIME, d11=4) + make_counted(GPQA, d11=1, d81=1), {"11": 5, "81": 1}),
        # 49·(0.5·2/49) is exactly 1, but 0.9999999999999999 in floats
        (make_counted(AIME, d11=2) + make_counted(GPQA, d81=49), {"11": 2, "81": 1}),
        (make_counted(AIME, d11=2), {"11": 2}),
        (make_counted(GPQA, d81=2), {"81": 0}),  # scaled by an AIME total of 0
        (make_counted(NUMINA, d05=2), {}),
    ],
)
def test_benchmark_counts(rows: list[twin.Row], expected: dict[str, int]) -> None:
    assert twin.benchmark_counts(rows) == expected
