"""Running a recipe over the pool: what is kept, under which name, and what a user is told."""

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from curation.demo.pool import DemoPool
from curation.errors import ConfigError, ConflictError, NotFoundError
from curation.hashing import question_hash
from curation.presets import PRESETS, Recipe, recipe_from_toml
from s1web.pool.contamination import check_contamination, overrule
from s1web.pool.models import (
    Attempt,
    Contamination,
    Grade,
    ImportFile,
    LoadedRow,
    Question,
    Tokenizer,
    Trace,
    TraceLength,
)
from s1web.selections.models import CurationRun, Decision, Selection, SelectionMember
from s1web.selections.services import curate, find_selection, outcome_json
from s1web.selections.snapshot import choose_tokenizer, take_snapshot
from s1web.versions import code_version
from tests.factories import EVALUATION_QUESTIONS, make_rows
from tests.s1web.pools import find, load_problems, load_rows
from tests.twin import slow_recipe as twin

SMALL = replace(PRESETS["paper"], size=60)
# asks for nothing, so that a question alone can be selected
BARE = Recipe(name="bare", method="random", requires=(), size=5)


@pytest.fixture
def bare_pool(db: None, tmp_path: Path) -> list[str]:
    """Twenty questions without any annotation."""
    texts = [f"How many sails has ship number {number} of the harbour?" for number in range(20)]
    load_rows(tmp_path, [{"question": text} for text in texts])
    return texts


def text_of(hashes: Sequence[str]) -> list[str]:
    texts = dict(Question.objects.values_list("question_hash", "text"))
    return [texts[hash_] for hash_ in hashes]


# --- what a run keeps ------------------------------------------------------------------------------------


def test_a_run_keeps_everything_that_replays_it(demo_pool: DemoPool) -> None:
    curated = curate(replace(SMALL, seed=4))
    run = CurationRun.objects.get()
    assert (run.seed, run.code_version, run.selection) == (4, code_version(), curated.selection)
    # what was left open is recorded as it was decided
    assert run.recipe == replace(SMALL, seed=4, tokenizer="gemini_length", benchmarks=("demo",)).to_json()
    assert recipe_from_toml(run.recipe_toml).to_json() == run.recipe
    assert re.fullmatch("[0-9a-f]{64}", run.pool_fingerprint)
    again = curate(recipe_from_toml(run.recipe_toml))
    assert again.result.hashes == curated.result.hashes
    assert again.run.pool_fingerprint == run.pool_fingerprint


def test_members_stand_in_the_selections_order_and_know_whether_they_were_taken_whole(demo_pool: DemoPool) -> None:
    curated = curate(SMALL)
    members = list(curated.selection.members.order_by("position").select_related("question"))
    assert [member.question.question_hash for member in members] == list(curated.result.hashes)
    assert [member.position for member in members] == list(range(60))
    rows = {row["question_hash"]: row for row in twin.merge_pool(demo_pool.rows)}
    whole = [twin.is_taken_whole(rows[member.question.question_hash]) for member in members]
    assert [member.is_whole for member in members] == whole
    assert 0 < sum(whole) < 60
    assert curated.selection.sha256 == twin.selection_sha256(curated.result.hashes)


def test_every_question_has_one_fate(demo_pool: DemoPool) -> None:
    curated = curate(SMALL)
    dropped = set(Decision.objects.values_list("question_id", flat=True))
    selected = set(SelectionMember.objects.values_list("question_id", flat=True))
    assert not dropped & selected
    assert dropped | selected == set(Question.objects.values_list("pk", flat=True))
    assert Decision.objects.count() == len(dropped)
    by_rule = {rule: count for stage in curated.run.ledger[1:] for rule, count in stage["dropped"].items()}
    assert {rule: Decision.objects.filter(rule=rule).count() for rule in by_rule} == by_rule


