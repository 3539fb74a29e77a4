"""How much of a selection is the recipe's doing: measured over seeds, against sets made by hand."""

import random
from dataclasses import replace
from itertools import combinations

import pytest

from curation.pipeline import curate
from curation.presets import PRESETS, Recipe
from curation.stability import measure_stability
from tests.factories import EVALUATION_QUESTIONS, make_columns, make_question, make_rows, to_columns

SEEDS = range(3, 11)


@pytest.fixture(scope="module")
def columns():
    return to_columns(make_rows(random.Random(5), 700, missing=0.01), EVALUATION_QUESTIONS)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_figure_is_that_of_the_selections_themselves(columns, preset):
    recipe = replace(PRESETS[preset], size=40)
    stability = measure_stability(columns, recipe, SEEDS)
    results = [curate(columns, replace(recipe, seed=seed)) for seed in SEEDS]
    chosen = [set(result.hashes) for result in results]
    assert [item.sha256 for item in stability.outcomes] == [result.sha256 for result in results]
    assert [item.seed for item in stability.outcomes] == list(SEEDS)
    overlaps = [len(a & b) / len(a | b) for a, b in combinations(chosen, 2)]
    assert stability.num_pairs == len(overlaps) == 28
    mean = sum(overlaps) / len(overlaps)
    assert stability.overlap == pytest.approx((mean, min(overlaps), max(overlaps)))
    assert set(stability.always) == set.intersection(*chosen)
    times = [sum(name in one for one in chosen) for name in set.union(*chosen)]
    assert list(stability.times_drawn[1:]) == [times.count(number) for number in range(1, len(SEEDS) + 1)]
    before = next(stage for stage in results[0].ledger if stage.name == "selection").num_in
    assert stability.num_candidates == before
    assert stability.num_never == before - len(times)
    assert stability.num_whole == results[0].num_whole


def test_a_draw_differs_from_seed_to_seed_and_what_is_taken_whole_does_not(columns):
    stability = measure_stability(columns, replace(PRESETS["paper"], size=60), SEEDS)
    assert stability.overlap
    assert 0 < stability.num_whole < 60
    assert len(stability.always) >= stability.num_whole
    assert 0 < stability.overlap[1] < 1
    assert stability.num_never > 0


@pytest.mark.parametrize("method", ["longest", "full"])
def test_what_draws_nothing_is_the_same_for_every_seed(columns, method):
    stability = measure_stability(columns, replace(PRESETS[method], size=40), SEEDS)
    assert stability.overlap == (1, 1, 1)
    assert len({item.sha256 for item in stability.outcomes}) == 1


def test_domains_have_their_least_mean_and_most_over_the_seeds(columns):
    recipe = replace(PRESETS["diverse"], size=30)
    stability = measure_stability(columns, recipe, SEEDS)
    names = {value.decode(): columns.domain_names[code] for value, code in zip(columns.hashes, columns.domain)}  # noqa: B905
    counts: dict[str, list[int]] = {item.domain: [] for item in stability.domains}
    for seed in SEEDS:
        drawn = [names[value] for value in curate(columns, replace(recipe, seed=seed)).hashes]
        for domain, own in counts.items():
            own.append(drawn.count(domain))
    assert {item.domain: (item.least, item.mean, item.most) for item in stability.domains} == {
        domain: (min(own), pytest.approx(sum(own) / len(own)), max(own)) for domain, own in counts.items()
    }
    assert sum(item.mean for item in stability.domains) == pytest.approx(30)


def test_progress_is_told_seed_by_seed(columns):
    told: list[int] = []
    measure_stability(columns, replace(PRESETS["random"], size=5), range(4), on_seed=told.append)
    assert told == [1, 2, 3, 4]


@pytest.mark.parametrize("seeds", [[], [1, 2, 1]])
def test_seeds_are_needed_and_each_counts_once(columns, seeds):
    with pytest.raises(ValueError, match="give at least one, and each once"):
        measure_stability(columns, PRESETS["paper"], seeds)


def test_one_seed_has_no_overlap_and_an_empty_hard_pool_no_draws():
    columns = make_columns([make_question("a", small_grade=True)])
    recipe = Recipe(method="random", size=3, drop_solved_by=("small",))
    stability = measure_stability(columns, recipe, [0])
    assert stability.overlap is None
    assert stability.times_drawn == (0, 0)
    assert measure_stability(columns, recipe, [0, 1]).overlap == (1, 1, 1)
