"""What a recipe would select, how two selections differ, how much is the seed's doing."""

from collections.abc import Sequence
from dataclasses import replace

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from curation.errors import ConfigError, NotFoundError
from curation.presets import Recipe, find_preset, recipe_from_toml
from s1web.api.base import Operations, paged
from s1web.api.operations import Example, operation
from s1web.api.paging import PagingQuery, by_number
from s1web.api.routes.selections import run_of
from s1web.api.scopes import Scope
from s1web.api.shapes import selections as shapes
from s1web.jobs.models import Job
from s1web.selections.ablations import read_ablations, submit_ablations
from s1web.selections.comparing import CHANGES, Changed, Comparison, compare, read_changed
from s1web.selections.preview import Asked, make_preview

# how long a preview waits for the pool to be read before it says so
_WAIT_SECONDS = 30.0
JOB = OpenApiParameter("job_id", int, OpenApiParameter.PATH, description="Number of a job.")


class ChangedQuery(shapes.ComparingQuery, PagingQuery):
    change = serializers.ChoiceField(choices=CHANGES, help_text="From a to b.")


class Preview(Operations):
    @operation(
        "preview_recipe",
        "What a recipe would select now",
        scope=Scope.SELECTIONS_READ,
        answer=shapes.Preview,
        body=shapes.PreviewBody,
        example=Example(body={"preset": "paper", "size": 100, "seed": 1}),
        errors=(400, 404, 503),
    )
    def post(self, request: Request) -> Response:
        """Counts of each stage and rule, and the rows beside the border of one stage. Nothing is stored."""
        asked = self.body(shapes.PreviewBody)
        found = make_preview(Asked(recipe_of(asked), asked["stage"], asked["near"]), _WAIT_SECONDS)
        return Response(shapes.Preview(found).data)


class Compare(Operations):
    @operation(
        "compare_runs",
        "Two selections side by side",
        scope=Scope.SELECTIONS_READ,
        answer=shapes.Comparison,
        query=shapes.ComparingQuery,
        example=Example(query=[("a", "1"), ("b", "2")]),
        errors=(400, 404),
    )
    def get(self, request: Request) -> Response:
        """What the selection of run b added, removed and kept of that of run a, and why."""
        asked = self.query(shapes.ComparingQuery)
        comparison = compare(run_of(asked["a"]), run_of(asked["b"]))
        changes = [
            {"change": name, "count": comparison.count(name), "reasons": comparison.reasons(name)} for name in CHANGES
        ]
        found = {
            "a": comparison.a.run,
            "b": comparison.b.run,
            "jaccard": comparison.jaccard,
            "changes": changes,
            "domains": comparison.domains(),
            "sources": comparison.sources(),
            "lengths": comparison.lengths(),
        }
        return Response(shapes.Comparison(found).data)


class CompareQuestions(Operations):
    @operation(
        "list_changed",
        "Questions in which two selections differ",
        scope=Scope.SELECTIONS_READ,
        answer=paged(shapes.Changed),
        query=ChangedQuery,
        example=Example(query=[("a", "1"), ("b", "2"), ("change", "added"), ("limit", "5")]),
        errors=(400, 404),
    )
    def get(self, request: Request) -> Response:
        """Those added, removed or kept, each with what the other run did with it."""
        asked = self.query(ChangedQuery)
        pager = self.pager(asked)
        comparison = compare(run_of(asked["a"]), run_of(asked["b"]))
        change = asked["change"]
        page = by_number(
            lambda start, stop: _changed(comparison, change, start, stop), comparison.count(change), pager
        )
        return self.page(pager, page, shapes.Changed)


class Stability(Operations):
    @operation(
        "read_stability",
        "How much of a selection is the seed's doing",
        scope=Scope.SELECTIONS_READ,
        answer=shapes.Stability,
        parameters=[JOB],
        example=Example(path={"job_id": "1"}),
        errors=(404,),
    )
    def get(self, request: Request, job_id: int) -> Response:
        """The report of a job of kind seed_stability: overlap of seeds, what all of them drew, domains, lengths."""
        job = Job.objects.only("state", "result").filter(pk=job_id, kind="seed_stability").first()
        if job is None:
            raise NotFoundError(
                f"there is no job {job_id} of kind seed_stability; see /api/v1/jobs?kind=seed_stability"
            )
        return Response(shapes.Stability({"job": job.pk, "state": job.state, "report": job.result}).data)


class Ablations(Operations):
    @operation(
        "submit_ablations",
        "Run a recipe and the paper's ablations of it",
        scope=Scope.CURATE,
        answer=shapes.Ablations,
        status=202,
        body=shapes.RecipeBody,
        example=Example(body={"preset": "paper", "size": 100}),
        errors=(400, 404, 409),
        headers={"Location": "Address of the group."},
    )
    def post(self, request: Request) -> Response:
        """Queues five jobs at once, of the same size and seed: the recipe, and without its criteria random, diverse,
        longest and full."""
        parent = submit_ablations(recipe_of(self.body(shapes.RecipeBody)), request.user)
        return Response(_group(parent.pk), status=202, headers={"Location": f"/api/v1/ablations/{parent.pk}"})


class AblationDetail(Operations):
    @operation(
        "read_ablations",
        "A recipe beside its ablations",
        scope=Scope.SELECTIONS_READ,
        answer=shapes.Ablations,
        parameters=[JOB],
        example=Example(path={"job_id": "1"}),
        errors=(404,),
    )
    def get(self, request: Request, job_id: int) -> Response:
        """Sizes, domains, lengths and what each shares with the recipe, as far as jobs are done. Give the number of
        the recipe's own job."""
        return Response(_group(job_id))


def recipe_of(asked: dict[str, object]) -> Recipe:
    """The recipe of a body.

    Raises:
        ConfigError: neither or both of preset and recipe, or a recipe that cannot be used.
    """
    preset, text = asked.get("preset"), asked.get("recipe")
    if (preset is None) == (text is None):
        raise ConfigError("give preset or recipe, one of the two; preset: paper, or recipe: the text of a recipe")
    recipe = find_preset(str(preset)) if preset is not None else recipe_from_toml(str(text))
    return replace(recipe, **{name: asked[name] for name in ("size", "seed") if name in asked})  # type: ignore[arg-type]


def _group(job_id: int) -> dict[str, object]:
    """A group of ablations, the recipe first.

    Raises:
        NotFoundError: the job is the parent of none.
    """
    found = read_ablations(job_id)
    if not found:
        raise NotFoundError(
            f"job {job_id} has no ablations; POST /api/v1/ablations names the job that they belong to"
        )
    return dict(shapes.Ablations({"job": job_id, "items": found}).data)


def _changed(comparison: Comparison, change: str, start: int, stop: int) -> Sequence[Changed]:
    """The questions of a change from a place up to another, which pages show fifty at a time."""
    found: list[Changed] = []
    following: int | None = start
    while following is not None and following < stop:
        some, following = read_changed(comparison, change, following)
        found += some
    return found[: stop - start]
