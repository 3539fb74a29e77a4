"""The page of the map, its points, and what lies at one of them."""

import gzip
import re
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.views.decorators.http import require_safe

from curation.errors import ConfigError, NotFoundError
from curation.polygons import PLACE_STEPS
from s1web.atlas.asked import COLOURS, LAYERS, ORDERS, Asked
from s1web.atlas.colouring import colouring
from s1web.atlas.layers import Layers, read_layers
from s1web.atlas.points import packed_points, tag_of
from s1web.atlas.queries import ClusterRow, Need, read_at, read_cluster_rows, read_need
from s1web.browse import showing
from s1web.browse.columns import Columns
from s1web.browse.matching import match
from s1web.browse.places import places_of
from s1web.browse.store import looked
from s1web.jobs.rights import role_for_kind
from s1web.roles import has_role

SHORTCUTS = (
    ("+", "Zoom in; -: zoom out; 0: the whole map"),
    ("arrows", "Move the map, where it has the focus"),
    ("Enter", "The question nearest to the middle"),
    ("Shift", "Hold it and draw around questions"),
    ("Esc", "Forget what was drawn"),
)
LAYER_WORDS = {"pool": "Pool", "hard": "Hard pool", "selection": "Selection"}
COLOUR_WORDS = {
    "cluster": "Cluster",
    "domain": "Domain",
    "source": "Source",
    "length": "Trace length",
    "verdict": "Verdict",
}
ORDER_WORDS = {
    "number": "Cluster",
    "size": "Questions",
    "hard": "Hard",
    "selected": "Selected",
    "tokens": "Median trace tokens",
    "ratio": "Selected to pool",
}
_STEP = re.compile(r"[0-9]{1,5}")


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    look = looked()
    columns = look.columns
    try:
        asked = Asked.parse(request.GET)
        layers = read_layers(columns, asked.chosen)
        num_matching = match(columns, asked.filter).num_matches
        rows = read_cluster_rows(columns, asked, layers)
    except (ConfigError, NotFoundError) as error:
        return render(request, "atlas/refused.html", {"error": str(error)}, status=400)
    need = read_need(columns)
    num_placed = 0 if need else len(places_of(columns))
    context: dict[str, Any] = {
        "asked": asked,
        "layers": layers,
        "is_refreshing": look.is_refreshing,
        "need": need,
        "need_url": _job_url(request, need),
        "cluster_need_url": _job_url(request, _CLUSTER_NEED),
        "num_questions": len(columns),
        "num_matching": num_matching,
        "num_unplaced": len(columns) - num_placed,
        "num_hard": int(layers.hard.sum()),
        "chips": [(chip.title, chip.value, _address(asked, chip.url)) for chip in _chips(columns, asked)],
        "layer_choices": _layer_choices(asked, layers),
        "colour_choices": [(name, COLOUR_WORDS[name], name == asked.colour) for name in COLOURS],
        "kept": list(QueryDict(asked.listing.query()).lists()),
        "points_url": _with_query("atlas:points", Asked(chosen=asked.chosen, listing=asked.listing).query()),
        "near_url": _with_query("atlas:near", Asked(chosen=asked.chosen).query()),
        "pool_url": _with_query("browse:pool", asked.listing.query()),
        "inks": _inks(),
        "rows": rows,
        "heads": [(name, ORDER_WORDS[name], asked.query(order=name), name == asked.order) for name in ORDERS],
        "most_share": max((max(row.share, row.share_selected) for row in rows), default=1),
        "row_urls": _row_urls(asked, rows),
        "page_shortcuts": SHORTCUTS,
    }
    context["rows"] = list(zip(rows, context.pop("row_urls"), strict=True))
    return render(request, "atlas/map.html", context)


_CLUSTER_NEED = Need("", "Find clusters", "annotate_clusters", "annotate clusters")


