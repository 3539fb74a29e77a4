"""The whole pool at a glance: how its questions spread over each facet, every count with the query of its rows."""

from dataclasses import dataclass

import numpy as np

from curation.records import CORRECT, UNGRADED, WRONG
from s1web.browse.columns import Columns
from s1web.browse.counting import FacetCounts
from s1web.browse.filters import NONE, Filter, Listing
from s1web.browse.queries import read_counts
from s1web.browse.showing import TITLES, BarView, histogram, short_source
from s1web.browse.store import looked

_NUM_SHOWN = 8
# (title, verdicts of the small and of the large model); None is any
_VERDICTS = (
    ("solved by neither", ("wrong",), ("wrong",)),
    ("solved by 32B alone", ("wrong",), ("right",)),
    ("solved by 7B alone", ("right",), ("wrong",)),
    ("solved by both", ("right",), ("right",)),
)
_CODES = {"right": CORRECT, "wrong": WRONG}


@dataclass(frozen=True)
class Share:
    """Some of the questions, with the query of the pool page that lists them."""

    label: str
    title: str
    count: int
    query: str


@dataclass(frozen=True)
class Spread:
    """How questions spread over something; `rest` counts what is not listed, `most` is the longest bar."""

    title: str
    shares: tuple[Share, ...]
    rest: int = 0

    @property
    def most(self) -> int:
        return max((share.count for share in self.shares), default=0)


@dataclass(frozen=True)
class Summary:
    """The pool's spreads; `bars` of the trace lengths, counted by `tokenizer`."""

    num_questions: int
    spreads: tuple[Spread, ...]
    bars: tuple[BarView, ...]
    num_without_length: int
    tokenizer: str


def read_summary() -> Summary:
    """One query, as long as the columns are there."""
    look = looked()
    counts = read_counts(Filter(), look)
    facets = {facet.name: facet for facet in counts.facets}
    spreads = [
        _spread(facets["source"]),
        _spread(facets["domain"]),
        _verdicts(look.columns),
        _spread(facets["quality"], without=NONE),
    ]
    return Summary(
        num_questions=counts.total,
        spreads=tuple(spread for spread in spreads if spread.shares),
        bars=tuple(histogram(Listing(), counts)),
        num_without_length=counts.num_without_length,
        tokenizer=look.columns.tokenizer,
    )


def _spread(facet: FacetCounts, without: str | None = None) -> Spread:
    values = [value for value in facet.values if value.count and value.value != without]
    values.sort(key=lambda value: -value.count)
    shares = [
        Share(
            short_source(value.label) if facet.name == "source" else value.label,
            value.label,
            value.count,
            _query(Filter(**{facet.name: (value.value,)})),  # type: ignore[arg-type]
        )
        for value in values[:_NUM_SHOWN]
    ]
    return Spread(TITLES[facet.name], tuple(shares), len(values) - len(shares) + facet.num_more)


def _verdicts(columns: Columns) -> Spread:
    small, large = columns.small_grade, columns.large_grade
    shares = [
        Share(
            label,
            label,
            int(np.count_nonzero((small == _CODES[a[0]]) & (large == _CODES[b[0]]))),
            _query(Filter(small=a, large=b)),
        )
        for label, a, b in _VERDICTS
    ]
    # a question that lacks either grade: two lists, as within one filter conditions add up
    without = ((Filter(small=("missing",)), small, "7B"), (Filter(large=("missing",)), large, "32B"))
    for conditions, grades, title in without:
        count = int(np.count_nonzero(grades == UNGRADED))
        shares.append(Share(f"without a {title} verdict", f"without a {title} verdict", count, _query(conditions)))
    return Spread("Difficulty verdicts", tuple(share for share in shares if share.count))


def _query(conditions: Filter) -> str:
    return Listing(conditions).query()
