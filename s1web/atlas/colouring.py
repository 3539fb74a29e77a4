"""What points are coloured by: for each question a small code, and what the codes are called."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from curation.records import CORRECT, WRONG
from s1web.browse.columns import Columns
from s1web.browse.facets import FACETS

Pair = tuple[str, str]
# labels with a code of their own: a code is a byte
MOST_LABELS = 250
# labels with a colour of their own: the colours of charts
NUM_INKS = 8
OTHER_INK, MISSING_INK = "other", "missing"
_STEPS = (512, 1024, 2048, 4096, 8192, 16384, 32768)


@dataclass(frozen=True)
class Entry:
    """A label of the legend.

    Attributes:
        query: the pool's filter for it; empty where it has none.
        ink: the name of its colour.
    """

    label: str
    query: tuple[Pair, ...]
    ink: str


@dataclass(frozen=True)
class Colouring:
    """Codes of all questions, shape (n,), uint8: places in the entries."""

    name: str
    codes: np.ndarray
    entries: tuple[Entry, ...]

    def counts(self, rows: np.ndarray) -> list[int]:
        """How many of these rows of the columns each entry has."""
        counted: list[int] = np.bincount(self.codes[rows], minlength=len(self.entries)).tolist()
        return counted


def colouring(columns: Columns, name: str) -> Colouring:
    """What the questions are coloured by under one of COLOURS; the same colours whatever is filtered."""
    make = _MAKERS.get(name)
    return columns.remember(
        ("colouring", name), lambda: make(columns) if make is not None else _of_labels(columns, name)
    )


def _of_labels(columns: Columns, name: str) -> Colouring:
    """By a facet with one code a value: the most frequent first, then the others together, then none."""
    (facet,) = [facet for facet in FACETS if facet.name == name]
    codes = facet.codes(columns)
    counts = np.bincount(codes + 1, minlength=facet.num_codes(columns))
    values = [(value, int(counts[value.codes[0] + 1])) for value in facet.values(columns)]
    there = sorted([item for item in values if item[1] and item[0].codes[0] >= 0], key=lambda item: -item[1])
    # a byte for every question: what is rarer shares one
    own, rest = there[:MOST_LABELS], there[MOST_LABELS:]
    entries = [
        Entry(value.label, ((name, value.name),), str(place + 1) if place < NUM_INKS else OTHER_INK)
        for place, (value, _) in enumerate(own)
    ]
    by_code = np.zeros(len(counts), np.uint8)
    for place, (value, _) in enumerate(own):
        by_code[value.codes[0] + 1] = place
    if rest:
        by_code[[value.codes[0] + 1 for value, _ in rest]] = len(entries)
        entries.append(Entry(f"{len(rest):,} rarer ones", (), OTHER_INK))
    for value, count in values:
        if value.codes[0] < 0 and count:
            by_code[0] = len(entries)
            entries.append(Entry(value.label, ((name, value.name),), MISSING_INK))
    return Colouring(name, by_code[codes + 1], tuple(entries))


def _by_length(columns: Columns) -> Colouring:
    """Of the trace, a step a doubling."""
    tokens = columns.trace_tokens
    codes = np.where(tokens < 0, len(_STEPS) + 1, np.searchsorted(_STEPS, tokens, side="right")).astype(np.uint8)
    entries = [Entry("under 512", (("tokens", "-511"),), "length-1")]
    entries += [
        Entry(f"{_short(low)} to {_short(high)}", (("tokens", f"{low}-{high - 1}"),), f"length-{place}")
        for place, (low, high) in enumerate(pairwise(_STEPS), 2)
    ]
    entries.append(Entry("32k and more", (("tokens", "32768-"),), f"length-{len(_STEPS) + 1}"))
    entries.append(Entry("no trace length", (("missing", "trace_tokens"),), MISSING_INK))
    return Colouring("length", codes, tuple(entries))


def _by_verdict(columns: Columns) -> Colouring:
    """Who solved it; where a grade is missing that would tell, nobody knows."""
    small, large = columns.small_grade, columns.large_grade
    codes = np.full(len(columns), 3, np.uint8)
    codes[small == CORRECT] = 0
    codes[(small == WRONG) & (large == CORRECT)] = 1
    codes[(small == WRONG) & (large == WRONG)] = 2
    entries = (
        Entry("solved by small", (("small", "right"),), "verdict-small"),
        Entry("only by large", (("small", "wrong"), ("large", "right")), "verdict-large"),
        Entry("by neither", (("small", "wrong"), ("large", "wrong")), "verdict-neither"),
        Entry("not graded", (), MISSING_INK),
    )
    return Colouring("verdict", codes, entries)


_MAKERS: dict[str, Callable[[Columns], Colouring]] = {"length": _by_length, "verdict": _by_verdict}


def _short(tokens: int) -> str:
    """As lengths stand on every axis: 512, 1k, 2k."""
    return str(tokens) if tokens < 1024 else f"{tokens // 1024}k"
