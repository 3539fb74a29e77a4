import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import ConfigError
from curation.hashing import selection_sha256
from curation.pipeline import RULES, SELECTED, STAGES, curate, is_missing, missing_annotations
from curation.presets import ANNOTATIONS, PRESETS, Recipe
from curation.quality import ASY, BOLD_DIGITS, FORMATTING_RULES, IMAGE_REFERENCE, PART_NUMBER
from curation.records import PoolColumns, Question
from tests.factories import (
    AIME,
    EVALUATION_QUESTIONS,
    GPQA,
    MATH,
    NUMINA,
    make_columns,
    make_question,
    make_rows,
    to_columns,
    to_questions,
)
from tests.twin import slow_recipe as twin

from .golden import CASES, read_lines


def fates_by_hash(columns: PoolColumns, fates: np.ndarray) -> dict[str, str | None]:
    return {
        hash_.decode(): None if fate == SELECTED else RULES[fate]
        for hash_, fate in zip(columns.hashes.tolist(), fates.tolist(), strict=True)
    }


def assert_equals_the_slow_recipe(columns: PoolColumns, prepared: twin.Prepared, preset: str, size: int, seed: int):
    result = curate(columns, replace(PRESETS[preset], size=size, seed=seed))
    expected = twin.draw(prepared, preset, size, seed)
    assert [stage.to_json() for stage in result.ledger] == expected["ledger"]
    assert list(result.hashes) == expected["hashes"]
    assert result.sha256 == expected["sha256"]
    assert fates_by_hash(columns, result.fates) == expected["fate"]
    for stage in result.ledger:
        assert stage.num_in == stage.num_out + sum(stage.dropped.values())
        assert all(count > 0 for count in stage.dropped.values())
    for before, after in zip(result.ledger, result.ledger[1:], strict=False):
        assert before.num_out == after.num_in


# --- against the slow recipe -----------------------------------------------------------------------------


@given(st.integers(0, 2**32), st.integers(0, 120), st.sampled_from([1, 3, 10, 40, 1_000]))
@settings(deadline=None, derandomize=True, max_examples=60)
def test_ledger_fates_and_hashes_are_the_slow_recipes_for_any_pool_and_row_order(seed, num_rows, size):
    rng = random.Random(seed)
    rows = make_rows(rng, num_rows)
    prepared = twin.prepare(rows, EVALUATION_QUESTIONS)
    columns = to_columns(rows, EVALUATION_QUESTIONS, shuffle=rng)
    for preset in twin.PRESETS:
        for draw_seed in (0, seed):
            assert_equals_the_slow_recipe(columns, prepared, preset, size, draw_seed)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("size", [699, 700, 701, 900])
def test_released_changes_its_domain_draw_at_700_as_the_slow_recipe_does(large_pool, size, seed):
    columns, prepared = large_pool
    assert_equals_the_slow_recipe(columns, prepared, "released", size, seed)
    paper = curate(columns, replace(PRESETS["paper"], size=size, seed=seed)).hashes
    released = curate(columns, replace(PRESETS["released"], size=size, seed=seed)).hashes
    assert paper[:700] == released[:700]
    if size != 701:  # a single draw may meet the same question either way
        assert (paper == released) == (size <= 700)


@pytest.fixture(scope="module")
def large_pool():
    rng = random.Random(700)
    rows = make_rows(rng, 1_300, repeated=0.02, contaminated=0.02, decorated=0.02, missing=0.002, solved=0.02)
    return to_columns(rows, EVALUATION_QUESTIONS, shuffle=rng), twin.prepare(rows, EVALUATION_QUESTIONS)


@pytest.mark.parametrize("preset", twin.PRESETS)
def test_selections_are_the_golden_ones(preset):
    rows = read_lines("pool.jsonl")
    evaluation_questions = [line["problem"] for line in read_lines("evaluation.jsonl")]
    prepared = twin.prepare(rows, evaluation_questions)
    columns = to_columns(rows, evaluation_questions, shuffle=random.Random(0))
    golden = read_lines(f"golden_{preset}.jsonl")
    assert [(line["size"], line["seed"]) for line in golden] == CASES[preset]
    for line in golden:
        result = curate(columns, replace(PRESETS[preset], size=line["size"], seed=line["seed"]))
        assert [stage.to_json() for stage in result.ledger] == line["ledger"]
        assert list(result.hashes) == line["hashes"]
        assert result.sha256 == line["sha256"] == selection_sha256(line["hashes"])
        # and the files are still what the slow recipe says
        assert twin.draw(prepared, preset, line["size"], line["seed"])["sha256"] == line["sha256"]


