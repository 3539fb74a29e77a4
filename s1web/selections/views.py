"""The page of the recipe: its form, what it would select, and what can be started from it."""

import re
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from curation.errors import ConfigError, NotFoundError, S1WebError
from curation.presets import PRESETS, Recipe, recipe_from_toml
from s1web.jobs import rights, services
from s1web.jobs.kinds import KINDS
from s1web.jobs.models import Job
from s1web.pool.version import pool_version
from s1web.roles import has_role
from s1web.selections import preview as previews
from s1web.selections.ablations import ABLATIONS, submit_ablations
from s1web.selections.kept import Waiting
from s1web.selections.queries import find_run, newest_run
from s1web.selections.recipe_form import RecipeForm
from s1web.selections.work import NUM_SEEDS

# without scripts nobody asks again: the page itself waits
_PATIENT_SECONDS = 30.0
_VERSION = re.compile(r"\A\d{1,18}-[0-9a-f]{1,32}\Z")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def curate(request: HttpRequest) -> HttpResponseBase:
    """The form; sent, it shows a preview, turns to text and back, or makes jobs, as its button says."""
    if request.method != "POST":
        form = RecipeForm.of(_start(request))
        return _page(request, form, form_recipe(form), wait_seconds=previews.WAIT_SECONDS)
    do = request.POST.get("do", "preview")
    if do in _STARTS:
        rights.demand_for_kind(request.user, "curate")
    form = RecipeForm(request.POST)
    if not form.is_valid():
        return _page(request, form, None, wait_seconds=0)
    if do in ("toml", "fields"):
        form = RecipeForm.of(form.recipe, mode=do, selection_name=form.cleaned_data["selection_name"])
        return _page(request, form, form_recipe(form), wait_seconds=previews.WAIT_SECONDS)
    if do in _STARTS:
        try:
            return _STARTS[do](request, form)
        except S1WebError as error:
            form.add_error(None, str(error))
            return _page(request, form, None, wait_seconds=0)
    return _page(request, form, form.recipe, wait_seconds=_PATIENT_SECONDS)


@never_cache
@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """The part of the page beside the form; nothing is written."""
    form = RecipeForm(request.POST)
    recipe = form.recipe if form.is_valid() else None
    context = _preview(request, recipe, wait_seconds=previews.WAIT_SECONDS)
    return render(request, "selections/_preview.html", context | {"form": form, "is_fragment": True})


def _start(request: HttpRequest) -> Recipe:
    """The recipe to start from: that of a run, a preset, or the newest run's."""
    number = request.GET.get("run", "")
    run = find_run(int(number)) if number.isascii() and number.isdigit() and len(number) <= 18 else None
    if run is not None:
        return recipe_from_toml(run.recipe_toml)
    return PRESETS.get(request.GET.get("preset", ""), PRESETS["paper"])


def form_recipe(form: RecipeForm) -> Recipe:
    """The recipe that an unsent form was filled in with."""
    return recipe_from_toml(form["toml"].value())


def _page(request: HttpRequest, form: RecipeForm, recipe: Recipe | None, *, wait_seconds: float) -> HttpResponse:
    try:
        generators = previews.generators()
    except Waiting:
        generators = []
    context = {
        "form": form,
        "presets": list(PRESETS),
        "newest_run": newest_run(),
        "generators": generators,
        "may_start": has_role(request.user, rights.role_for_kind("curate")),
        "outlook": services.outlook(Job(kind="curate", queue=KINDS["curate"].queue)),
        "num_seeds": NUM_SEEDS,
        "num_ablations": len(ABLATIONS),
        "ablations": ", ".join(ABLATIONS),
    }
    return render(request, "selections/curate.html", context | _preview(request, recipe, wait_seconds=wait_seconds))


def _preview(request: HttpRequest, recipe: Recipe | None, *, wait_seconds: float) -> dict[str, Any]:
    """What the template of the preview needs; without a recipe there is none, as the form has errors."""
    if recipe is None:
        return {"preview": None}
    stage, version = request.POST.get("stage", ""), request.POST.get("waits_for", "")
    looks_for_near = request.POST.get("near") == "1"
    version = version if _VERSION.match(version) else pool_version()
    asked = previews.Asked(recipe, stage, looks_for_near, version)
    try:
        found = previews.make_preview(asked, wait_seconds)
    except Waiting as waiting:
        return {"preview": None, "waiting": waiting, "waits_for": version, "looks_for_near": looks_for_near}
    except (NotFoundError, ConfigError) as error:
        return {"preview": None, "refusal": str(error)}
    return {"preview": found}


def _start_run(request: HttpRequest, form: RecipeForm) -> HttpResponseBase:
    params = {"recipe": form.recipe.to_toml(), "name": form.cleaned_data["selection_name"]}
    job = services.submit("curate", params, user=request.user, is_confirmed=False)  # type: ignore[arg-type]
    return redirect("jobs:detail", pk=job.pk)


def _start_stability(request: HttpRequest, form: RecipeForm) -> HttpResponseBase:
    params = {"recipe": form.recipe.to_toml(), "num_seeds": NUM_SEEDS}
    job = services.submit("seed_stability", params, user=request.user, is_confirmed=False)  # type: ignore[arg-type]
    return redirect("jobs:detail", pk=job.pk)


def _start_ablations(request: HttpRequest, form: RecipeForm) -> HttpResponseBase:
    job = submit_ablations(form.recipe, request.user)  # type: ignore[arg-type]
    return redirect("selections:ablations", pk=job.pk)


_STARTS = {"run": _start_run, "stability": _start_stability, "ablations": _start_ablations}
