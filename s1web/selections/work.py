"""Curation as a function of JSON: a command runs it in place, a worker as a job."""

from typing import Any

from curation.errors import ConfigError, NotFoundError
from curation.presets import MAX_SEED, recipe_from_toml
from curation.stability import WITHOUT_DRAWS, measure_stability
from s1web.plans import Plan
from s1web.pool.models import Question
from s1web.progress import Report
from s1web.selections.inputs import read_inputs
from s1web.selections.services import check_name, curate, outcome_json

Params = dict[str, Any]
NUM_SEEDS = 20
MAX_SEEDS = 200
# of the questions that every seed selects; their number is always told
MOST_HASHES = 2_000


def curation(params: Params, report: Report) -> Params:
    """Select questions by a recipe.

    Args:
        params: recipe (TOML, frozen when the job was made); optional name of the selection.
    """
    total = Question.objects.count()
    report(0, total)

    def compared(done: int, of: int, /, **spent: float) -> None:
        # comparing comes first and is the longer part; the draw is one step at the end
        report(min(done * total // of if of else 0, max(total - 1, 0)), total)

    curated = curate(recipe_from_toml(params["recipe"]), name=params.get("name", ""), on_progress=compared)
    report(total, total, rows=total)
    return outcome_json(curated)


def plan_curation(params: Params) -> Plan:
    """A pass over the pool."""
    recipe = recipe_from_toml(params["recipe"])
    check_name(params.get("name", ""))
    total = Question.objects.count()
    notes = () if total else ("the pool is empty: load questions first",)
    wanted = "all that pass" if recipe.method == "full" else f"{recipe.size:,}"
    title = f"Curate {wanted} by {recipe.name}, seed {recipe.seed}"
    return Plan(title, total, "questions", {"rows": float(total)}, notes=notes)


def seed_stability(params: Params, report: Report) -> Params:
    """Draw a recipe with many seeds and compare what comes out; nothing is stored but the report.

    Args:
        params: recipe (TOML); optional num_seeds: so many seeds, from the recipe's own upwards.
    """
    recipe, seeds = recipe_from_toml(params["recipe"]), _seeds(params)
    report(0, len(seeds))
    inputs = read_inputs(recipe)
    if not len(inputs.columns):
        raise NotFoundError("the pool is empty; load questions with load_pool first")
    stability = measure_stability(
        inputs.columns, inputs.recipe, seeds, inputs.repeated, on_seed=lambda done: report(done, len(seeds))
    )
    found = stability.to_json()
    return found | {
        "always": list(stability.always[:MOST_HASHES]),
        "recipe": inputs.recipe.to_json(),
        "recipe_toml": inputs.recipe.to_toml(),
    }


def plan_seed_stability(params: Params) -> Plan:
    """A draw for each seed."""
    recipe, seeds = recipe_from_toml(params["recipe"]), _seeds(params)
    notes = []
    if not Question.objects.exists():
        notes.append("the pool is empty: load questions first")
    if recipe.method in WITHOUT_DRAWS:
        notes.append(f"method {recipe.method} draws nothing: every seed gives the same")
    if recipe.near_duplicates:
        notes.append("near duplicates are looked for once, which takes longer than all draws")
    title = f"Seed stability of {recipe.name} over {len(seeds):,} seeds"
    return Plan(title, len(seeds), "seeds", notes=tuple(notes))


def _seeds(params: Params) -> range:
    """The recipe's own seed and those after it.

    Raises:
        ConfigError: too few or too many.
    """
    first, num = recipe_from_toml(params["recipe"]).seed, params.get("num_seeds", NUM_SEEDS)
    if isinstance(num, bool) or not isinstance(num, int) or not 2 <= num <= MAX_SEEDS:
        raise ConfigError(f"num_seeds={num!r} tells nothing of stability; give a whole number from 2 to {MAX_SEEDS}")
    # a seed near the end of the range leaves no room behind it
    first = min(first, MAX_SEED - num + 1)
    return range(first, first + num)
