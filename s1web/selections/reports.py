"""Pages that compare: two selections, a recipe with its ablations, a recipe with itself over many seeds."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from curation.domains import domain_title
from s1web.jobs.models import Job
from s1web.selections import queries
from s1web.selections.ablations import read_ablations
from s1web.selections.charts import bar_chart, length_chart
from s1web.selections.comparing import CHANGES, KEPT, Comparison, compare, read_changed, write_csv
from s1web.selections.models import CurationRun
from s1web.selections.work import MOST_HASHES

_NUM_RUNS = 200
_NUM_ALWAYS = 100


@require_safe
def compare_runs(request: HttpRequest) -> HttpResponse:
    """Two selections side by side; without both, the choice of two."""
    a, b = _run(request, "a"), _run(request, "b")
    runs = queries.list_runs(_NUM_RUNS)
    # what was asked for by an address may be older than those offered
    offered = {run.pk: run for run in [*runs, *(run for run in (a, b) if run)]}
    context: dict[str, Any] = {"runs": list(offered.values()), "a": a, "b": b, "changes": CHANGES}
    for name in ("a", "b"):
        asked = request.GET.get(name, "")
        if asked and context[name] is None:
            context["unknown"] = asked[:40]
    if a and b:
        context |= _comparison(request, compare(a, b))
    return render(request, "selections/compare.html", context)


@require_safe
def compare_csv(request: HttpRequest) -> HttpResponse:
    """Every question of either selection, as a table for other programs."""
    a, b = _run(request, "a"), _run(request, "b")
    if a is None or b is None:
        raise Http404
    headers = {"Content-Disposition": f'attachment; filename="runs-{a.pk}-{b.pk}.csv"'}
    return HttpResponse(write_csv(compare(a, b)), content_type="text/csv; charset=utf-8", headers=headers)


@require_safe
def stability(request: HttpRequest, pk: int) -> HttpResponse:
    """The report of a job; while it is not there, its job says why."""
    job = Job.objects.filter(pk=pk, kind="seed_stability").first()
    if job is None:
        raise Http404
    context: dict[str, Any] = {"job": job, "result": job.result}
    if job.result:
        context |= _stability(job.result)
    return render(request, "selections/stability.html", context)


@never_cache
@require_safe
def ablations(request: HttpRequest, pk: int) -> HttpResponse:
    """The group of a parent job as a table, which asks for itself again while jobs are at work."""
    found = read_ablations(pk)
    if not found:
        raise Http404
    drawn = [item for item in found if item.recipe.method != "full"]
    spreads = [(item.recipe.name, item.spread.lengths) for item in drawn if item.spread]
    context = {
        "ablations": found,
        "base": found[0],
        "is_moving": any(item.job.state in ("queued", "running") for item in found),
        "chart": length_chart(spreads) if spreads else None,
        "benchmarks": [score.benchmark for score in found[-1].published.scores] if found[-1].published else [],
    }
    is_fragment = request.headers.get("HX-Request") == "true"
    return render(request, "selections/_ablations.html" if is_fragment else "selections/ablations.html", context)


def _run(request: HttpRequest, name: str) -> CurationRun | None:
    text = request.GET.get(name, "")
    return queries.find_run(int(text)) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def _comparison(request: HttpRequest, comparison: Comparison) -> dict[str, Any]:
    show = request.GET.get("show", "")
    show = show if show in CHANGES else next((name for name in CHANGES if comparison.count(name)), KEPT)
    after = request.GET.get("after", "")
    start = int(after) if after.isascii() and after.isdigit() and len(after) <= 9 else 0
    domains, sources = comparison.domains(), comparison.sources()
    rows, following = read_changed(comparison, show, start)
    address = f"?a={comparison.a.run.pk}&b={comparison.b.run.pk}&show={show}"
    return {
        "comparison": comparison,
        "counts": [(name, comparison.count(name), comparison.reasons(name)) for name in CHANGES],
        "show": show,
        "rows": rows,
        "older_url": f"{address}&after={following}#rows" if following is not None else None,
        "first_url": f"{address}#rows" if start else None,
        "domains": domains,
        "most_domain": max((max(pair.a, pair.b) for pair in domains), default=1),
        "sources": sources,
        "most_source": max((max(pair.a, pair.b) for pair in sources), default=1),
        "chart": length_chart([("A", comparison.a.spread.lengths), ("B", comparison.b.spread.lengths)]),
    }


def _stability(result: dict[str, Any]) -> dict[str, Any]:
    times, outcomes = result["times_drawn"], result["outcomes"]
    labels = [f"by {number} of {len(outcomes)} seeds" for number in range(1, len(times))]
    every = max(len(times) // 8, 1)
    ticks = [(place + 0.5, str(place + 1)) for place in range(len(labels)) if place % every == 0]
    domains = [item | {"title": domain_title(item["domain"])} for item in result["domains"]]
    quartiles = [item["quartiles"] for item in outcomes if item["quartiles"]]
    return {
        "overlap": dict(zip(("mean", "least", "most"), result["overlap"], strict=True))
        if result["overlap"]
        else None,
        "chart": bar_chart(
            labels,
            [("Questions", times[1:])],
            x_title="Seeds that drew the question",
            ticks=ticks,
        ),
        "domains": domains,
        "most": max((item["most"] for item in domains), default=1),
        "always": result["always"][:_NUM_ALWAYS],
        "num_always_more": max(result["num_always"] - _NUM_ALWAYS, 0),
        "is_cut": result["num_always"] > MOST_HASHES,
        "num_domains": _ends([item["num_domains"] for item in outcomes]),
        "medians": _ends([item[1] for item in quartiles]),
        "means": _ends([item["mean_tokens"] for item in outcomes if item["mean_tokens"] is not None]),
        "sizes": _ends([item["size"] for item in outcomes]),
        "longest": max((item[2] for item in quartiles), default=1.0),
    }


def _ends(values: list[Any]) -> dict[str, Any] | None:
    """Least, mean and most over the seeds; None where there is nothing."""
    if not values:
        return None
    return {"least": min(values), "mean": sum(values) / len(values), "most": max(values)}