def test_the_outcome_has_the_contracts_keys(demo_pool: DemoPool) -> None:
    curated = curate(SMALL)
    outcome = outcome_json(curated)
    assert list(outcome)[:6] == ["run", "selection", "size", "sha256", "ledger", "hashes"]
    assert (outcome["run"], outcome["selection"], outcome["size"]) == (curated.run.pk, "paper-60-seed0", 60)
    assert [list(stage) for stage in outcome["ledger"]] == [["stage", "in", "out", "dropped"]] * 6
    assert len(outcome["hashes"]) == 60


def test_a_run_that_fails_keeps_nothing(demo_pool: DemoPool, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> Any:
        yield from ()
        raise IntegrityError("the disk went away")

    monkeypatch.setattr("s1web.selections.services._decisions", fail)
    with pytest.raises(IntegrityError, match="disk went away"), transaction.atomic():
        curate(SMALL)
    assert not Selection.objects.exists()
    assert not CurationRun.objects.exists()


# --- names -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recipe", "name"),
    [
        (BARE, "bare-5-seed0"),
        (replace(BARE, seed=7), "bare-5-seed7"),
        (replace(BARE, size=9), "bare-9-seed0"),
        (replace(BARE, name="full", method="full"), "full-seed0"),
        (replace(BARE, name="own words"), "own words-5-seed0"),
    ],
)
def test_a_selection_is_named_after_recipe_size_and_seed(bare_pool: list[str], recipe: Recipe, name: str) -> None:
    assert curate(recipe).selection.name == name


def test_a_given_name_is_kept_as_it_stands(bare_pool: list[str]) -> None:
    assert curate(BARE, name="My café selection, v1.0").selection.name == "My café selection, v1.0"


@pytest.mark.parametrize("name", ["", "mine"])
def test_the_same_run_again_uses_the_same_selection(bare_pool: list[str], name: str) -> None:
    first, second = curate(BARE, name=name), curate(BARE, name=name)
    assert first.selection == second.selection
    assert first.run != second.run
    assert Selection.objects.get().run == second.run
    assert (Selection.objects.count(), SelectionMember.objects.count()) == (1, 5)
    assert Decision.objects.filter(run=second.run).count() == 15


def test_a_frozen_name_is_not_given_to_other_questions(bare_pool: list[str]) -> None:
    kept = curate(BARE, name="mine")
    with pytest.raises(ConflictError, match=r"selection 'mine' exists with other questions .* another --name"):
        curate(replace(BARE, seed=1), name="mine")
    members = kept.selection.members.order_by("position").values_list("question__question_hash", flat=True)
    assert tuple(members) == kept.result.hashes
    assert CurationRun.objects.count() == 1


def test_a_default_name_that_is_taken_gets_a_number(bare_pool: list[str], tmp_path: Path) -> None:
    names = [curate(BARE).selection.name]
    for number in range(3):
        load_rows(tmp_path, [{"question": f"A later question, {number}{i}?"} for i in range(40)], f"later{number}")
        names.append(curate(BARE).selection.name)
    assert names == ["bare-5-seed0", "bare-5-seed0-2", "bare-5-seed0-3", "bare-5-seed0-4"]
    # the newest of them again, not a fifth
    assert curate(BARE).selection.name == "bare-5-seed0-4"


@pytest.mark.parametrize("name", ["a/b", "a\\b", "a\nb", "a\0b", "x" * 121])
def test_a_name_that_no_folder_could_have_is_refused(bare_pool: list[str], name: str) -> None:
    with pytest.raises(ConfigError, match="names no selection; give up to 120 characters, no slashes"):
        curate(BARE, name=name)


def test_a_name_of_120_characters_is_allowed(bare_pool: list[str]) -> None:
    assert len(curate(BARE, name="x" * 120).selection.name) == 120


def test_a_selection_is_found_by_name_or_the_names_there_are_listed(bare_pool: list[str]) -> None:
    with pytest.raises(NotFoundError, match=r"no selection 'mine' \(there: none yet\); make one with curate"):
        find_selection("mine")
    made = curate(BARE, name="mine").selection
    assert find_selection("mine") == made
    with pytest.raises(NotFoundError, match=r"no selection 'theirs' \(there: mine\)"):
        find_selection("theirs")


# --- what a user is told ---------------------------------------------------------------------------------


