"""Orders of the columns, and places in them: what has no value comes last, ties go by the questions' keys."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curation.errors import ConfigError
from s1web.browse.columns import Columns
from s1web.browse.filters import Listing
from s1web.browse.matching import match
from s1web.browse.members import members_of, near_rows

_MAX_KEY = 1_100
_COLUMNS = {
    "pool": "pk",
    "small": "small_grade",
    "large": "large_grade",
    "trace": "trace_grade",
    "tokens": "trace_tokens",
}
_LABELS = {"source": "source_labels", "domain": "domain_labels", "cot_type": "cot_type_labels"}
Comparable = tuple[bool, float, int]


@dataclass(frozen=True)
class Ordered:
    """The questions of a listing, whatever page of it is asked for.

    Attributes:
        rows: places in the columns, int32, in the listing's order.
        values: what they are ordered by, for every row of the columns; less than 0 is missing.
    """

    columns: Columns
    sort: str
    is_descending: bool
    rows: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def key(self, row: int) -> str:
        """The row's place in the order as a text: "55", or with a value "55.1204"; see `find`."""
        pk, value = int(self.columns.pk[row]), int(self.values[row])
        if self.sort == "pool" or value < 0:
            return str(pk)
        labels = _LABELS.get(self.sort)
        return f"{pk}.{getattr(self.columns, labels)[value] if labels else value}"

    def find(self, key: str, *, is_behind: bool) -> int:
        """Where a key stands, be its question here or not: the first place behind it, or that of its own.

        Raises:
            ConfigError: it is no key of this order.
        """
        wanted = self._parse(key)
        search = bisect_right if is_behind else bisect_left
        return search(range(len(self.rows)), wanted, key=lambda place: self._comparable(int(self.rows[place])))

    def place_of(self, row: int) -> int | None:
        """The row's place, None where the filter leaves it out."""
        place = bisect_left(
            range(len(self.rows)), self._comparable(row), key=lambda other: self._comparable(int(self.rows[other]))
        )
        return place if place < len(self.rows) and int(self.rows[place]) == row else None

    def _comparable(self, row: int) -> Comparable:
        value = int(self.values[row])
        return self._turned(value < 0, float(value), int(self.columns.pk[row]))

    def _turned(self, is_missing: bool, value: float, pk: int) -> Comparable:
        if is_missing or self.sort == "pool":
            value = 0.0
        return (is_missing, -value, -pk) if self.is_descending else (is_missing, value, pk)

    def _parse(self, key: str) -> Comparable:
        number, dot, text = key[:_MAX_KEY].partition(".")
        if not (number.isascii() and number.isdigit() and len(number) < 19):
            raise ConfigError(f"{key[:60]!r} is no place in a list; follow the links of a page, or leave it out")
        if not dot:
            return self._turned(self.sort != "pool", 0.0, int(number))
        labels = _LABELS.get(self.sort)
        if labels:
            return self._turned(False, _code(getattr(self.columns, labels), text), int(number))
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise ConfigError(f"{key[:60]!r} is no place in a list by {self.sort}; leave it out")
        return self._turned(False, float(text), int(number))


def order(columns: Columns, listing: Listing) -> Ordered:
    """The rows that a listing's filter leaves, in its order."""
    return columns.recent.get(
        ("order", listing.filter, listing.sort, listing.is_descending), lambda: _order(columns, listing)
    )


def _order(columns: Columns, listing: Listing) -> Ordered:
    matches = match(columns, listing.filter).matches()
    values, rows = _sorted(columns, listing)
    if listing.is_descending:
        num_present = int(np.count_nonzero(values >= 0))
        rows = np.concatenate([rows[:num_present][::-1], rows[num_present:][::-1]])
    if matches is not None:
        rows = rows[matches[rows]]
    return Ordered(columns, listing.sort, listing.is_descending, rows, values)


def _sorted(columns: Columns, listing: Listing) -> tuple[np.ndarray, np.ndarray]:
    """(values, all rows by value, what has none last); sorted once for all filters where the columns decide."""
    name = listing.sort
    if name == "position":
        members = members_of(columns, listing.filter.selection[0])
        values = np.full(len(columns), -1, dtype=np.int32)
        values[members.rows] = members.positions
        return values, _by(values)
    if name == "near":
        rows = near_rows(columns, listing.filter.near)
        values = np.full(len(columns), -1, dtype=np.int32)
        values[rows] = np.arange(len(rows), dtype=np.int32)
        return values, _by(values)
    values = getattr(columns, _COLUMNS.get(name, name))
    return values, columns.remember(("order", name), lambda: _by(values))


def _by(values: np.ndarray) -> np.ndarray:
    """All rows by value, ascending, ties in the rows' order; values below 0 come last."""
    if values.dtype == np.int64:  # the keys, which are in order
        return np.arange(len(values), dtype=np.int32)
    if values.itemsize <= 2:
        return np.argsort(_last(values), kind="stable").astype(np.int32)
    # by halves of 16 bits, which numpy sorts by counting: four times as fast as by comparing
    unsigned = _last(values)
    low = np.argsort((unsigned & 0xFFFF).astype(np.uint16), kind="stable").astype(np.int32)
    high = (unsigned >> 16).astype(np.uint16)[low]
    return low[np.argsort(high, kind="stable")] if high.any() else low


def _last(values: np.ndarray) -> np.ndarray:
    """The values as unsigned, so that -1 is the highest."""
    return values.astype(np.dtype(f"u{values.itemsize}"))


def _code(labels: Sequence[str], label: str) -> float:
    """The label's code; of one that is gone, a place between its neighbours'."""
    place = bisect_left(labels, label)
    return float(place) if place < len(labels) and labels[place] == label else place - 0.5