def test_the_golden_pool_meets_every_rule_and_stage():
    ledger = read_lines("golden_released.jsonl")[-1]["ledger"]
    dropped = {rule for stage in ledger for rule in stage["dropped"]}
    assert dropped == {"pool.duplicate", *RULES} - {"deduplication.near"}


# --- every option changes the outcome as it says ------------------------------------------------------------


def fate(question: Question, **options) -> str | None:
    """The rule that drops this question alone; None where it is selected."""
    columns = make_columns([question])
    return fates_by_hash(columns, curate(columns, Recipe(**options)).fates)[question.question_hash]


MISSING = {
    "small_grade": {"small_grade": None},
    "large_grade": {"large_grade": None},
    "trace_grade": {"trace_grade": None},
    "domain": {"domain": ""},
    "trace_length": {"trace_tokens": None},
}


@pytest.mark.parametrize("absent", ANNOTATIONS)
@pytest.mark.parametrize("required", ANNOTATIONS)
def test_requires_names_the_annotations_without_which_a_question_is_dropped(absent, required):
    question = make_question("a", **MISSING[absent])
    expected = "annotation.missing" if absent == required else None
    assert fate(question, requires=(required,), method="random") == expected
    assert fate(question, requires=(), method="random") is None
    columns = make_columns([question, make_question("b")])
    assert is_missing(columns, (required,)).tolist() == [absent == required, False]
    assert missing_annotations(columns, 0, ANNOTATIONS) == [absent]
    assert missing_annotations(columns, 1, ANNOTATIONS) == []


@pytest.mark.parametrize("values", [{"small_grade": False}, {"trace_grade": False}, {"trace_tokens": 0}])
def test_wrong_and_zero_are_not_missing(values):
    assert fate(make_question("a", **values)) is None


FLAGS = dict(zip(FORMATTING_RULES, (ASY, IMAGE_REFERENCE, PART_NUMBER, BOLD_DIGITS), strict=True))


@pytest.mark.parametrize("rule", FORMATTING_RULES)
def test_rules_names_the_formatting_rules_that_apply(rule):
    question = make_question("a", flags=FLAGS[rule])
    others = tuple(other for other in FORMATTING_RULES if other != rule)
    assert fate(question) == fate(question, rules=(rule,)) == rule
    assert fate(question, rules=others) is fate(question, rules=()) is None


def test_the_first_formatting_rule_in_the_contracts_order_is_named_and_aime_may_draw():
    everything = sum(FLAGS.values())
    assert fate(make_question("a", flags=everything)) == "formatting.asy"
    assert fate(make_question("a", flags=everything), rules=FORMATTING_RULES[:0:-1]) == "formatting.image_reference"
    assert fate(make_question("a", flags=everything, source=AIME)) is None
    assert fate(make_question("a", flags=everything - ASY, source=AIME)) == "formatting.image_reference"
    assert fate(make_question("a", flags=everything, source="AI-MO/NuminaMath-CoT/amc_aime")) == "formatting.asy"


@pytest.mark.parametrize(
    ("small", "large", "drop_solved_by", "is_dropped"),
    [
        (True, False, ("small", "large"), True),
        (False, True, ("small", "large"), True),
        (False, False, ("small", "large"), False),
        (True, False, ("large",), False),
        (False, True, ("small",), False),
        (True, True, (), False),
    ],
)
def test_drop_solved_by_names_the_models_whose_correct_attempt_drops(small, large, drop_solved_by, is_dropped):
    question = make_question("a", small_grade=small, large_grade=large)
    assert fate(question, drop_solved_by=drop_solved_by) == ("difficulty.solved" if is_dropped else None)


def test_a_question_without_a_grade_is_not_solved():
    question = make_question("a", small_grade=None, large_grade=None)
    assert fate(question, requires=("domain", "trace_length"), drop_solved_by=("small", "large")) is None


@pytest.mark.parametrize("rule", ["decontamination.ngram", "decontamination.short"])
def test_decontaminate_drops_what_overlaps(rule):
    question = make_question("a", contamination=rule)
    assert fate(question) == rule
    assert fate(question, decontaminate=False) is None


