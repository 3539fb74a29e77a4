"""The words and marks of the pool page: heads of columns, titles of facets, chips of what is filtered."""

from dataclasses import dataclass, replace
from typing import Any

from s1web.browse.counting import Bar, Counts, FacetCount
from s1web.browse.filters import NONE, SHOWN, SORTS, Filter, Listing, default_sort

TITLES = {
    "source": "Source",
    "domain": "Domain",
    "cot_type": "Type",
    "cluster": "Cluster",
    "small": "7B verdict",
    "large": "32B verdict",
    "trace": "Trace grade",
    "quality": "Quality rule",
    "contamination": "Contamination",
    "review": "Review",
    "missing": "Annotation missing",
    "selected": "In a selection",
}
HEADS = TITLES | {
    "question": "Question",
    "small": "7B",
    "large": "32B",
    "trace": "Trace",
    "tokens": "Tokens",
    "selected": "Selected",
    "hash": "Hash",
}
_CHIPS = {
    "in": "Searched in",
    "selection": "In",
    "not_selection": "Not in",
    "tokens": "Tokens",
    "q": "Words",
    "near": "Like",
    "area": "Area of the map",
}
# facets that stand open; the others are folded until they filter
_OPEN = ("source", "domain", "small", "large")
# facets whose values have an order of their own; in the others the most frequent comes first
_ORDERED = ("small", "large", "trace", "quality", "contamination", "review", "missing", "selected")
NUMERIC = ("tokens",)


@dataclass(frozen=True)
class Head:
    """A column's head; `url` sorts by it, or turns the order round; None where it cannot be sorted by."""

    name: str
    title: str
    url: str | None
    direction: str

    @property
    def is_numeric(self) -> bool:
        return self.name in NUMERIC


@dataclass(frozen=True)
class Chip:
    """A condition in force, and the page's query without it."""

    title: str
    value: str
    url: str


@dataclass(frozen=True)
class FacetView:
    """A facet as it is shown; `share` of a value is its bar, out of the facet's most frequent."""

    name: str
    title: str
    values: tuple[FacetCount, ...]
    most: int
    num_more: int
    is_open: bool


@dataclass(frozen=True)
class BarView:
    """A bar of the histogram, in the units of its drawing, with the range that a click asks for."""

    x: int
    height: float
    label: str
    range: str
    url: str
    is_on: bool

    @property
    def top(self) -> float:
        return BAR_BASE - self.height

    @property
    def low(self) -> str:
        return f"{int(self.range.partition('-')[0]):,}"


BAR_WIDTH, BAR_HEIGHT, BAR_BASE = 10, 48, 50


def heads(listing: Listing) -> list[Head]:
    """The heads of the columns shown; a row has a link to its question, be it on the hash alone."""
    shown = listing.shown if {"question", "hash"} & set(listing.shown) else ("hash", *listing.shown)
    return [_head(listing, name) for name in shown]


def _head(listing: Listing, name: str) -> Head:
    if name not in SORTS:
        return Head(name, HEADS[name], None, "")
    is_own = listing.sort == name
    # what is asked for first: the longest traces, all else from its beginning
    turned = not listing.is_descending if is_own else name in NUMERIC
    url = "?" + listing.query(sort=name, is_descending=turned, after="", before="")
    direction = ("descending" if listing.is_descending else "ascending") if is_own else ""
    return Head(name, HEADS[name], url, direction)


def chips(listing: Listing, labels: dict[tuple[str, str], str]) -> list[Chip]:
    """What is filtered, in the order of the address.

    Args:
        labels: (name, value) -> how the value reads, where that is not itself.
    """
    pairs = listing.filter.pairs()
    return [
        Chip(
            _CHIPS.get(name) or TITLES[name],
            labels.get((name, value)) or _shortened(name, value) or NONE,
            "?" + without(listing, name, value),
        )
        for name, value in pairs
    ]


def _shortened(name: str, value: str) -> str:
    return f"{value.count('-') + 1} corners" if name == "area" else value


def without(listing: Listing, name: str, value: str) -> str:
    """The query of a listing without one of its conditions."""
    changes: dict[str, Any]
    if name == "tokens":
        changes = {"min_tokens": None, "max_tokens": None}
    elif name == "q":
        changes = {"search": "", "search_in": ()}
    elif isinstance(getattr(listing.filter, name, None), str):
        changes = {name: ""}
    else:
        attribute = "search_in" if name == "in" else name
        changes = {attribute: tuple(item for item in getattr(listing.filter, attribute) if item != value)}
    return refiltered(listing, **changes)


def refiltered(listing: Listing, **changes: Any) -> str:
    """The query of a listing with other conditions; an order that they do not allow goes with them."""
    conditions = replace(listing.filter, **changes)
    is_gone = (listing.sort == "near" and not conditions.near) or (
        listing.sort == "position" and len(conditions.selection) != 1
    )
    sort = default_sort(conditions) if is_gone else listing.sort
    return listing.query(filter=conditions, sort=sort, after="", before="")


def facets(counts: Counts) -> list[FacetView]:
    """The facets with what is there to choose; values that no question has are left out, unless they are chosen."""
    found = []
    for facet in counts.facets:
        values = [value for value in facet.values if value.count or value.is_on]
        if facet.name not in _ORDERED:
            values.sort(key=lambda value: (not value.is_on, -value.count))
        if len(values) > 1 or any(value.is_on for value in values):
            found.append(
                FacetView(
                    facet.name,
                    TITLES[facet.name],
                    tuple(values),
                    max(value.count for value in values),
                    facet.num_more,
                    facet.name in _OPEN or any(value.is_on for value in values),
                )
            )
    return found


def short_source(name: str) -> str:
    """A source without its owner, as many of one owner stand below each other."""
    return name.partition("/")[2] or name


def labels(counts: Counts) -> dict[tuple[str, str], str]:
    """(name, value) -> how it reads, of the facets' chosen values."""
    return {
        (facet.name, value.value): value.label for facet in counts.facets for value in facet.values if value.is_on
    }


def histogram(listing: Listing, counts: Counts) -> list[BarView]:
    """The bars of trace lengths, from the first that holds a question to the last; each asks for its own range."""
    bars = counts.histogram
    held = [place for place, bar in enumerate(bars) if bar.count]
    if not held:
        return []
    shown = bars[held[0] : held[-1] + 1]
    most = max(bar.count for bar in shown)
    return [_bar(listing, place, bar, most) for place, bar in enumerate(shown)]


def _bar(listing: Listing, place: int, bar: Bar, most: int) -> BarView:
    ends = (f"{bar.low:,}", "" if bar.high is None else f"{bar.high:,}")
    text = f"{ends[0]} to {ends[1]}" if ends[1] else f"{ends[0]} and more"
    return BarView(
        x=place * BAR_WIDTH,
        # one question is seen beside ten thousand
        height=max(round(BAR_HEIGHT * bar.count / most, 1), 1.5) if bar.count else 0,
        label=f"{text} tokens: {bar.count:,}",
        range=f"{bar.low}-{'' if bar.high is None else bar.high}",
        url="?" + refiltered(listing, min_tokens=bar.low, max_tokens=bar.high),
        is_on=bar.is_on,
    )


def shown_choices(listing: Listing) -> list[tuple[str, str, bool]]:
    """(name, title, whether it is shown) of every column."""
    return [(name, HEADS[name], name in listing.shown) for name in SHOWN]


def is_filtered(conditions: Filter) -> bool:
    return bool(conditions.pairs())