@require_safe
def points(request: HttpRequest) -> HttpResponseBase:
    """All points; a browser that has them already is told so."""
    columns = looked().columns

    def answer() -> HttpResponseBase:
        asked = Asked.parse(request.GET)
        tag = tag_of(columns, asked, read_layers(columns, asked.chosen))
        unchanged = get_conditional_response(request, etag=tag)
        if unchanged is not None:
            return unchanged
        body = packed_points(columns, asked, tag)
        is_gzip = re.search(r"\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", request.headers.get("Accept-Encoding", ""))
        response = HttpResponse(body if is_gzip else gzip.decompress(body), content_type="application/octet-stream")
        if is_gzip:
            response["Content-Encoding"] = "gzip"
        response["ETag"] = tag
        # kept, and asked for again each time: the answer is then a line
        response["Cache-Control"] = "private, no-cache"
        patch_vary_headers(response, ["Accept-Encoding"])
        return response

    return _or_refused(answer)


@require_safe
def near(request: HttpRequest) -> HttpResponseBase:
    """A fragment: the questions nearest to a place that is given in its steps."""
    columns = looked().columns

    def answer() -> HttpResponseBase:
        query = request.GET.copy()
        x, y = (_step(name, query.pop(name, [""])[-1]) for name in ("x", "y"))
        layers = read_layers(columns, Asked.parse(query).chosen)
        return render(request, "atlas/_near.html", {"found": read_at(columns, layers, x, y)})

    return _or_refused(answer)


def _or_refused(answer: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """What a script asks for: an error is its line of text."""
    try:
        return answer()
    except ConfigError as error:
        return HttpResponse(f"{error}\n", status=400, content_type="text/plain; charset=utf-8")
    except NotFoundError as error:
        return HttpResponse(f"{error}\n", status=404, content_type="text/plain; charset=utf-8")


def _step(name: str, text: object) -> int:
    if not isinstance(text, str) or not _STEP.fullmatch(text) or int(text) > PLACE_STEPS:
        raise ConfigError(f"{name}={str(text)[:60]!r} is no place on the map; give a number from 0 to {PLACE_STEPS}")
    return int(text)


def _with_query(name: str, query: str) -> str:
    return f"{reverse(name)}?{query}"


def _address(asked: Asked, url: str) -> str:
    """The page as it is but for the pool's part of its query."""
    return "?" + "&".join(part for part in (asked.own_query(), url.removeprefix("?")) if part)


def _chips(columns: Columns, asked: Asked) -> list[showing.Chip]:
    labels = {
        entry.query[0]: entry.label
        for name in ("cluster", "domain")
        for entry in colouring(columns, name).entries
        if entry.query
    }
    return showing.chips(asked.listing, labels)


def _layer_choices(asked: Asked, layers: Layers) -> list[tuple[str, str, bool]]:
    there = {"pool": True, "hard": layers.run is not None, "selection": layers.chosen is not None}
    return [(name, LAYER_WORDS[name], name in asked.layers) for name in LAYERS if there[name]]


def _row_urls(asked: Asked, rows: list[ClusterRow]) -> list[str]:
    numbers = ["none" if row.number is None else str(row.number) for row in rows]
    pool = reverse("browse:pool")
    return [f"{pool}?{showing.refiltered(asked.listing, cluster=(number,))}" for number in numbers]


def _job_url(request: HttpRequest, need: Need | None) -> str | None:
    if need is None or not has_role(request.user, role_for_kind(need.kind)):
        return None
    return reverse("jobs:new-of-kind", args=[need.kind])


def _inks() -> list[str]:
    """The names of colours that the style sheet defines and the script reads."""
    series = [str(number) for number in range(1, 9)]
    lengths = [f"length-{number}" for number in range(1, 9)]
    verdicts = ["verdict-small", "verdict-large", "verdict-neither"]
    return [*series, *lengths, *verdicts, "other", "missing", "alone", "surface", "text", "accent"]