@pytest.mark.parametrize(
    ("options", "stages"),
    [
        ({}, ["pool", "decontamination", "annotation", "formatting", "selection"]),
        ({"decontaminate": False}, ["pool", "annotation", "formatting", "selection"]),
        (
            {"drop_solved_by": ("small",)},
            ["pool", "decontamination", "annotation", "formatting", "difficulty", "selection"],
        ),
        ({"near_duplicates": True, "drop_solved_by": ("small",)}, list(STAGES)),
        (
            {"requires": (), "rules": (), "method": "random"},
            ["pool", "decontamination", "annotation", "formatting", "selection"],
        ),
    ],
)
def test_the_ledger_holds_the_stages_that_ran_in_order(options, stages):
    result = curate(make_columns([make_question("a")]), Recipe(**options), np.zeros(1, dtype=bool))
    assert [stage.name for stage in result.ledger] == stages


def test_a_question_is_dropped_by_the_first_stage_that_hits_it():
    marks = {
        "contamination": "decontamination.short",
        "domain": "",
        "flags": PART_NUMBER,
        "small_grade": True,
    }
    expected = ["decontamination.short", "annotation.missing", "formatting.part_number", "difficulty.solved", None]
    for place, rule in enumerate(expected):
        left = dict(list(marks.items())[place:])
        assert fate(make_question("a", **left), drop_solved_by=("small",)) == rule


def test_near_duplicates_are_dropped_where_the_recipe_says_so():
    questions = [make_question(str(place)) for place in range(4)]
    questions[3] = replace(questions[3], contamination="decontamination.ngram")
    columns = make_columns(questions)
    repeats = np.array([False, True, False, True])
    result = curate(columns, Recipe(near_duplicates=True), repeats)
    assert fates_by_hash(columns, result.fates)[questions[1].question_hash] == "deduplication.near"
    # what an earlier stage dropped is not counted again
    assert result.ledger[2].to_json() == {
        "stage": "deduplication",
        "in": 3,
        "out": 2,
        "dropped": {"deduplication.near": 1},
    }
    assert len(curate(columns, Recipe(), repeats).hashes) == 3


def test_near_duplicates_must_have_been_looked_for():
    with pytest.raises(ConfigError, match="the recipe drops near duplicates, but they were not looked for"):
        curate(make_columns([]), Recipe(near_duplicates=True))


def hashes(questions: list[Question], **options) -> list[str]:
    return list(curate(make_columns(questions), Recipe(**options)).hashes)


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    """Sixty clean questions of three domains, of unequal lengths."""
    return [
        make_question(str(place), domain=["03", "11", "81"][place % 3], trace_tokens=place) for place in range(60)
    ]


@pytest.mark.parametrize("method", ["rank", "diverse", "random"])
def test_the_seed_decides_a_draw(questions, method):
    drawn = [hashes(questions, method=method, size=20, seed=seed) for seed in (0, 0, 1, 2**63 - 1)]
    assert drawn[0] == drawn[1]
    assert len({tuple(one) for one in drawn}) == 3


@pytest.mark.parametrize("method", ["longest", "full"])
def test_the_seed_does_not_matter_where_nothing_is_drawn(questions, method):
    assert hashes(questions, method=method, size=20, seed=0) == hashes(questions, method=method, size=20, seed=1)


@pytest.mark.parametrize("method", ["rank", "diverse", "random", "longest"])
def test_a_smaller_size_is_the_beginning_of_a_larger_one(questions, method):
    larger = hashes(questions, method=method, size=40)
    assert len(larger) == 40
    assert hashes(questions, method=method, size=15) == larger[:15]


def test_every_method_selects_in_its_own_way(questions):
    selected = {
        method: hashes(questions, method=method, size=20) for method in ("rank", "diverse", "random", "longest")
    }
    assert len({tuple(one) for one in selected.values()}) == 4
    assert selected["longest"] == [question.question_hash for question in reversed(questions)][:20]
    assert hashes(questions, method="full", size=20) == sorted(question.question_hash for question in questions)
    tokens = {question.question_hash: question.trace_tokens for question in questions}
    # ranks favour long traces, the uniform draw does not
    means = {method: sum(tokens[one] for one in selected[method]) / 20 for method in selected}
    assert means["longest"] > means["rank"] > max(means["diverse"], means["random"]) + 5


