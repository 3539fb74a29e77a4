"""What pages of the pool read: a page of rows, the facets beside it, a question's place; nothing here writes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db.models.functions import Substr

from curation.errors import NotFoundError
from s1web.browse.columns import CLEAN, IS_SELECTED, NGRAM, OVERRULED, QUALITY_RULES, REVIEWS, SHORT, Columns
from s1web.browse.counting import Counts, Hidden, count, hidden
from s1web.browse.filters import Filter, Listing
from s1web.browse.matching import match
from s1web.browse.ordering import Ordered, order
from s1web.browse.store import Looked, looked
from s1web.pool.models import Question
from s1web.pool.search.snippets import Snippet, snippets

PAGE_ROWS = 50
# what of a question's text a list shows at most
TEXT_CHARACTERS = 300
_PIECE_PKS = 5_000

_CONTAMINATION = {CLEAN: "none", OVERRULED: "overruled", NGRAM: "ngram", SHORT: "short"}


@dataclass(frozen=True)
class Row:
    """A question as a list shows it; None is missing, of `contamination` not compared yet.

    Attributes:
        text: its beginning, TEXT_CHARACTERS at most; `is_cut` where it goes on.
        snippet: where the words of the search were found.
    """

    pk: int
    question_hash: str
    text: str
    is_cut: bool
    source: str
    domain: str | None
    cot_type: str | None
    cluster: int | None
    small_grade: bool | None
    large_grade: bool | None
    trace_grade: bool | None
    trace_tokens: int | None
    quality: tuple[str, ...]
    contamination: str | None
    review: str | None
    is_selected: bool
    snippet: Snippet | None


@dataclass(frozen=True)
class Page:
    """Some rows of a listing.

    Attributes:
        rows: in order.
        first: the place of the first row among all, from 1; 0 where there is none.
        total: rows of the whole listing.
        before, after: keys for the pages to either side; "" where there is none.
        hidden: what conditions leave out for want of a value.
        num_questions, num_searchable: of the whole pool.
        tokenizer: whose trace lengths are shown.
        as_of: of when the figures are.
        is_refreshing: the pool has changed since; newer figures are being made.
    """

    rows: tuple[Row, ...]
    first: int
    total: int
    before: str
    after: str
    hidden: tuple[Hidden, ...]
    num_questions: int
    num_searchable: int
    tokenizer: str
    as_of: datetime
    is_refreshing: bool


@dataclass(frozen=True)
class Neighbours:
    """A question's place in a listing, from 1, and the hashes of those beside it; None where it is not in it."""

    place: int | None
    total: int
    previous: str | None
    following: str | None


def read_page(listing: Listing, num_rows: int = PAGE_ROWS, look: Looked | None = None) -> Page:
    """The page of a listing that its key asks for, the first without one.

    Five queries at most, whatever the size and place: the pool's version, the search and how to share it, the texts'
    beginnings, and the texts that were searched; two more for each selection that a filter names for the first time.

    Args:
        look: at the columns, where there was one for this request already.

    Raises:
        ConfigError, NotFoundError: a value that this pool does not have.
    """
    look = look or looked()
    ordered = order(look.columns, listing)
    start, stop = _extent(ordered, listing, num_rows)
    rows = ordered.rows[start:stop].tolist()
    return Page(
        rows=_rows(look.columns, rows, listing.filter),
        first=start + 1 if rows else 0,
        total=len(ordered),
        before=ordered.key(rows[0]) if rows and start else "",
        after=ordered.key(rows[-1]) if rows and stop < len(ordered) else "",
        hidden=hidden(match(look.columns, listing.filter)),
        num_questions=len(look.columns),
        num_searchable=look.columns.num_searchable,
        tokenizer=look.columns.tokenizer,
        as_of=look.columns.as_of,
        is_refreshing=look.is_refreshing,
    )


def read_counts(conditions: Filter, look: Looked | None = None) -> Counts:
    """The facets, the histogram of lengths and the total of a filter."""
    return count(match((look or looked()).columns, conditions))


def neighbours(listing: Listing, question_hash: str) -> Neighbours:
    """Where a question stands in a listing.

    Raises:
        NotFoundError: the pool has no such question.
    """
    columns = looked().columns
    ordered = order(columns, listing)
    row = columns.row_of_hash(question_hash)
    if row is None:
        raise NotFoundError(f"the pool has no question {question_hash[:40]!r}; give the 16 hex digits of its hash")
    place = ordered.place_of(row)
    if place is None:
        return Neighbours(None, len(ordered), None, None)
    return Neighbours(
        place=place + 1,
        total=len(ordered),
        previous=columns.hash_of(int(ordered.rows[place - 1])) if place else None,
        following=columns.hash_of(int(ordered.rows[place + 1])) if place + 1 < len(ordered) else None,
    )


