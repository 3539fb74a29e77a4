"""A preview is what a run then stores, writes nothing, and does not read the pool twice."""

import random
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.demo.pool import DemoPool
from curation.errors import NotFoundError
from curation.presets import ANNOTATIONS, METHODS, MODELS, PRESETS, Recipe
from curation.quality import FORMATTING_RULES
from s1web.pool.contamination import check_contamination, overrule
from s1web.pool.models import Contamination, Problem, Question
from s1web.pool.version import bump, pool_version
from s1web.selections import preview as previews
from s1web.selections.kept import Kept, Waiting
from s1web.selections.models import CurationRun, Decision, Selection, SelectionMember
from s1web.selections.preview import Asked, Preview, make_preview
from s1web.selections.services import curate
from tests.factories import EVALUATION_QUESTIONS, make_rows
from tests.s1web.pools import load_problems, load_rows

TABLES = (CurationRun, Decision, Selection, SelectionMember, Contamination, Question, Problem)


def counts() -> dict[str, int]:
    return {table.__name__: table.objects.count() for table in TABLES}


def assert_equal_to_a_run(recipe: Recipe) -> Preview:
    """The preview's ledger, hashes and recipe are those that the run of it stores right after."""
    preview = make_preview(Asked(recipe, looks_for_near=True))
    curated = curate(recipe)
    assert [stage.to_json() for stage in preview.result.ledger] == curated.run.ledger
    assert preview.result.hashes == curated.result.hashes
    assert preview.result.sha256 == curated.selection.sha256
    assert preview.recipe.to_json() == curated.run.recipe
    return preview


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preview_is_what_the_run_stores(demo_pool: DemoPool, preset):
    preview = assert_equal_to_a_run(replace(PRESETS[preset], size=40, seed=3))
    assert preview.run is None
    assert preview.warnings == tuple(CurationRun.objects.get().warnings)


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """Any recipe that its own checks let pass, over the whole form."""
    method = draw(st.sampled_from(METHODS))
    needed = {"rank": {"domain", "trace_length"}, "diverse": {"domain"}, "longest": {"trace_length"}}.get(
        method, set()
    )
    wanted = set(draw(st.sets(st.sampled_from(ANNOTATIONS)))) | needed
    return Recipe(
        name="drawn",
        size=draw(st.integers(1, 300)),
        seed=draw(st.integers(0, 50)),
        decontaminate=draw(st.booleans()),
        ngram_words=draw(st.sampled_from((5, 8, 13))),
        near_duplicates=False,
        requires=tuple(name for name in ANNOTATIONS if name in wanted),
        rules=tuple(draw(st.sets(st.sampled_from(FORMATTING_RULES)))),
        drop_solved_by=tuple(draw(st.sets(st.sampled_from(MODELS)))),
        method=method,
        take_whole=draw(st.booleans()),
        long_math_tokens=draw(st.integers(0, 9_000)),
        benchmark_weighted_after=draw(st.none() | st.integers(0, 100)),
    )


@pytest.fixture
def mixed_pool(db: None, tmp_path: Path) -> None:
    """400 invented rows with every defect, compared with their evaluation questions."""
    load_rows(tmp_path, make_rows(random.Random(4), 400))
    load_problems(tmp_path, EVALUATION_QUESTIONS)
    check_contamination()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(recipe=recipes())
def test_after_any_change_of_the_recipe_a_preview_is_what_the_run_stores(mixed_pool: None, recipe):
    assert_equal_to_a_run(recipe)


def test_near_duplicates_are_looked_for_only_when_asked_and_then_as_the_run_does(mixed_pool: None):
    texts = list(Question.objects.values_list("text", flat=True)[:30])
    Question.objects.filter(text=texts[0]).update(text=texts[1])  # the same words twice: one is a near duplicate
    recipe = replace(PRESETS["random"], size=20, near_duplicates=True)
    without = make_preview(Asked(recipe))
    assert without.is_without_near
    assert next(line for line in without.lines if line.name == "deduplication").count is None
    found = assert_equal_to_a_run(recipe)
    assert not found.is_without_near
    dropped = {line.name: line.count for line in found.lines}
    assert dropped["deduplication.near"] >= 1


def test_questions_not_yet_compared_are_compared_without_keeping_it(db: None, tmp_path: Path):
    load_rows(tmp_path, make_rows(random.Random(4), 200, contaminated=0.4))
    load_problems(tmp_path, EVALUATION_QUESTIONS)
    before = counts()
    preview = make_preview(Asked(replace(PRESETS["random"], size=20)))
    assert next(stage for stage in preview.result.ledger if stage.name == "decontamination").dropped
    assert counts() == before
    assert not Contamination.objects.exists()
    assert set(Problem.objects.values_list("checked_question_id", flat=True)) == {0}
    assert_equal_to_a_run(replace(PRESETS["random"], size=20))