PICKS = [
    (GPQA, True, 1, True),
    (AIME, True, 1, True),
    ("gpqa", True, 0, True),
    (MATH, True, 5_601, True),
    (MATH, True, 5_600, False),
    (NUMINA, True, 9_000, False),
    ("AI-MO/NuminaMath-CoT/amc_aime", True, 9_000, False),
    (GPQA, False, 9_000, False),
    (GPQA, None, 9_000, False),
    (AIME, False, 1, False),
    (MATH, False, 9_000, False),
    (MATH, True, None, False),
]


@pytest.mark.parametrize(("source", "grade", "tokens", "is_whole"), PICKS)
def test_take_whole_takes_the_benchmark_like_picks(source, grade, tokens, is_whole):
    question = make_question("a", source=source, trace_grade=grade, trace_tokens=tokens)
    options = {"requires": (), "method": "random"}
    assert curate(make_columns([question]), Recipe(take_whole=True, **options)).num_whole == is_whole
    assert curate(make_columns([question]), Recipe(**options)).num_whole == 0


def test_whole_taken_picks_come_first_longest_first_and_count_towards_the_size(questions):
    picks = [make_question(f"pick {n}", source=GPQA, trace_grade=True, trace_tokens=n // 2) for n in range(6)]
    expected = [q.question_hash for q in sorted(picks, key=lambda q: (-q.trace_tokens, q.question_hash))]
    result = curate(make_columns([*questions, *picks]), Recipe(take_whole=True, size=10))
    assert list(result.hashes[:6]) == expected
    assert (len(result.hashes), result.num_whole, result.warnings) == (10, 6, ())
    assert len(set(result.hashes)) == 10
    # the draws are those of the pool without the picks
    assert list(result.hashes[6:]) == hashes(questions, size=4)


def test_more_picks_than_the_size_are_cut_to_the_longest_with_a_warning():
    picks = [make_question(f"pick {n}", source=AIME, trace_grade=True, trace_tokens=n) for n in range(6)]
    result = curate(make_columns(picks), Recipe(take_whole=True, size=2))
    assert list(result.hashes) == [picks[5].question_hash, picks[4].question_hash]
    assert result.num_whole == 2
    assert result.warnings == (
        "6 benchmark-like questions would be taken whole; the 2 with the longest traces fill the selection",
    )
    assert result.ledger[-1].to_json() == {
        "stage": "selection",
        "in": 6,
        "out": 2,
        "dropped": {"selection.not_drawn": 4},
    }


def test_long_math_tokens_is_the_length_above_which_math_is_taken_whole():
    questions = [make_question(str(n), source=MATH, trace_grade=True, trace_tokens=n) for n in (10, 11, 12)]
    for long_math_tokens, num_whole in [(9, 3), (10, 2), (11, 1), (12, 0), (5_600, 0)]:
        recipe = Recipe(take_whole=True, long_math_tokens=long_math_tokens)
        assert curate(make_columns(questions), recipe).num_whole == num_whole


@pytest.mark.parametrize(("take_whole", "num_whole"), [(False, 0), (True, 3)])
def test_benchmark_weighted_after_counts_whole_taken_picks_too(take_whole, num_whole):
    # AIME's questions, which alone have weight, stand in domain 11: graded wrong but for three
    aime = [make_question(f"aime {n}", source=AIME, domain="11", trace_grade=n < 3) for n in range(40)]
    others = [make_question(str(n), domain=f"{n % 20 + 20}") for n in range(200)]
    domains = {question.question_hash: question.domain for question in [*aime, *others]}
    options = {"size": 30, "take_whole": take_whole}
    never = hashes([*aime, *others], **options)
    for after in (3, 10, 29, 30):
        drawn = hashes([*aime, *others], benchmark_weighted_after=after, **options)
        assert drawn[:after] == never[:after]
        assert {domains[one] for one in drawn[after:]} <= {"11"}
        assert (drawn == never) == (after == 30)
    assert Counter(domains[one] for one in never)["11"] < 12
    assert sum(domains[one] == "11" for one in never[:num_whole]) == num_whole


def test_the_benchmark_distribution_is_that_of_the_hard_pool():
    # AIME's question in domain 51 is solved, so 51 has no weight; GPQA's two count for half of AIME's one each: 0
    pool = [make_question(f"51 {n}", domain="51") for n in range(30)] + [
        make_question("solved", source=AIME, domain="51", small_grade=True),
        make_question("hard", source=AIME, domain="11"),
        *(make_question(f"11 {n}", domain="11") for n in range(30)),
        *(make_question(f"gpqa {n}", source=GPQA, domain="51") for n in range(2)),
    ]
    recipe = Recipe(drop_solved_by=("small",), benchmark_weighted_after=0, size=20)
    columns = make_columns(pool)
    selected = curate(columns, recipe).selected
    assert {columns.domain_names[columns.domain[row]] for row in selected} == {"11"}
    # without the difficulty stage AIME has two, and 51 gets its weight
    selected = curate(columns, replace(recipe, drop_solved_by=())).selected
    assert {columns.domain_names[columns.domain[row]] for row in selected} == {"11", "51"}


def test_a_pool_without_grades_and_lengths_can_be_drawn_by_domain_alone():
    questions = [
        Question(f"{n:016x}", domain="Geometry" if n % 2 else "", small_grade=None, trace_tokens=None)
        for n in range(20)
    ]
    result = curate(make_columns(questions), Recipe(requires=("domain",), method="diverse", size=5))
    assert len(result.hashes) == 5
    assert result.ledger[2].to_json() == {
        "stage": "annotation",
        "in": 20,
        "out": 10,
        "dropped": {"annotation.missing": 10},
    }


# --- what a run reports ------------------------------------------------------------------------------------


def test_fewer_questions_than_asked_for_are_told(questions):
    result = curate(make_columns(questions), Recipe(size=2_000))
    assert len(result.hashes) == 60
    assert result.warnings == ("60 of the 2,000 questions asked for: no more are left that can be drawn",)
    assert curate(make_columns(questions), Recipe(size=2_000, method="full")).warnings == ()


def test_the_selected_rows_are_the_hashes(questions):
    columns = make_columns(questions, num_rows=75)
    result = curate(columns, Recipe(size=7))
    assert [columns.hashes[row].decode() for row in result.selected] == list(result.hashes)
    assert np.flatnonzero(result.fates == SELECTED).tolist() == sorted(result.selected.tolist())
    assert result.ledger[0].to_json() == {"stage": "pool", "in": 75, "out": 60, "dropped": {"pool.duplicate": 15}}
    assert result.sha256 == twin.selection_sha256(list(result.hashes))


@pytest.mark.parametrize("preset", PRESETS)
def test_an_empty_pool_gives_an_empty_selection(preset):
    result = curate(make_columns([]), PRESETS[preset])
    assert result.hashes == ()
    assert result.sha256 == twin.selection_sha256([])
    assert all((stage.num_in, stage.num_out, stage.dropped) == (0, 0, {}) for stage in result.ledger)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_order_and_the_batches_of_rows_carry_no_meaning(preset):
    rng = random.Random(3)
    rows = make_rows(rng, 150)
    straight = curate(to_columns(rows, EVALUATION_QUESTIONS), replace(PRESETS[preset], size=20))
    for _ in range(3):
        shuffled = curate(to_columns(rows, EVALUATION_QUESTIONS, shuffle=rng), replace(PRESETS[preset], size=20))
        assert (shuffled.hashes, shuffled.sha256, shuffled.ledger) == (
            straight.hashes,
            straight.sha256,
            straight.ledger,
        )


def test_columns_keep_what_the_questions_say():
    questions = to_questions(make_rows(random.Random(4), 60), EVALUATION_QUESTIONS)
    columns = make_columns(questions)
    for row, question in enumerate(questions):
        assert columns.hashes[row].decode() == question.question_hash
        assert columns.source_names[columns.source[row]] == question.source
        assert ("", *columns.domain_names)[columns.domain[row] + 1] == question.domain
        for column, grade in [
            (columns.small_grade, question.small_grade),
            (columns.large_grade, question.large_grade),
            (columns.trace_grade, question.trace_grade),
        ]:
            assert {-1: None, 0: False, 1: True}[int(column[row])] is grade
        assert columns.trace_tokens[row] == (-1 if question.trace_tokens is None else question.trace_tokens)
        assert columns.flags[row] == question.flags
        assert (None, "decontamination.ngram", "decontamination.short")[
            columns.contamination[row]
        ] == question.contamination
    assert len(columns) == columns.num_rows == len(questions)
