"""Which rows stand beside a stage's border: against definitions written out slowly."""

import random
from dataclasses import replace

import numpy as np
import pytest

from curation.borders import ABSENT, Border, changed_fields, find_border, stage_of_field
from curation.pipeline import RULES, SELECTED, curate
from curation.presets import PRESETS, SECTIONS, Recipe
from tests.factories import EVALUATION_QUESTIONS, make_columns, make_question, make_rows, to_columns

NUM = 20


@pytest.fixture(scope="module")
def columns():
    return to_columns(make_rows(random.Random(8), 900, decorated=0.3), EVALUATION_QUESTIONS)


def border_of(columns, recipe, stage, **more) -> Border:
    return find_border(columns, recipe, curate(columns, recipe), stage, num=NUM, **more)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("stage", ["decontamination", "annotation", "formatting", "difficulty", "selection"])
def test_rows_are_gone_at_the_stage_or_passed_it_and_each_stands_once(columns, preset, stage):
    recipe = replace(PRESETS[preset], size=60)
    result = curate(columns, recipe)
    line = next((item for item in result.ledger if item.name == stage), None)
    border = find_border(columns, recipe, result, stage, num=NUM)
    if line is None:
        assert not len(border.gone)
        return
    places = {place for place, rule in enumerate(RULES) if rule.startswith(f"{stage}.")}
    assert set(result.fates[border.gone].tolist()) <= places
    assert all(fate == SELECTED or fate > max(places) for fate in result.fates[border.kept].tolist())
    assert len(border.kept) == min(NUM, line.num_out) == len(set(border.kept.tolist()))
    assert len(set(border.gone.tolist())) == len(border.gone)
    if stage != "selection":
        assert len(border.gone) == min(NUM, line.num_in - line.num_out)


@pytest.mark.parametrize("preset", ["paper", "released", "random", "diverse", "longest"])
def test_at_the_selection_what_would_just_go_is_what_a_larger_size_adds_and_the_last_drawn_just_stay(columns, preset):
    recipe = replace(PRESETS[preset], size=60)
    larger, smaller = (curate(columns, replace(recipe, size=size)) for size in (60 + NUM, 60 - NUM))
    border = border_of(columns, recipe, "selection")
    own = curate(columns, recipe)
    assert list(border.gone) == list(larger.selected[60:])
    assert set(own.selected.tolist()) - set(smaller.selected.tolist()) == set(border.kept.tolist())


def test_nothing_is_next_where_everything_is_taken(columns):
    assert not len(border_of(columns, PRESETS["full"], "selection").gone)
    everything = replace(PRESETS["random"], size=10**9)
    assert not len(border_of(columns, everything, "selection").gone)


def test_at_difficulty_who_was_solved_by_one_model_goes_before_who_was_solved_by_both():
    questions = [
        make_question("both", small_grade=True, large_grade=True, trace_tokens=9_000),
        make_question("one, short", small_grade=True, trace_tokens=10),
        make_question("one, long", large_grade=True, trace_tokens=900),
        make_question("hard, short", trace_tokens=20),
        make_question("hard, long", trace_tokens=5_000),
    ]
    border = border_of(make_columns(questions), replace(PRESETS["paper"], size=1), "difficulty")
    assert (border.gone.tolist(), border.kept.tolist()) == ([2, 1, 0], [3, 4])


def test_at_annotation_one_missing_comes_before_two():
    questions = [
        make_question("two", domain="", small_grade=None),
        make_question("one", domain=""),
        make_question("none"),
    ]
    border = border_of(make_columns(questions), replace(PRESETS["random"], size=1), "annotation")
    assert (border.gone.tolist(), border.kept.tolist()) == ([1, 0], [2])


def test_at_formatting_who_was_hit_by_a_rule_that_does_not_count_only_just_stays():
    questions = [
        make_question("clean"),
        make_question("bold", flags=8),
        make_question("asy", flags=1),
        make_question("asy and image", flags=3),
    ]
    recipe = replace(PRESETS["random"], size=1, rules=("formatting.asy",))
    border = border_of(make_columns(questions), recipe, "formatting")
    assert (border.gone.tolist(), border.kept.tolist()) == ([2, 3], [1, 0])


def test_at_decontamination_the_fewest_shared_words_come_first():
    questions = [make_question(name, contamination="decontamination.ngram") for name in ("a", "b", "c")]
    columns = make_columns([*questions, make_question("clean")])
    recipe = replace(PRESETS["random"], size=1)
    border = border_of(columns, recipe, "decontamination", shared_words=np.array([12, 8, 30, 0]))
    assert (border.gone.tolist(), border.kept.tolist()) == ([1, 0, 2], [3])


def test_what_another_run_decided_otherwise_comes_first(columns):
    strict, loose = replace(PRESETS["paper"], size=60), replace(PRESETS["paper"], size=60, drop_solved_by=("large",))
    before = curate(columns, strict).fates
    border = border_of(columns, loose, "difficulty", fates_before=before)
    solved = RULES.index("difficulty.solved")
    now = curate(columns, loose).fates
    num_back = int(((before == solved) & (now != solved)).sum())
    assert num_back > NUM
    assert set(before[border.kept].tolist()) == {solved}
    # and the other way round
    border = border_of(columns, strict, "difficulty", fates_before=now)
    assert not {solved} & set(now[border.gone].tolist())


def test_a_question_that_the_other_run_did_not_know_is_no_change(columns):
    recipe = replace(PRESETS["paper"], size=60)
    absent = np.full(len(columns), ABSENT, dtype=np.int8)
    plain, with_absent = (
        border_of(columns, recipe, "difficulty"),
        border_of(columns, recipe, "difficulty", fates_before=absent),
    )
    assert plain.gone.tolist() == with_absent.gone.tolist()


@pytest.mark.parametrize("stage", ["annotation", "formatting", "difficulty", "selection"])
def test_the_choice_does_not_depend_on_the_order_of_loading(stage):
    rows = make_rows(random.Random(2), 300)
    recipe = replace(PRESETS["paper"], size=30)
    chosen = []
    for shuffle in (None, random.Random(1)):
        columns = to_columns(rows, EVALUATION_QUESTIONS, shuffle=shuffle)
        border = border_of(columns, recipe, stage)
        chosen.append([columns.hashes[border.gone].tolist(), columns.hashes[border.kept].tolist()])
    assert chosen[0] == chosen[1]


def test_every_field_of_a_recipe_has_its_stage():
    stages = {section: {stage_of_field(name) for name in names} for section, names in SECTIONS.items()}
    assert stages.pop("decontamination") == {"decontamination"}
    assert stages.pop("deduplication") == {"deduplication"}
    assert stages.pop("annotation") == stages.pop("trace") == {"annotation"}
    assert stages.pop("formatting") == {"formatting"}
    assert stages.pop("difficulty") == {"difficulty"}
    assert stages == {"": {"selection"}, "selection": {"selection"}}


def test_changed_fields_leave_out_the_name():
    assert changed_fields(Recipe(name="a"), Recipe(name="b")) == []
    assert changed_fields(Recipe(size=5, seed=2), Recipe(size=6, seed=2, method="random")) == ["size", "method"]
