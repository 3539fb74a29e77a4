"""Pages of runs: their list, the ledger of one as a funnel, and the rows behind each of its counts."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from curation.domains import domain_title
from curation.errors import S1WebError
from curation.pipeline import POOL_DUPLICATE, RULES, STAGES
from curation.published import published_funnels
from s1web.jobs import rights
from s1web.jobs.forms import form_of
from s1web.jobs.models import Job
from s1web.jobs.submitting import plan_jobs
from s1web.roles import has_role
from s1web.selections import queries
from s1web.selections.charts import length_chart
from s1web.selections.funnel import read_funnel
from s1web.selections.members import read_members
from s1web.selections.models import CurationRun

_RUNS_A_PAGE = 50
_NUM_REPORTS = 8
_NUM_DOMAINS = 12
# a selection is written so when nothing else is said
_EXPORT = "export_selection"


@dataclass(frozen=True)
class Listing:
    """Rows of a run: what they are, the query that asks for them, and whether different decisions stand in them."""

    title: str
    what: str
    rows: queries.Rows
    count: int | None
    is_mixed: bool = False


@require_safe
def run_list(request: HttpRequest) -> HttpResponse:
    before = _number(request.GET.get("before", ""))
    runs = queries.list_runs(_RUNS_A_PAGE + 1, before)
    older = runs[_RUNS_A_PAGE - 1].pk if len(runs) > _RUNS_A_PAGE else None
    reports = Job.objects.filter(kind="seed_stability").defer("result").order_by("-pk")[:_NUM_REPORTS]
    groups = Job.objects.filter(kind="curate", children__kind="curate").defer("result").distinct().order_by("-pk")
    context = {
        "runs": runs[:_RUNS_A_PAGE],
        "older_url": f"?before={older}" if older else None,
        "newer_url": reverse("selections:runs") if before is not None else None,
        "reports": reports,
        "groups": groups[:_NUM_REPORTS],
    }
    return render(request, "selections/run_list.html", context)


@require_safe
def run_detail(request: HttpRequest, pk: int) -> HttpResponse:
    run = _find(pk)
    members = read_members(run)
    spread = members.spread()
    domains = [(domain_title(name), count) for name, count in spread.domains.items()]
    form = form_of(_EXPORT)
    others = queries.list_runs(2, before=run.pk)
    context = {
        "run": run,
        "funnel": read_funnel(run),
        "published": list(published_funnels().values()),
        "spread": spread,
        "num_whole": members.num_whole,
        "domains": domains[:_NUM_DOMAINS],
        "num_more_domains": max(len(domains) - _NUM_DOMAINS, 0),
        "most": max(spread.domains.values(), default=1),
        "sources": list(members.count_sources().items())[:_NUM_DOMAINS],
        "chart": length_chart([("Questions", spread.lengths)]),
        "export_form": form(initial={"selection": run.selection.name}),
        "may_export": has_role(request.user, rights.role_for_kind(_EXPORT)),
        "previous": others[0] if others else None,
        "num_same": run.selection.runs.count(),
    }
    return render(request, "selections/run_detail.html", context)


@require_safe
def run_rows(request: HttpRequest, pk: int) -> HttpResponse:
    """Rows by `rule` (a rule, a stage, or `selected`), or those `left` after a stage; 50 a page, by key."""
    run = _find(pk)
    after = _number(request.GET.get("after", "")) or 0
    listing = _listing(run, request.GET.get("rule", ""), request.GET.get("left", ""), after)
    if listing is None:
        raise Http404
    rows = listing.rows
    here = f"?{listing.what}"
    context = {
        "run": run,
        "listing": listing,
        "rows": rows.rows,
        "older_url": f"{here}&after={rows.after}" if rows.after is not None else None,
        "first_url": here if after else None,
        "choices": _choices(run),
    }
    return render(request, "selections/rows.html", context)


@require_safe
def run_recipe(request: HttpRequest, pk: int) -> HttpResponse:
    """The recipe as a file that `curate --recipe` reads."""
    run = _find(pk)
    headers = {"Content-Disposition": f'attachment; filename="run-{run.pk}.toml"'}
    return HttpResponse(run.recipe_toml, content_type="application/toml; charset=utf-8", headers=headers)


@require_POST
def export(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Plan an export of the run's selection."""
    run = _find(pk)
    rights.demand_for_kind(request.user, _EXPORT)
    form = form_of(_EXPORT)(request.POST.dict() | {"selection": run.selection.name})
    if form.is_valid():
        try:
            job = plan_jobs(_EXPORT, form, request.user)  # type: ignore[arg-type]
        except S1WebError as error:
            messages.error(request, str(error))
        else:
            return redirect("jobs:detail", pk=job.pk)
    for name, errors in form.errors.items():
        messages.error(request, f"Export: {name}: {' '.join(map(str, errors))}")
    return redirect("selections:run", pk=run.pk)


def _listing(run: CurationRun, rule: str, left: str, after: int) -> Listing | None:
    by_rule: dict[str, int] = {}
    for stage in run.ledger:
        by_rule |= stage["dropped"]
    stages: dict[str, Any] = {stage["stage"]: stage for stage in run.ledger}
    if left:
        if left not in stages or left not in STAGES:
            return None
        rows = queries.read_dropped(run, queries.rules_after(left), after, with_members=True)
        return Listing(f"Left after {left}", f"left={left}", rows, stages[left]["out"], is_mixed=True)
    if rule == queries.SELECTED:
        return Listing("Selected", f"rule={rule}", queries.read_selected(run, after), run.selection.size)
    if rule == POOL_DUPLICATE:
        # the count is of rows, the list of questions
        return Listing("Repeated rows", f"rule={rule}", queries.read_repeated(after), None)
    if rule in RULES:
        rows = queries.read_dropped(run, [rule], after)
        return Listing(f"Dropped by {rule}", f"rule={rule}", rows, by_rule.get(rule, 0))
    if rule in stages and queries.rules_of(rule):
        rows = queries.read_dropped(run, queries.rules_of(rule), after)
        return Listing(
            f"Dropped at {rule}", f"rule={rule}", rows, stages[rule]["in"] - stages[rule]["out"], is_mixed=True
        )
    return None


def _choices(run: CurationRun) -> list[tuple[str, str, int]]:
    """(what to ask for, its label, its count) of everything that the run's rows can be listed by."""
    choices = [("rule=selected", "selected", run.selection.size)]
    for stage in run.ledger:
        choices += [(f"rule={rule}", rule, count) for rule, count in stage["dropped"].items()]
    return choices


def _find(pk: int) -> CurationRun:
    run = queries.find_run(pk)
    if run is None:
        raise Http404
    return run


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
