"""The paper's ablations of a recipe: the same size and seed, drawn without its criteria, as a group of jobs."""

from dataclasses import dataclass, replace
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import F, Q

from curation.presets import PRESETS, Recipe, recipe_from_toml
from curation.published import PublishedSelection, published_selections
from curation.spread import Spread
from s1web.jobs import services
from s1web.jobs.models import Job
from s1web.selections.comparing import Comparison, compare
from s1web.selections.members import read_members
from s1web.selections.models import CurationRun

ABLATIONS = ("random", "diverse", "longest", "full")


@dataclass(frozen=True)
class Ablation:
    """One job of the group, and what is known of its run once it is done.

    Attributes:
        method: which ablation; "" is the recipe itself.
        shared: questions that its selection and that of the recipe have in common; None until both are there.
        published: what the paper said of its own.
    """

    job: Job
    method: str
    recipe: Recipe
    run: CurationRun | None
    spread: Spread | None
    shared: int | None
    jaccard: float | None
    published: PublishedSelection | None


def ablation_recipes(base: Recipe) -> list[Recipe]:
    """The recipe without difficulty, picks taken whole and weights, drawn in each of the other ways.

    Of the preset `paper` these are the presets of the same names.
    """
    bare: dict[str, Any] = {"drop_solved_by": (), "take_whole": False, "benchmark_weighted_after": None}
    return [replace(base, name=_name(base, method), method=method, **bare) for method in ABLATIONS]


@transaction.atomic
def submit_ablations(base: Recipe, user: AbstractBaseUser) -> Job:
    """Queue a run of the recipe and one of each ablation; the first is the parent of the others.

    Raises:
        S1WebError: a recipe that cannot be run.
    """
    parent = services.submit("curate", {"recipe": base.to_toml(), "name": ""}, user=user)
    for recipe in ablation_recipes(base):
        params = {"recipe": recipe.to_toml(), "name": ""}
        services.submit("curate", params, user=user, parent=parent, waits_for_parent=False)
    return parent


def read_ablations(parent_id: int) -> list[Ablation]:
    """The group of a parent job, the recipe itself first; empty where there is no such group."""
    # results hold every hash of a selection: only the run's number is read
    jobs = list(
        Job.objects.filter(Q(pk=parent_id) | Q(parent=parent_id), kind="curate")
        .annotate(run_id=F("result__run"))
        .defer("result")
        .order_by("pk")
    )
    if not jobs or jobs[0].pk != parent_id or len(jobs) == 1:
        return []
    keys = [int(job.run_id) for job in jobs if job.run_id is not None]
    runs = CurationRun.objects.select_related("selection").in_bulk(keys)
    found = []
    first_run: CurationRun | None = None
    for place, job in enumerate(jobs):
        recipe = recipe_from_toml(job.params["recipe"])
        key = job.run_id
        run = runs.get(int(key)) if key is not None else None
        if place == 0:
            first_run = run
        comparison: Comparison | None = compare(first_run, run) if place and first_run and run else None
        published = published_selections().get("paper" if place == 0 and recipe.take_whole else recipe.method)
        found.append(
            Ablation(
                job=job,
                method=recipe.method if place else "",
                recipe=recipe,
                run=run,
                spread=read_members(run).spread() if run else None,
                shared=comparison.count("kept") if comparison else None,
                jaccard=comparison.jaccard if comparison else None,
                published=published,
            )
        )
    return found


def _name(base: Recipe, method: str) -> str:
    is_preset = base.name in PRESETS and replace(PRESETS[base.name], size=base.size, seed=base.seed) == base
    return method if is_preset else f"{base.name[: 79 - len(method)]}-{method}"
