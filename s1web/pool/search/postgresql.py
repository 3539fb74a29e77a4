"""The text index on PostgreSQL: rows of tsvectors under one GIN index, a field of a question in one or several.

The words are cut here, not by PostgreSQL's parser, which takes numbers with signs, paths and tags for words of their
own and so would not find the parts of a formula. Then it finds the same as SQLite does.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection

from s1web.pool.search.query import MAX_PHRASE_WORDS, Term
from s1web.pool.search.words import FIELDS, words

# limits of a tsvector: a word has at most 255 places, which end at 16,383; all of it has less than 1 MiB
_MOST_PLACES = 255
_MOST_WORDS = 16_000
_MOST_BYTES = 500_000
# of a longer word the rest is left out: no word is so long, and PostgreSQL takes none over 2 KiB
_MOST_LETTERS = 200


def add(pks: Sequence[int]) -> None:
    """Index these questions, which are not in the index."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT q.id, q.text, q.solution, coalesce(t.thinking || chr(10) || t.attempt, '') FROM pool_question q "
            "LEFT JOIN pool_trace t ON t.id = q.trace_id WHERE q.id = ANY(%s) ORDER BY q.id",
            [list(pks)],
        )
        rows = cursor.fetchall()
        cursor.executemany(
            "INSERT INTO pool_search (question_id, field, words) VALUES (%s, %s, to_tsvector('simple', %s))",
            [
                (pk, field, piece)
                for pk, *texts in rows
                for field, text in enumerate(texts)
                for piece in _pieces([word[:_MOST_LETTERS] for word in words(text)])
            ],
        )


def remove(pks: Sequence[int]) -> None:
    """Take these questions out."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM pool_search WHERE question_id = ANY(%s)", [list(pks)])


def merge() -> bool:
    """Nothing to do: a GIN index is one."""
    return False


def find_any(terms: Sequence[Term]) -> str:
    """Keys of the questions that have one of these terms at least, each once, with commas between."""
    return _keys(*_joined(" UNION ", [_select(term) for term in terms]))


def find_all(wanted: Sequence[Term], unwanted: Sequence[Term]) -> str:
    """Keys of the questions that have every wanted term and no unwanted one, each once, with commas between."""
    sql, parameters = _joined(" INTERSECT ", [_select(term) for term in wanted])
    for term in unwanted:
        other, more = _select(term)
        sql, parameters = f"({sql}) EXCEPT {other}", [*parameters, *more]
    return _keys(sql, parameters)


def _keys(sql: str, parameters: list[Any]) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT string_agg(question_id::text, ',') FROM ({sql}) found", parameters)  # noqa: S608
        return cursor.fetchone()[0] or ""


def _select(term: Term) -> tuple[str, list[Any]]:
    """One term's questions; a row of the index is one piece of one field, so each term asks for itself."""
    parts = [word for typed in term.words for word in words(typed[:_MOST_LETTERS])]
    asked = " <-> ".join(f"'{part}'" for part in parts) + (":*" if term.is_prefix else "")
    sql = "SELECT DISTINCT question_id FROM pool_search WHERE words @@ to_tsquery('simple', %s)"
    if term.fields == FIELDS:
        return sql, [asked]
    return f"{sql} AND field = ANY(%s)", [asked, [FIELDS.index(field) for field in term.fields]]


def _joined(operator: str, selects: Sequence[tuple[str, list[Any]]]) -> tuple[str, list[Any]]:
    sql = operator.join(f"({select})" for select, _ in selects)
    return sql, [parameter for _, parameters in selects for parameter in parameters]


def _pieces(found: Sequence[str]) -> Iterator[str]:
    """The words in pieces that keep to the limits, with an overlap in which the longest phrase finds room."""
    start = 0
    while start < len(found):
        size = _MOST_WORDS
        piece = found[start : start + size]
        while size > _MOST_PLACES and not _fits(piece):
            size = max(size // 2, _MOST_PLACES)
            piece = piece[:size]
        yield " ".join(piece)
        if start + len(piece) == len(found):
            return
        start += len(piece) - (MAX_PHRASE_WORDS - 1)


def _fits(piece: Sequence[str]) -> bool:
    if len(piece) <= _MOST_PLACES:
        return True
    if sum(map(len, piece)) * 4 > _MOST_BYTES and sum(len(word.encode()) + 1 for word in piece) > _MOST_BYTES:
        return False
    return max(Counter(piece).values()) <= _MOST_PLACES