def key_around(listing: Listing, question_hash: str, num_rows: int = PAGE_ROWS) -> str:
    """The `after` of the page of a listing on which a question stands; "" for the first page."""
    columns = looked().columns
    ordered = order(columns, listing)
    row = columns.row_of_hash(question_hash)
    place = None if row is None else ordered.place_of(row)
    start = 0 if place is None else place // num_rows * num_rows
    return ordered.key(int(ordered.rows[start - 1])) if start else ""


def count_matching(listing: Listing) -> int:
    """How many questions a listing has now; like `matching_pks`, it may wait until the pool is read."""
    return read_counts(listing.filter, looked(is_fresh=True)).total


def matching_pks(listing: Listing) -> Iterator[list[int]]:
    """The keys of all questions of a listing in its order, piece by piece, for actions on and exports of all rows.

    Unlike pages, these are of the pool as it is now, so this may wait until it is read.
    """
    look = looked(is_fresh=True)
    ordered = order(look.columns, listing)
    for start in range(0, len(ordered), _PIECE_PKS):
        yield look.columns.pk[ordered.rows[start : start + _PIECE_PKS]].tolist()


def read_rows(columns: Columns, listing: Listing, num_rows: int) -> Iterator[tuple[Row, ...]]:
    """All rows of a listing in its order, piece by piece, without snippets."""
    ordered = order(columns, listing)
    for start in range(0, len(ordered), num_rows):
        yield _rows(columns, ordered.rows[start : start + num_rows].tolist(), Filter())


def _extent(ordered: Ordered, listing: Listing, num_rows: int) -> tuple[int, int]:
    if listing.before:
        stop = ordered.find(listing.before, is_behind=False)
        # the page before the second one is the first, and full
        return max(stop - num_rows, 0), min(max(stop, num_rows), len(ordered)) if stop < num_rows else stop
    start = ordered.find(listing.after, is_behind=True) if listing.after else 0
    return start, min(start + num_rows, len(ordered))


def _rows(columns: Columns, rows: list[int], conditions: Filter) -> tuple[Row, ...]:
    pks = columns.pk[rows].tolist()
    # one character more, which tells whether the text goes on
    beginnings = dict(
        Question.objects.filter(pk__in=pks).values_list("pk", Substr("text", 1, TEXT_CHARACTERS + 1)) if pks else []
    )
    marked = snippets(pks, conditions.terms) if pks and conditions.terms else {}
    # a question that has gone since the columns were read is left out
    return tuple(
        _row(columns, row, pk, beginnings[pk], marked.get(pk))
        for row, pk in zip(rows, pks, strict=True)
        if pk in beginnings
    )


def _row(columns: Columns, row: int, pk: int, text: str, snippet: Snippet | None) -> Row:
    bits = int(columns.quality[row])
    return Row(
        pk=pk,
        question_hash=columns.hash_of(row),
        text=text[:TEXT_CHARACTERS],
        is_cut=len(text) > TEXT_CHARACTERS,
        source=columns.source_labels[int(columns.source[row])],
        domain=_label(columns.domain_labels, columns.domain, row),
        cot_type=_label(columns.cot_type_labels, columns.cot_type, row),
        cluster=_number(columns.cluster, row),
        small_grade=_grade(columns.small_grade, row),
        large_grade=_grade(columns.large_grade, row),
        trace_grade=_grade(columns.trace_grade, row),
        trace_tokens=_number(columns.trace_tokens, row),
        quality=tuple(rule for place, rule in enumerate(QUALITY_RULES) if bits >> place & 1),
        contamination=_CONTAMINATION.get(int(columns.contamination[row])),
        review=REVIEWS[columns.review[row]] if columns.review[row] >= 0 else None,
        is_selected=bool(columns.state[row] & IS_SELECTED),
        snippet=snippet,
    )


def _label(labels: tuple[str, ...], codes: np.ndarray, row: int) -> str | None:
    code = int(codes[row])
    return None if code < 0 else labels[code]


def _number(values: np.ndarray, row: int) -> int | None:
    value = int(values[row])
    return None if value < 0 else value


def _grade(grades: np.ndarray, row: int) -> bool | None:
    grade = int(grades[row])
    return None if grade < 0 else bool(grade)
