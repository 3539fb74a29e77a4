"""Which questions a filter leaves, which condition each of the others fails, and the counts that follow from that.

A question that fails one condition alone would be there without it. So one array of how many conditions each
question fails gives the counts of every facet under all filters but its own.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from curation.polygons import inside
from s1web.browse.columns import IS_SEARCHABLE, Columns
from s1web.browse.facets import FACETS, MOST_VALUES, Facet, bin_ranges, token_bins
from s1web.browse.filters import Filter
from s1web.browse.members import members_of, near_rows
from s1web.browse.places import places_of
from s1web.pool.search.index import find
from s1web.pool.search.query import Term


@dataclass(frozen=True)
class Matching:
    """A filter applied to the columns.

    Attributes:
        num_failed: shape (n,), uint8: how many conditions each question fails; None where there is no condition.
        failing: condition -> the questions that fail it, shape (n,), bool.
    """

    columns: Columns
    filter: Filter
    num_failed: np.ndarray | None
    failing: dict[str, np.ndarray]

    def matches(self) -> np.ndarray | None:
        """Shape (n,), bool; None: all of them."""
        if self.num_failed is None:
            return None
        found: np.ndarray = self.num_failed == 0
        return found

    def others(self, name: str) -> np.ndarray | None:
        """The questions that fulfil every condition but that of this name; None: all of them."""
        if self.num_failed is None or self.failing.keys() == {name}:
            return None
        # one that fails this condition alone fails as many as it fails of this one: one, or none
        found: np.ndarray = self.num_failed == self.failing.get(name, 0)
        return found

    @property
    def num_matches(self) -> int:
        return len(self.columns) if self.num_failed is None else int(np.count_nonzero(self.num_failed == 0))


def match(columns: Columns, conditions: Filter) -> Matching:
    """Apply a filter; the text index and the members of selections are asked for in a query each.

    Raises:
        ConfigError, NotFoundError: a value that this pool does not have.
    """
    return columns.recent.get(("match", conditions), lambda: _match(columns, conditions))


def _match(columns: Columns, conditions: Filter) -> Matching:
    failing: dict[str, np.ndarray] = {}
    for facet in FACETS:
        failed = facet.failing(columns, conditions)
        if failed is not None:
            failing[facet.name] = failed
    for name, check in _CONDITIONS.items():
        failed = check(columns, conditions)
        if failed is not None:
            failing[name] = failed
    num_failed: np.ndarray | None = None
    for failed in failing.values():
        num_failed = failed.astype(np.uint8) if num_failed is None else np.add(num_failed, failed, out=num_failed)
    return Matching(columns, conditions, num_failed, failing)


def _tokens(columns: Columns, conditions: Filter) -> np.ndarray | None:
    low, high = conditions.min_tokens, conditions.max_tokens
    if low is None and high is None:
        return None
    tokens = columns.trace_tokens
    failed: np.ndarray = tokens < (low or 0)  # what is missing is -1
    if high is not None:
        failed |= tokens > high
    return failed


def _search(columns: Columns, conditions: Filter) -> np.ndarray | None:
    if not conditions.terms:
        return None
    rows, are_wanted = columns.recent.get(("search", conditions.terms), lambda: _found(columns, conditions.terms))
    if are_wanted:
        return _all_but(columns, rows)
    # of what is not searchable nobody knows that it has no such word
    failed: np.ndarray = (columns.state & IS_SEARCHABLE) == 0
    failed[rows] = True
    return failed


def _found(columns: Columns, terms: tuple[Term, ...]) -> tuple[np.ndarray, bool]:
    pks, are_wanted = find(terms)
    return columns.rows_of(pks), are_wanted


def _selections(columns: Columns, conditions: Filter) -> np.ndarray | None:
    if not conditions.selection:
        return None
    return _all_but(columns, np.concatenate([members_of(columns, name).rows for name in conditions.selection]))


def _not_selections(columns: Columns, conditions: Filter) -> np.ndarray | None:
    if not conditions.not_selection:
        return None
    failed = np.zeros(len(columns), dtype=bool)
    for name in conditions.not_selection:
        failed[members_of(columns, name).rows] = True
    return failed


def _near(columns: Columns, conditions: Filter) -> np.ndarray | None:
    if not conditions.near:
        return None
    return _all_but(columns, near_rows(columns, conditions.near))


def _area(columns: Columns, conditions: Filter) -> np.ndarray | None:
    if not conditions.area:
        return None
    places = places_of(columns)
    return _all_but(columns, places.rows[inside(places.steps, conditions.polygon)])


def _all_but(columns: Columns, rows: np.ndarray) -> np.ndarray:
    failed = np.ones(len(columns), dtype=bool)
    failed[rows] = False
    return failed


_CONDITIONS: dict[str, Callable[[Columns, Filter], np.ndarray | None]] = {
    "tokens": _tokens,
    "search": _search,
    "selection": _selections,
    "not_selection": _not_selections,
    "near": _near,
    "area": _area,
}


@dataclass(frozen=True)
class FacetCount:
    """A value of a facet: `count` questions have it among those that fulfil all other conditions."""

    value: str
    label: str
    count: int
    is_on: bool


@dataclass(frozen=True)
class FacetCounts:
    """A facet's values; of very many the most frequent, and `num_more` that are left out."""

    name: str
    values: tuple[FacetCount, ...]
    num_more: int = 0


