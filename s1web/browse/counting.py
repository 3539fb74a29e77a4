"""The counts beside a page: of every facet under all filters but its own, and what is hidden for want of a value.

Facets under the same filters are counted together: their codes are joined to one, of which each facet's counts are
sums. A dozen facets take two or three passes over the questions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from s1web.browse.columns import IS_SEARCHABLE, Columns
from s1web.browse.facets import FACETS, MOST_VALUES, Facet, bin_ranges, token_bins
from s1web.browse.matching import Matching, all_but
from s1web.browse.places import places_of

# joined codes for which a counter each stays in the processor's cache
_MOST_JOINED = 1 << 16


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
    by_name = _count_codes(matching)
    bars = by_name["tokens"]
    conditions = matching.filter
    low, high = conditions.min_tokens or 0, conditions.max_tokens
    has_range = "tokens" in matching.failing
    return Counts(
        total=matching.num_matches,
        facets=tuple(_facet_counts(matching, facet, by_name[facet.name]) for facet in FACETS),
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
        lacks = all_but(columns, places_of(columns).rows)
        found.append(Hidden("area", _num_left_out(matching, "area", lacks), "without a place on the map"))
    return tuple(item for item in found if item.count)


def _num_left_out(matching: Matching, name: str, lacks: np.ndarray) -> int:
    out = lacks & matching.failing[name]
    others = matching.others(name)
    return int(np.count_nonzero(out if others is None else out & others))


def _facet_counts(matching: Matching, facet: Facet, by_code: np.ndarray) -> FacetCounts:
    columns = matching.columns
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


@dataclass(frozen=True)
class _Joined:
    """Several columns of codes as one.

    Attributes:
        names, shape: of the columns, and how many codes each has, from -1 on.
        codes: shape (n,), 0 to the product of the shape.
    """

    names: tuple[str, ...]
    shape: tuple[int, ...]
    codes: np.ndarray

    def count(self, rows: np.ndarray | None) -> Iterator[tuple[str, np.ndarray]]:
        """(name, questions with each of its codes from -1 on) for every column, of these rows or of all."""
        codes = self.codes if rows is None else self.codes[rows]
        numbers = np.bincount(codes, minlength=prod(self.shape)).reshape(self.shape)
        for axis, name in enumerate(self.names):
            yield name, numbers.sum(axis=tuple(other for other in range(len(self.shape)) if other != axis))


def _count_codes(matching: Matching) -> dict[str, np.ndarray]:
    """Facet or "tokens" -> questions with each code, from -1 on, of those that fulfil all other conditions."""
    columns = matching.columns
    joined = columns.remember("joined_codes", lambda: _join(columns))
    matches = matching.matches()
    if matches is None:
        return columns.remember("counts", lambda: dict(_count(joined, None)))
    by_name = dict(_count(joined, np.flatnonzero(matches)))
    # those with a condition of their own are counted without it
    for name, codes, num_codes in _columns_of_codes(columns):
        if name in matching.failing:
            others = matching.others(name)
            by_name[name] = np.bincount((codes if others is None else codes[others]) + 1, minlength=num_codes)
    return by_name


def _count(joined: list[_Joined], rows: np.ndarray | None) -> Iterator[tuple[str, np.ndarray]]:
    for one in joined:
        yield from one.count(rows)


def _join(columns: Columns) -> list[_Joined]:
    """All columns of codes, as many joined as have few codes together."""
    groups: list[list[tuple[str, np.ndarray, int]]] = []
    for item in sorted(_columns_of_codes(columns), key=lambda item: -item[2]):
        room = (group for group in groups if prod(size for *_, size in group) * item[2] <= _MOST_JOINED)
        group = next(room, None)
        if group is None:
            groups.append([item])
        else:
            group.append(item)
    joined = []
    for group in groups:
        shape = tuple(size for *_, size in group)
        codes = np.zeros(len(columns), dtype=np.int64)
        for _, own, size in group:
            codes = codes * size + (own + 1)
        small = codes.astype(np.uint16 if prod(shape) <= _MOST_JOINED else np.uint32)
        joined.append(_Joined(tuple(name for name, *_ in group), shape, small))
    return joined


def _columns_of_codes(columns: Columns) -> list[tuple[str, np.ndarray, int]]:
    """(name, codes, how many there are from -1 on) of every facet and of the histogram."""
    coded = [(facet.name, facet.codes(columns), facet.num_codes(columns)) for facet in FACETS]
    coded.append(("tokens", token_bins(columns), len(bin_ranges()) + 1))
    return [(name, codes, max(num_codes, int(codes.max(initial=-1)) + 2)) for name, codes, num_codes in coded]