def test_an_empty_pool_says_to_load_questions(db: None) -> None:
    with pytest.raises(NotFoundError, match="the pool is empty; load questions with load_pool first"):
        curate(SMALL)


def test_when_nothing_is_left_the_funnel_says_where_it_went(bare_pool: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"nothing is left to select: .*annotation 20 -> 0.*requires less"):
        curate(SMALL)
    assert not CurationRun.objects.exists()


@pytest.mark.parametrize(
    ("recipe", "warning"),
    [
        (BARE, "no benchmark is loaded, so nothing was decontaminated; load them with load_benchmark"),
        (replace(BARE, size=50), "20 of the 50 questions asked for: no more are left that can be drawn"),
    ],
)
def test_a_run_warns_and_keeps_the_warning(bare_pool: list[str], recipe: Recipe, warning: str) -> None:
    curated = curate(recipe)
    assert warning in curated.result.warnings
    assert curated.run.warnings == list(curated.result.warnings) == outcome_json(curated)["warnings"]


def test_a_run_that_went_as_asked_warns_of_nothing(bare_pool: list[str], tmp_path: Path) -> None:
    load_problems(tmp_path, EVALUATION_QUESTIONS)
    assert curate(BARE).result.warnings == ()
    # not decontaminating on purpose is nothing to warn of
    assert curate(replace(BARE, decontaminate=False)).result.warnings == ()


def test_a_run_says_when_most_questions_lack_what_the_recipe_requires(bare_pool: list[str], tmp_path: Path) -> None:
    load_rows(tmp_path, [{"question": f"Question {n}?", "domain": "05"} for n in range(15)], "with-domain")
    recipe = replace(BARE, method="diverse", requires=("domain",))
    warnings = curate(recipe).result.warnings
    assert any(re.match("of 35 questions, domain 20 are without an annotation", text) for text in warnings)
    load_rows(tmp_path, [{"question": f"Next {n}?", "domain": "05"} for n in range(15)], "more-with-domain")
    assert not any("without an annotation" in text for text in curate(recipe).result.warnings)


# --- decontamination -------------------------------------------------------------------------------------


def test_questions_loaded_since_the_last_check_are_compared_first(bare_pool: list[str], tmp_path: Path) -> None:
    load_problems(tmp_path, EVALUATION_QUESTIONS)
    assert curate(replace(BARE, method="full")).selection.size == 20
    load_rows(tmp_path, [{"question": f"Solve: {EVALUATION_QUESTIONS[0]}"}], "leak")
    curated = curate(replace(BARE, method="full"))
    assert curated.selection.size == 20
    assert curated.run.ledger[1]["dropped"] == {"decontamination.ngram": 1}


def test_a_recipe_names_its_benchmarks(bare_pool: list[str], tmp_path: Path) -> None:
    load_problems(tmp_path, [bare_pool[0]], "one")
    load_problems(tmp_path, [bare_pool[1]], "two")
    full = replace(BARE, method="full")
    # the questions differ in one word: each problem shares an 8-gram with all, but for what comes before the number
    kept = {names: curate(replace(full, benchmarks=names)).selection.size for names in [("one",), ("two",)]}
    assert kept == {("one",): 19, ("two",): 19}
    assert curate(full).selection.size == 18
    assert curate(replace(full, decontaminate=False)).selection.size == 20
    with pytest.raises(NotFoundError, match=r"benchmark 'three' is not loaded \(there: one, two\)"):
        curate(replace(full, benchmarks=("one", "three")))


def test_an_overruled_question_comes_back_with_its_reason_kept(bare_pool: list[str], tmp_path: Path) -> None:
    load_problems(tmp_path, bare_pool[:2])
    full = replace(BARE, method="full")
    assert curate(full).selection.size == 18
    overrule(question_hash(bare_pool[0]), reason="a folk song, not a leak", decided_by="ada")
    curated = curate(full)
    assert bare_pool[0] in text_of(curated.result.hashes)
    assert bare_pool[1] not in text_of(curated.result.hashes)
    evidence = Contamination.objects.get(question=find(bare_pool[0]))
    assert (evidence.decision, evidence.reason, evidence.decided_by) == (
        "overruled",
        "a folk song, not a leak",
        "ada",
    )
    # looking with shorter n-grams does not forget the decision on that pair either
    shorter = curate(replace(full, ngram_words=7))
    assert bare_pool[0] in text_of(shorter.result.hashes)