def test_what_was_overruled_is_clean_in_the_preview_too(mixed_pool: None):
    recipe = replace(PRESETS["random"], size=20)
    before = make_preview(Asked(recipe)).result.ledger[1].num_out
    overrule(Contamination.objects.all()[0].question.question_hash, reason="a common phrase", decided_by="ada")
    assert make_preview(Asked(recipe)).result.ledger[1].num_out == before + 1
    assert_equal_to_a_run(recipe)


def test_nothing_is_written(demo_pool: DemoPool):
    check_contamination()
    before, version = counts(), pool_version()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        make_preview(Asked(PRESETS["paper"]))
        make_preview(Asked(replace(PRESETS["diverse"], ngram_words=6), stage="formatting"))
    written = [query["sql"] for query in queries if not query["sql"].lstrip("( ").upper().startswith("SELECT")]
    assert written == []
    assert (counts(), pool_version()) == (before, version)


def test_what_the_pool_does_not_have_is_refused_in_words(demo_pool: DemoPool):
    with pytest.raises(NotFoundError, match="benchmark 'nowhere' is not loaded"):
        make_preview(Asked(replace(PRESETS["paper"], benchmarks=("nowhere",))))
    with pytest.raises(NotFoundError, match="no trace lengths by tokenizer 'other'"):
        make_preview(Asked(replace(PRESETS["paper"], tokenizer="other")))
    with pytest.raises(NotFoundError, match="no traces by generator 'nobody'"):
        make_preview(Asked(replace(PRESETS["paper"], generator="nobody")))


def test_an_empty_pool_has_a_preview_without_rows(db: None):
    preview = make_preview(Asked(PRESETS["paper"]))
    assert not len(preview.result.selected)
    assert (preview.gone, preview.kept, preview.num_rows) == ((), (), 0)


# --- beside a run ----------------------------------------------------------------------------------------


def test_lines_stand_beside_the_newest_run_and_what_was_published(demo_pool: DemoPool):
    run = curate(replace(PRESETS["paper"], size=30)).run
    preview = make_preview(Asked(replace(PRESETS["paper"], size=30, drop_solved_by=("large",))))
    lines = {line.name: line for line in preview.lines}
    ledger = {stage["stage"]: stage for stage in run.ledger}
    assert lines["difficulty"].before == ledger["difficulty"]["out"]
    assert lines["difficulty"].change == lines["difficulty"].count - ledger["difficulty"]["out"]
    assert lines["difficulty"].change > 0
    assert lines["difficulty"].published == 24_496
    assert lines["decontamination"].published is None
    assert lines["difficulty.solved"].before == ledger["difficulty"]["dropped"]["difficulty.solved"]
    assert preview.changed == ("drop_solved_by",)


def test_a_stage_that_only_one_of_them_has_is_unknown_in_the_other(demo_pool: DemoPool):
    curate(replace(PRESETS["paper"], size=30))
    lines = {line.name: line for line in make_preview(Asked(replace(PRESETS["random"], size=30))).lines}
    assert (lines["difficulty"].count, lines["difficulty"].change) == (None, None)
    assert lines["difficulty"].before
    assert lines["selection"].published is None


def test_the_border_is_that_of_the_stage_asked_for_else_of_the_first_that_changed(demo_pool: DemoPool):
    paper = replace(PRESETS["paper"], size=30)
    assert make_preview(Asked(paper)).stage == "selection"
    curate(paper)
    assert make_preview(Asked(paper)).stage == "selection"
    assert make_preview(Asked(replace(paper, rules=()))).stage == "formatting"
    assert make_preview(Asked(replace(paper, rules=(), decontaminate=False, seed=2))).stage == "formatting"
    assert make_preview(Asked(replace(paper, rules=()), stage="difficulty")).stage == "difficulty"
    # of a stage that the recipe leaves out nothing can be shown
    assert make_preview(Asked(replace(paper, drop_solved_by=()), stage="difficulty")).stage == "selection"


def test_rows_say_what_the_run_decided_otherwise(demo_pool: DemoPool):
    run = curate(replace(PRESETS["paper"], size=30)).run
    preview = make_preview(Asked(replace(PRESETS["paper"], size=30, drop_solved_by=("large",)), "difficulty"))
    decided = dict(Decision.objects.filter(run=run).values_list("question__question_hash", "rule"))
    now = dict.fromkeys(preview.result.hashes, "selected")
    back = [row for row in preview.kept if row.was == "difficulty.solved"]
    assert back
    # what the stage itself decides otherwise comes first
    assert preview.kept[: len(back)] == tuple(back)
    for row in preview.kept:
        before = decided.get(row.question_hash, "selected")
        after = now.get(row.question_hash, "selection.not_drawn")
        assert row.was == ("" if before == after else before)
    assert {row.was for row in preview.gone} == {""}
    assert all(row.why == "solved by large" for row in preview.gone)


