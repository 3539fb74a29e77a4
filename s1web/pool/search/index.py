"""Filling the text index, question by question, and asking it; a stopped fill goes on where it was."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from django.db import connection, transaction

from s1web import bulk
from s1web.pool.models import Question, SearchedQuestion
from s1web.pool.search import postgresql, sqlite
from s1web.pool.search.query import Term
from s1web.pool.version import bump
from s1web.progress import Report, ignore

# some 7 MB of text in s1's pool: written in a fraction of a second, in which others wait to write
BATCH_QUESTIONS = 500
# of the index, from which new ones are merged with the others
_MERGED_FROM_SHARE = 0.05

_MISSING = """
FROM pool_question q LEFT JOIN pool_searchedquestion s ON s.question_id = q.id
WHERE (s.question_id IS NULL OR s.indexed_trace_id <> coalesce(q.trace_id, 0))
"""


class _Backend(Protocol):
    def add(self, pks: Sequence[int]) -> None: ...

    def remove(self, pks: Sequence[int]) -> None: ...

    def merge(self) -> bool: ...

    def find_any(self, terms: Sequence[Term]) -> str: ...

    def find_all(self, wanted: Sequence[Term], unwanted: Sequence[Term]) -> str: ...


@dataclass
class SearchResult:
    """What a fill did: questions indexed now, indexed before."""

    done: int = 0
    skipped: int = 0
    seconds: float = 0.0


def index_texts(limit: int | None = None, on_progress: Report | None = None) -> SearchResult:
    """Index every question that is not, and those that have another trace by now.

    Args:
        limit: index at most so many this time.
    """
    started = time.monotonic()
    missing = count_missing()
    result = SearchResult(skipped=Question.objects.count() - missing)
    total = missing if limit is None else min(missing, limit)
    report = on_progress or ignore
    report(0, total)
    last = 0
    while result.done < total:
        pks = _index_batch(last, min(BATCH_QUESTIONS, total - result.done))
        if not pks:
            break
        last = pks[-1]
        result.done += len(pks)
        report(result.done, total, rows=result.done)
    # a few questions more are found quickly where they are
    if result.done >= _MERGED_FROM_SHARE * (result.done + result.skipped):
        while _merge_step():
            report(result.done, total, rows=result.done)
    result.seconds = round(time.monotonic() - started, 3)
    return result


@transaction.atomic
def _merge_step() -> bool:
    bulk.take_turn()
    return _backend().merge()


@transaction.atomic
def _index_batch(last: int, size: int) -> list[int]:
    """Index the first `size` questions behind the key `last` that need it; returns their keys."""
    bulk.take_turn()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT q.id, coalesce(q.trace_id, 0) {_MISSING} AND q.id > %s ORDER BY q.id LIMIT %s",
            [last, size],
        )
        rows = cursor.fetchall()
    if not rows:
        return []
    pks = [pk for pk, _ in rows]
    forget(pks)
    _backend().add(pks)
    bulk.insert(SearchedQuestion, ("question_id", "indexed_trace_id"), rows)
    bump()
    return pks


def forget(pks: Sequence[int]) -> None:
    """Take questions out of the index, in the transaction in which, and before, their texts change or go."""
    indexed = SearchedQuestion.objects.filter(question_id__in=pks)
    known = list(indexed.values_list("question_id", flat=True))
    if known:
        _backend().remove(known)
        indexed.delete()


def count_missing() -> int:
    """Questions that are not searchable, or not with the trace that they have now."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) {_MISSING}")
        row = cursor.fetchone()
    return int(row[0])


def find(terms: Iterable[Term]) -> tuple[np.ndarray, bool]:
    """Ask the index.

    Returns:
        (ascending primary keys, whether they are the questions that were asked for; else they are those to leave
        out, as only unwanted terms were given).
    """
    terms = list(terms)
    wanted = [term for term in terms if not term.is_excluded]
    unwanted = [term for term in terms if term.is_excluded]
    # one text of all keys: a row each would cost ten times as much for a word that half of the pool has
    text = _backend().find_all(wanted, unwanted) if wanted else _backend().find_any(unwanted)
    pks = np.fromstring(text, dtype=np.int64, sep=",")
    # as they come out of an index they are in order, nearly always
    is_ascending = bool((pks[1:] >= pks[:-1]).all())
    return pks if is_ascending else np.sort(pks), bool(wanted)


def _backend() -> _Backend:
    return sqlite if connection.vendor == "sqlite" else postgresql