@pytest.mark.parametrize("ngram_words", [5, 7, 8, 9, 12])
def test_n_grams_of_another_length_drop_what_the_slow_recipe_says(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ngram_words: int
) -> None:
    rows = make_rows(random.Random(11), 400, contaminated=0.4, repeated=0)
    load_rows(tmp_path, rows)
    load_problems(tmp_path, EVALUATION_QUESTIONS)
    monkeypatch.setattr(twin, "NGRAM_WORDS", ngram_words)
    expected = {
        twin.question_hash(row["question"]): twin.is_contaminated(row["question"], EVALUATION_QUESTIONS)
        for row in rows
    }
    curated = curate(replace(BARE, method="full", ngram_words=ngram_words, rules=()))
    found = dict(Decision.objects.values_list("question__question_hash", "rule"))
    assert found == {hash_: rule for hash_, rule in expected.items() if rule}
    assert set(curated.result.hashes) == {hash_ for hash_, rule in expected.items() if not rule}
    assert len(found) > 20


def test_each_length_of_n_grams_draws_another_line(db: None, tmp_path: Path) -> None:
    load_rows(tmp_path, make_rows(random.Random(11), 400, contaminated=0.4, repeated=0))
    load_problems(tmp_path, EVALUATION_QUESTIONS)
    sizes = [curate(replace(BARE, method="full", ngram_words=n)).selection.size for n in (5, 7, 8, 9, 12)]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 5


# --- near duplicates -------------------------------------------------------------------------------------


def test_near_duplicates_go_where_the_recipe_says_so(demo_pool: DemoPool) -> None:
    without = curate(replace(SMALL, name="without"))
    assert "deduplication" not in [stage["stage"] for stage in without.run.ledger]
    near = curate(replace(SMALL, near_duplicates=True))
    stage = near.run.ledger[2]
    assert stage == {"stage": "deduplication", "in": 268, "out": 256, "dropped": {"deduplication.near": 12}}
    dropped = set(
        Decision.objects.filter(run=near.run, rule="deduplication.near").values_list(
            "question__question_hash", flat=True
        )
    )
    pairs = zip(demo_pool.planted["deduplication.near"], demo_pool.planted["kept.near_original"], strict=True)
    assert all(len({one, other} & dropped) == 1 for one, other in pairs)


def test_the_threshold_decides_what_is_near(bare_pool: list[str], tmp_path: Path) -> None:
    words = [f"word{'abcdefghij'[n % 10]}{'klmnopqrst'[n // 10]}" for n in range(60)]
    load_rows(tmp_path, [{"question": " ".join(words)}, {"question": " ".join([*words[:-6], *"uvwxyz"])}], "pair")
    recipe = replace(BARE, method="full", near_duplicates=True)
    # 52 of 64 shingles are shared: a similarity of 0.8125
    assert curate(replace(recipe, near_threshold=0.75)).run.ledger[2]["dropped"] == {"deduplication.near": 1}
    assert curate(replace(recipe, near_threshold=0.82)).run.ledger[2]["dropped"] == {}


# --- whose traces, whose counts --------------------------------------------------------------------------


@pytest.fixture
def traced_pool(db: None, tmp_path: Path) -> list[str]:
    """Ten questions with a trace by `old` (length 100 + number) and one by `new` (length 300 - number)."""
    texts = [f"How tall is tower number {number}?" for number in range(10)]
    for generator, tokens, right in (("old", range(100, 110), True), ("new", range(300, 290, -1), False)):
        rows = [
            {
                "question": text,
                "domain": "05",
                "thinking": f"{generator} thinks of {text}",
                "attempt": "7",
                "generator": generator,
                "trace_tokens": count,
                "trace_grade": right,
            }
            for text, count in zip(texts, tokens, strict=True)
        ]
        load_rows(tmp_path, rows, generator)
    return texts


