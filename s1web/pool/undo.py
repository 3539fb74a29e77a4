"""Taking back what a file that failed on the way had brought, so that nothing half-loaded stays."""

from collections.abc import Iterator

import numpy as np
from django.db import DatabaseError, connection, transaction
from django.db.models import F, OuterRef, Subquery

from curation.errors import S1WebError
from s1web import bulk
from s1web.pool.models import (
    Attempt,
    Grade,
    ImportFile,
    LoadedRow,
    Question,
    Source,
    Tokenizer,
    Trace,
    TraceLength,
)
from s1web.pool.search.index import forget
from s1web.pool.tables import one_line
from s1web.pool.version import bump

Brought = LoadedRow.Brought
# questions taken back at once: few, as what one transaction changes has to fit on a disk that is full
PIECE_QUESTIONS = 1_000


def undo_after(error: Exception, file: ImportFile) -> None:
    """Take back what a file brought before it failed with `error`.

    Raises:
        S1WebError: that could not be done either; the message says what stays and what to do.
    """
    try:
        undo_file(file)
    except DatabaseError as second:
        raise S1WebError(
            f"{file.name}: loading failed ({one_line(error)}) and could not be taken back ({one_line(second)}): "
            f"{_count_left(file)} of its rows stay; mend the cause and load it again, which goes on from there"
        ) from error


def _count_left(file: ImportFile) -> str:
    try:
        return f"{LoadedRow.objects.filter(import_file=file).count():,}"
    except DatabaseError:
        return "some"


def undo_file(file: ImportFile) -> None:
    """Remove a file's rows and everything that they brought; what they filled is missing again.

    The questions are taken back piece by piece, the last first: every piece is whole, so that what is left after an
    error is as if the file had been loaded so far.

    Raises:
        django.db.IntegrityError: something refers to the questions of a piece by now; it and those before it stay.
    """
    _tidy_log()
    for question_ids in _pieces(file):
        _undo_questions(file, question_ids)
    _undo_rest(file)
    _tidy_log()


def _pieces(file: ImportFile) -> Iterator[list[int]]:
    rows = LoadedRow.objects.filter(import_file=file).values_list("question_id", flat=True)
    # 8 bytes a row, so that a file of a million rows costs 8 MB
    question_ids = np.unique(np.fromiter(rows.iterator(), np.int64))[::-1]
    for start in range(0, len(question_ids), PIECE_QUESTIONS):
        yield question_ids[start : start + PIECE_QUESTIONS].tolist()


@transaction.atomic
def _undo_questions(file: ImportFile, question_ids: list[int]) -> None:
    """Take back what the file's rows brought to these questions."""
    bulk.take_turn()
    # while the texts are there: the index drops a text by being shown it once more
    forget(question_ids)
    mine = {"import_file": file, "question_id__in": question_ids}
    Grade.objects.filter(**mine)._raw_delete(using=connection.alias)
    Attempt.objects.filter(**mine)._raw_delete(using=connection.alias)
    rows = LoadedRow.objects.filter(**mine)
    for bit, name, empty in (
        (Brought.SMALL_GRADE, "small_grade", None),
        (Brought.LARGE_GRADE, "large_grade", None),
        (Brought.DOMAIN, "domain", ""),
    ):
        Question.objects.filter(pk__in=_with_bit(file, question_ids, bit)).update(**{name: empty})
    traces = Trace.objects.filter(**mine)
    # a question that got its trace from this file goes back to its first earlier one with thinking, else at all
    affected = Question.objects.filter(pk__in=question_ids, trace__in=traces.values("pk"))
    affected = Question.objects.filter(pk__in=list(affected.values_list("pk", flat=True)))
    earlier = Trace.objects.filter(question=OuterRef("pk")).exclude(import_file=file)
    affected.update(trace_id=Subquery(earlier.order_by("-has_thinking", "pk").values("pk")[:1]))
    affected.update(trace_grade=Subquery(Trace.objects.filter(pk=OuterRef("trace_id")).values("grade")))
    TraceLength.objects.filter(trace__in=traces.values("pk"))._raw_delete(using=connection.alias)
    traces._raw_delete(using=connection.alias)
    made = _with_bit(file, question_ids, Brought.QUESTION)
    rows._raw_delete(using=connection.alias)
    Question.objects.filter(pk__in=made)._raw_delete(using=connection.alias)
    bump()


def _with_bit(file: ImportFile, question_ids: list[int], bit: int) -> list[int]:
    rows = LoadedRow.objects.filter(import_file=file, question_id__in=question_ids)
    return list(rows.annotate(bit=F("brought").bitand(bit)).filter(bit__gt=0).values_list("question_id", flat=True))


@transaction.atomic
def _undo_rest(file: ImportFile) -> None:
    bulk.take_turn()
    file.delete()
    Source.objects.filter(questions__isnull=True, rows__isnull=True).delete()
    used = TraceLength.objects.values("tokenizer_id")
    Tokenizer.objects.filter(fingerprint="").exclude(pk__in=used).delete()
    bump()


def _tidy_log() -> None:
    """Move SQLite's log into the database, so that writing can begin at its start again, where space is in hand."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            # others may be reading, or room may still be missing: then the log stays as long as it is
            try:
                cursor.execute("PRAGMA wal_checkpoint(RESTART)")
            except DatabaseError:
                return
