"""Curation as a function of JSON: a command runs it in place, a worker as a job."""

from typing import Any

from curation.presets import recipe_from_toml
from s1web.plans import Plan
from s1web.pool.models import Question
from s1web.progress import Report
from s1web.selections.services import check_name, curate, outcome_json

Params = dict[str, Any]


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