def test_a_recipe_goes_by_the_traces_of_the_generator_it_names(traced_pool: list[str]) -> None:
    longest = Recipe(method="longest", requires=("trace_length",), size=3)
    assert text_of(curate(longest).result.hashes) == traced_pool[:-4:-1]
    assert text_of(curate(replace(longest, generator="old")).result.hashes) == traced_pool[:-4:-1]
    assert text_of(curate(replace(longest, generator="new")).result.hashes) == traced_pool[:3]


def test_the_grade_is_that_of_the_generators_own_trace(traced_pool: list[str], tmp_path: Path) -> None:
    graded = Recipe(method="full", requires=("trace_grade",))
    snapshots = {name: take_snapshot(replace(graded, generator=name), {}) for name in ("", "old", "new")}
    assert {name: set(taken.columns.trace_grade.tolist()) for name, taken in snapshots.items()} == {
        "": {1},
        "old": {1},
        "new": {0},
    }


def test_of_a_generators_traces_the_first_with_thinking_counts(db: None, tmp_path: Path) -> None:
    attempts = [("", "no thinking", 1), ("Hm.", "first", 20), ("Hm, hm, hm.", "second", 30)]
    for thinking, attempt, tokens in attempts:
        row = {"question": "Whose?", "thinking": thinking, "attempt": attempt, "generator": "old"}
        load_rows(tmp_path, [row | {"trace_tokens": tokens, "trace_grade": attempt == "first"}], attempt)
    for generator in ("", "old"):
        columns = take_snapshot(Recipe(generator=generator), {}).columns
        assert (columns.trace_tokens.tolist(), columns.trace_grade.tolist()) == ([20], [1])


def test_a_question_without_a_trace_of_that_generator_has_none(traced_pool: list[str], tmp_path: Path) -> None:
    load_rows(tmp_path, [{"question": "Alone?", "thinking": "Hm.", "generator": "old", "trace_tokens": 999}], "alone")
    longest = Recipe(method="longest", requires=("trace_length",), size=11)
    assert text_of(curate(replace(longest, generator="old")).result.hashes)[0] == "Alone?"
    curated = curate(replace(longest, generator="new"))
    assert curated.selection.size == 10
    assert Decision.objects.get(run=curated.run, question=find("Alone?")).rule == "annotation.missing"


def test_a_generator_that_is_not_there_is_named_with_those_that_are(traced_pool: list[str]) -> None:
    with pytest.raises(NotFoundError, match=r"no traces by generator 'newer' \(there: 'new', 'old'\)"):
        curate(Recipe(generator="newer"))


def add_counts(name: str, counts: dict[str, int], fingerprint: str = "") -> None:
    tokenizer = Tokenizer.objects.create(name=name, fingerprint=fingerprint)
    for text, tokens in counts.items():
        TraceLength.objects.create(trace_id=find(text).trace_id, tokenizer=tokenizer, tokens=tokens)


def test_lengths_come_from_the_named_tokenizer_alone(traced_pool: list[str]) -> None:
    add_counts("other", dict.fromkeys(traced_pool[:4], 5))
    longest = Recipe(method="longest", requires=("trace_length",), size=10, tokenizer="other")
    curated = curate(longest)
    # six questions have a count, but not by this tokenizer
    assert sorted(text_of(curated.result.hashes)) == sorted(traced_pool[:4])
    assert curated.run.ledger[2]["dropped"] == {"annotation.missing": 6}
    assert curated.run.recipe["tokenizer"] == "other"


def test_without_a_name_the_tokenizer_that_counted_most_is_used_and_recorded(traced_pool: list[str]) -> None:
    longest = Recipe(method="longest", requires=("trace_length",), size=10)
    add_counts("few", dict.fromkeys(traced_pool[:9], 5))
    assert curate(longest).run.recipe["tokenizer"] == "trace_tokens"
    # of equals the one that we ran ourselves
    TraceLength.objects.filter(trace__generator="new").delete()
    add_counts("ours", dict.fromkeys(traced_pool, 5), fingerprint="f" * 64)
    add_counts("zeros", dict.fromkeys(traced_pool, 5))
    assert choose_tokenizer("").name == "ours"
    assert curate(longest).run.recipe["tokenizer"] == "ours"