@pytest.mark.parametrize("num_rows", [60, 300])
def test_as_many_queries_for_a_large_pool_as_for_a_small_one(
    db: None, tmp_path: Path, django_assert_num_queries, num_rows
):
    load_rows(tmp_path, make_rows(random.Random(6), num_rows))
    load_problems(tmp_path, EVALUATION_QUESTIONS)
    check_contamination()
    curate(replace(PRESETS["random"], size=10))
    make_preview(Asked(PRESETS["paper"]))
    # in a transaction nothing is kept, so all of it is read: this is the most that a preview ever asks
    with django_assert_num_queries(28):
        make_preview(Asked(PRESETS["paper"]))


# --- kept between requests ------------------------------------------------------------------------------


@pytest.fixture
def committed_pool(project, tmp_path: Path) -> None:
    """A pool that threads see."""
    load_rows(tmp_path, make_rows(random.Random(4), 300))
    load_problems(tmp_path, EVALUATION_QUESTIONS)
    check_contamination()


def test_the_pool_is_read_once_for_all_changes_and_again_when_it_has_changed(committed_pool: None, tmp_path: Path):
    make_preview(Asked(PRESETS["paper"]))
    with CaptureQueriesContext(connection) as queries:
        changed = make_preview(Asked(replace(PRESETS["paper"], size=7, drop_solved_by=("large",))))
    assert len(changed.result.selected) == 7
    # the version, benchmarks, newest run, incomplete files, and the texts of the rows
    assert len(queries) == 5
    load_rows(tmp_path, [{"question": "How many legs has a stool?"}], "more")
    assert make_preview(Asked(PRESETS["paper"])).num_rows == changed.num_rows + 1


def test_a_kept_preview_is_what_the_run_stores(committed_pool: None):
    make_preview(Asked(PRESETS["paper"]))
    for preset in PRESETS:
        assert_equal_to_a_run(replace(PRESETS[preset], size=20))


def test_who_does_not_want_to_wait_is_told_what_for_and_finds_it_later(committed_pool: None, monkeypatch):
    go_on = threading.Event()
    read = previews.take_snapshot

    def slow(*arguments: object) -> object:
        go_on.wait(20)
        return read(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(previews, "take_snapshot", slow)
    bump()
    with pytest.raises(Waiting, match="reading the pool"):
        make_preview(Asked(PRESETS["paper"]), wait_seconds=0.2)
    version = pool_version()
    # the pool goes on changing, as under an import: what was begun is still what is waited for
    bump()
    go_on.set()
    preview = make_preview(Asked(PRESETS["paper"], version=version))
    assert preview.is_old
    assert not make_preview(Asked(PRESETS["paper"])).is_old


def test_what_failed_is_told_and_tried_again(transactional_kept: Kept):
    calls = []

    def fails_once() -> str:
        calls.append(1)
        if len(calls) == 1:
            raise NotFoundError("not yet")
        return "there"

    with pytest.raises(NotFoundError, match="not yet"):
        transactional_kept.get("1", "key", "it", fails_once, None)
    assert transactional_kept.get("1", "key", "it", fails_once, None) == "there"
    assert transactional_kept.get("1", "key", "it", fails_once, None) == "there"
    assert len(calls) == 2


def test_many_threads_share_one_making(transactional_kept: Kept):
    calls: list[int] = []

    def slowly() -> int:
        calls.append(1)
        time.sleep(0.1)
        return 7

    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(transactional_kept.get("1", "key", "it", slowly, None)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, calls) == ([7] * 8, [1])


def test_what_is_oldest_goes_first_and_old_states_of_the_pool_go_with_it(transactional_kept: Kept):
    made: list[str] = []

    def get(version: str, key: str) -> None:
        transactional_kept.get(version, key, "it", lambda: made.append(version + key), None)

    for key in "abcd":
        get("1", key)
    get("1", "d")
    assert made == ["1a", "1b", "1c", "1d"]
    get("1", "a")  # there was room for three
    assert made[-1] == "1a"
    get("2", "a")
    get("3", "a")
    assert [transactional_kept.holds(version) for version in "123"] == [False, True, True]


@pytest.fixture
def transactional_kept(project) -> Kept:
    """Outside of a transaction, where it keeps things; room for three."""
    return Kept(3)
