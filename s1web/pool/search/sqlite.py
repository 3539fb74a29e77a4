"""The text index on SQLite: an FTS5 table, row by question, that keeps the words and not the texts.

A text leaves such an index by being shown to it once more, word for word. So everything happens inside the database,
from the tables that hold the texts, and a question's texts are taken out before they change or go.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from s1web.pool.search.query import Term
from s1web.pool.search.words import FIELDS

# written in a fraction of a second, in which others wait to write
_MERGE_PAGES = 1_000
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


def find(terms: Sequence[Term]) -> tuple[str, list[Any]]:
    """SQL that gives the questions that have one of these terms at least, as `question_id`, each once."""
    return "SELECT rowid AS question_id FROM pool_search WHERE pool_search MATCH %s", [_match(terms)]


def find_all(wanted: Sequence[Term], unwanted: Sequence[Term]) -> tuple[str, list[Any]]:
    """SQL that gives the questions that have every wanted term and no unwanted one, as `question_id`, each once."""
    match = " AND ".join(_phrase(term) for term in wanted)
    if unwanted:
        match = f"({match}) NOT ({_match(unwanted)})"
    return "SELECT rowid AS question_id FROM pool_search WHERE pool_search MATCH %s", [match]


def _match(terms: Sequence[Term]) -> str:
    return " OR ".join(_phrase(term) for term in terms)


def _phrase(term: Term) -> str:
    # letters and digits alone: nothing in the quotes can end them, and FTS5 folds them as it folded the texts
    phrase = f'"{" ".join(term.words)}"{" *" if term.is_prefix else ""}'
    # without a filter that lets all fields pass, it is found in half the time
    return phrase if term.fields == FIELDS else f"{{{' '.join(term.fields)}}} : {phrase}"


def _marks(pks: Sequence[int]) -> str:
    return ", ".join(["%s"] * len(pks))