@dataclass(frozen=True)
class Bar:
    """A bar of the histogram of trace lengths: from `low` to `high` tokens, both included; the last has no high."""

    low: int
    high: int | None
    count: int
    is_on: bool


@dataclass(frozen=True)
class Hidden:
    """Questions that a condition leaves out because what it asks about is not known of them."""

    name: str
    count: int
    why: str


@dataclass(frozen=True)
class Counts:
    """Everything counted beside a page.

    Attributes:
        total: questions that match.
        histogram: trace lengths among those that fulfil all conditions but the one on length.
        num_without_length: of the same, those whose trace has no length.
    """

    total: int
    facets: tuple[FacetCounts, ...]
    histogram: tuple[Bar, ...]
    num_without_length: int


def count(matching: Matching) -> Counts:
    """Count every facet."""
    bars = _count_codes(matching, "tokens", token_bins(matching.columns), len(bin_ranges()) + 1)
    conditions = matching.filter
    low, high = conditions.min_tokens or 0, conditions.max_tokens
    has_range = "tokens" in matching.failing
    return Counts(
        total=matching.num_matches,
        facets=tuple(_facet_counts(matching, facet) for facet in FACETS),
        histogram=tuple(
            Bar(
                least,
                most,
                int(bars[place + 1]),
                is_on=has_range and (most is None or most >= low) and (high is None or least <= high),
            )
            for place, (least, most) in enumerate(bin_ranges())
        ),
        num_without_length=int(bars[0]),
    )


def hidden(matching: Matching) -> tuple[Hidden, ...]:
    """For each condition in force: how many questions it leaves out only because a value is missing."""
    found: list[Hidden] = []
    columns = matching.columns
    for facet in FACETS:
        if facet.missing is None or facet.name not in matching.failing:
            continue
        lacks = facet.codes(columns) == facet.missing
        found.append(Hidden(facet.name, _num_left_out(matching, facet.name, lacks), facet.without))
    if "tokens" in matching.failing:
        found.append(
            Hidden("tokens", _num_left_out(matching, "tokens", columns.trace_tokens < 0), "without a trace length")
        )
    if "search" in matching.failing:
        lacks = (columns.state & IS_SEARCHABLE) == 0
        found.append(Hidden("search", _num_left_out(matching, "search", lacks), "not searchable yet"))
    if "area" in matching.failing:
        lacks = _all_but(columns, places_of(columns).rows)
        found.append(Hidden("area", _num_left_out(matching, "area", lacks), "without a place on the map"))
    return tuple(item for item in found if item.count)


def _num_left_out(matching: Matching, name: str, lacks: np.ndarray) -> int:
    out = lacks & matching.failing[name]
    others = matching.others(name)
    return int(np.count_nonzero(out if others is None else out & others))


def _facet_counts(matching: Matching, facet: Facet) -> FacetCounts:
    columns = matching.columns
    by_code = _count_codes(matching, facet.name, facet.codes(columns), facet.num_codes(columns))
    chosen = getattr(matching.filter, facet.name)
    values = facet.values(columns)
    num_more = 0
    if len(values) > MOST_VALUES:
        # labels have one code each
        numbers = np.array([by_code[value.codes[0] + 1] for value in values])
        most = np.sort(np.argpartition(-numbers, MOST_VALUES)[:MOST_VALUES]).tolist()
        on = [place for place, value in enumerate(values) if value.name in chosen] if chosen else []
        kept = sorted({*most, *on})
        num_more = len(values) - len(kept)
        values = [values[place] for place in kept]
    return FacetCounts(
        facet.name,
        tuple(
            FacetCount(
                value.name, value.label, int(by_code[[code + 1 for code in value.codes]].sum()), value.name in chosen
            )
            for value in values
        ),
        num_more,
    )


def _count_codes(matching: Matching, name: str, codes: np.ndarray, num_codes: int) -> np.ndarray:
    """How many questions have each code, from -1 on, of those that fulfil every condition but the named one."""
    others = matching.others(name)
    columns = matching.columns
    if others is None:
        return columns.remember(("counts", name), lambda: np.bincount(codes + 1, minlength=num_codes))
    return np.bincount(codes[others] + 1, minlength=num_codes)