def test_a_tokenizer_that_counted_nothing_is_named_with_those_that_did(traced_pool: list[str]) -> None:
    Tokenizer.objects.create(name="idle")
    with pytest.raises(NotFoundError, match=r"no trace lengths by tokenizer 'idle' \(there: trace_tokens\)"):
        curate(replace(SMALL, tokenizer="idle"))


# --- the pool's fingerprint ------------------------------------------------------------------------------


def fingerprint(**options: Any) -> str:
    return take_snapshot(Recipe(**options), {}).fingerprint


CHANGES = {
    "a grade": lambda: Question.objects.filter(small_grade=False).order_by("pk").update(small_grade=True),
    "a large grade": lambda: Question.objects.filter(large_grade=False).update(large_grade=None),
    "a trace's grade": lambda: Question.objects.filter(trace_grade=True).update(trace_grade=False),
    "a domain": lambda: Question.objects.filter(pk=Question.objects.earliest("pk").pk).update(domain="zz"),
    "a length": lambda: TraceLength.objects.filter(pk=TraceLength.objects.earliest("pk").pk).update(tokens=1),
    "a length less": lambda: TraceLength.objects.filter(pk=TraceLength.objects.earliest("pk").pk).delete(),
    "a flag": lambda: Question.objects.filter(quality_flags=0).update(quality_flags=2),
    "a source": lambda: Question.objects.update(source=Question.objects.latest("pk").source),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_fingerprint_changes_with_anything_a_recipe_looks_at(demo_pool: DemoPool, change: str) -> None:
    before = fingerprint()
    assert fingerprint() == before
    CHANGES[change]()
    assert fingerprint() != before


def test_the_fingerprint_changes_with_a_question_more(demo_pool: DemoPool, tmp_path: Path) -> None:
    before = fingerprint()
    load_rows(tmp_path, [{"question": "One more?"}], "more")
    assert fingerprint() != before


def test_the_fingerprint_changes_with_a_repeated_row_more(demo_pool: DemoPool, tmp_path: Path) -> None:
    """The ledger's first line counts it, and the run could not be replayed without it."""
    before = fingerprint()
    load_rows(tmp_path, [demo_pool.rows[0] | {"metadata": "again"}], "again")
    assert fingerprint() != before


def test_the_fingerprint_changes_with_what_is_contaminated(demo_pool: DemoPool) -> None:
    check_contamination()
    pk = Question.objects.earliest("pk").pk
    clean, short, ngram = (
        take_snapshot(Recipe(), rules).fingerprint
        for rules in ({}, {pk: "decontamination.short"}, {pk: "decontamination.ngram"})
    )
    assert len({clean, short, ngram}) == 3


def test_equal_pools_have_equal_fingerprints_whatever_their_keys(demo_pool: DemoPool, tmp_path: Path) -> None:
    before = fingerprint()
    for model in (TraceLength, Trace, Grade, Attempt, LoadedRow, Question, ImportFile):
        model.objects.all().delete()
    assert Question.objects.count() == 0
    load_rows(tmp_path, demo_pool.rows[::-1], "reversed")
    assert Question.objects.earliest("pk").text != demo_pool.rows[0]["question"]
    assert fingerprint() == before


# --- cost ------------------------------------------------------------------------------------------------


def test_a_run_asks_the_same_number_of_queries_whatever_the_pool(demo_pool: DemoPool, tmp_path: Path) -> None:
    def count(seed: int) -> int:
        with CaptureQueriesContext(connection) as queries:
            curate(replace(SMALL, seed=seed))
        return len(queries)

    check_contamination()
    before = count(1)
    more = [row | {"question": f"{row['question']} (a second time)"} for row in demo_pool.rows]
    load_rows(tmp_path, more, "more")
    check_contamination()
    assert count(2) == before
