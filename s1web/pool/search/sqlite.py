"""The text index on SQLite: an FTS5 table, row by question, that keeps the words and not the texts.

A text leaves such an index by being shown to it once more, word for word. So everything happens inside the database,
from the tables that hold the texts, and a question's texts are taken out before they change or go.
"""

import os
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from django.db import connection

from s1web.pool.search.query import Term
from s1web.pool.search.words import FIELDS

# written in a fraction of a second, in which others wait to write
_MERGE_PAGES = 1_000
# from so many questions on several readers win more than opening their connections takes, about a millisecond
_SHARED_FROM, _MOST_READERS = 20_000, 4
_MAPPED_BYTES = 4 << 30
_FIND = "SELECT group_concat(rowid) FROM pool_search WHERE pool_search MATCH"
_TEXTS = "q.id, q.text, q.solution, coalesce(t.thinking || char(10) || t.attempt, '')"


def add(pks: Sequence[int]) -> None:
    """Index these questions, which are not in the index."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO pool_search (rowid, question, solution, trace) SELECT {_TEXTS} FROM pool_question q "  # noqa: S608
            f"LEFT JOIN pool_trace t ON t.id = q.trace_id WHERE q.id IN ({_marks(pks)}) ORDER BY q.id",
            list(pks),
        )


def remove(pks: Sequence[int]) -> None:
    """Take these questions out, with the trace that each was indexed with."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO pool_search (pool_search, rowid, question, solution, trace) "  # noqa: S608
            f"SELECT 'delete', {_TEXTS} FROM pool_searchedquestion s JOIN pool_question q ON q.id = s.question_id "
            f"LEFT JOIN pool_trace t ON t.id = s.indexed_trace_id WHERE s.question_id IN ({_marks(pks)})",
            list(pks),
        )


def merge() -> bool:
    """Merge a part of the pieces that the index was written in; False once it is one piece.

    Each search looks into every piece: phrases of common words are found in half the time in one.
    """
    with connection.cursor() as cursor:
        before = connection.connection.total_changes
        cursor.execute("INSERT INTO pool_search (pool_search, rank) VALUES ('merge', %s)", [-_MERGE_PAGES])
        # the statement itself counts as one change
        return bool(connection.connection.total_changes - before >= 2)


def find_any(terms: Sequence[Term]) -> str:
    """Keys of the questions that have one of these terms at least, each once, with commas between."""
    return _keys(_match(terms))


def find_all(wanted: Sequence[Term], unwanted: Sequence[Term]) -> str:
    """Keys of the questions that have every wanted term and no unwanted one, each once, with commas between."""
    match = " AND ".join(_phrase(term) for term in wanted)
    if unwanted:
        match = f"({match}) NOT ({_match(unwanted)})"
    return _keys(match)


def _keys(match: str) -> str:
    edges = _parts()
    if not edges:
        with connection.cursor() as cursor:
            cursor.execute(f"{_FIND} %s", [match])
            return cursor.fetchone()[0] or ""
    with ThreadPoolExecutor(len(edges) - 1) as readers:
        parts = readers.map(partial(_read, connection.settings_dict["NAME"], match), edges[:-1], edges[1:])
        return ",".join(part for part in parts if part)


def _parts() -> list[int]:
    """Where to cut the pool's keys for several readers, both ends included; none where one is enough.

    What takes long are phrases of common words, for which all places of each word are read: there the cores share the
    work. A reader sees what is committed, so a transaction searches by itself, and a database in memory is its
    connection's alone.
    """
    if connection.in_atomic_block or not Path(connection.settings_dict["NAME"]).is_file():
        return []
    with connection.cursor() as cursor:
        # together in one SELECT they would be looked for in every row
        cursor.execute(
            "SELECT (SELECT min(question_id) FROM pool_searchedquestion), "
            "(SELECT max(question_id) FROM pool_searchedquestion)"
        )
        first, last = cursor.fetchone()
    size = 0 if first is None else last - first + 1
    count = min(os.cpu_count() or 1, _MOST_READERS)
    if size < _SHARED_FROM or count == 1:
        return []
    return [first + size * part // count for part in range(count + 1)]


def _read(path: str | Path, match: str, first: int, end: int) -> str | None:
    reader = sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True)
    try:
        # the index is read where it lies in memory: what is seldom asked would be copied from there page by page
        reader.execute(f"PRAGMA mmap_size={_MAPPED_BYTES}")
        found: str | None = reader.execute(f"{_FIND} ? AND rowid >= ? AND rowid < ?", (match, first, end)).fetchone()[
            0
        ]
        return found
    finally:
        reader.close()


def _match(terms: Sequence[Term]) -> str:
    return " OR ".join(_phrase(term) for term in terms)


def _phrase(term: Term) -> str:
    # letters and digits alone: nothing in the quotes can end them, and FTS5 folds them as it folded the texts
    phrase = f'"{" ".join(term.words)}"{" *" if term.is_prefix else ""}'
    # without a filter that lets all fields pass, it is found in half the time
    return phrase if term.fields == FIELDS else f"{{{' '.join(term.fields)}}} : {phrase}"


def _marks(pks: Sequence[int]) -> str:
    return ", ".join(["%s"] * len(pks))
