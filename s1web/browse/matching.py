"""Which questions a filter leaves, and which condition each of the others fails.

A question that fails one condition alone would be there without it. So one array of how many conditions each
question fails tells of every condition what there would be without it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from curation.polygons import inside
from s1web.browse.columns import IS_SEARCHABLE, Columns
from s1web.browse.facets import FACETS
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
        return all_but(columns, rows)
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
    return all_but(columns, np.concatenate([members_of(columns, name).rows for name in conditions.selection]))


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
    return all_but(columns, near_rows(columns, conditions.near))


def _area(columns: Columns, conditions: Filter) -> np.ndarray | None:
    if not conditions.area:
        return None
    places = places_of(columns)
    return all_but(columns, places.rows[inside(places.steps, conditions.polygon)])


def all_but(columns: Columns, rows: np.ndarray) -> np.ndarray:
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
