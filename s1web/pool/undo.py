"""Taking back what a file that failed on the way had brought, so that nothing half-loaded stays."""

from django.db import DatabaseError, connection, transaction
from django.db.models import F, Min, OuterRef, Subquery

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

Brought = LoadedRow.Brought


def undo_after(error: Exception, file: ImportFile) -> None:
    """Take back what a file brought before it failed with `error`.

    Raises:
        S1WebError: that could not be done either; the message says what stays and what to do.
    """
    num_rows = LoadedRow.objects.filter(import_file=file).count()
    try:
        undo_file(file)
    except DatabaseError as second:
        raise S1WebError(
            f"{file.name}: loading failed ({_one_line(error)}) and could not be taken back ({_one_line(second)}): "
            f"{num_rows:,} of its rows stay; mend the cause and load it again, which goes on from there"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


@transaction.atomic
def undo_file(file: ImportFile) -> None:
    """Remove a file's rows and everything that they brought; what they filled is missing again.

    Raises:
        django.db.IntegrityError: something refers to its questions by now; then nothing is removed.
    """
    bulk.take_turn()
    rows = LoadedRow.objects.filter(import_file=file)
    Grade.objects.filter(import_file=file)._raw_delete(using=connection.alias)
    Attempt.objects.filter(import_file=file)._raw_delete(using=connection.alias)
    for bit, name, empty in (
        (Brought.SMALL_GRADE, "small_grade", None),
        (Brought.LARGE_GRADE, "large_grade", None),
        (Brought.DOMAIN, "domain", ""),
    ):
        filled = rows.annotate(bit=F("brought").bitand(bit)).filter(bit__gt=0)
        Question.objects.filter(pk__in=filled.values("question_id")).update(**{name: empty})
    new_traces = Trace.objects.filter(import_file=file)
    # a question that got its trace from this file goes back to its first earlier one
    earlier = Trace.objects.filter(question=OuterRef("pk")).exclude(import_file=file)
    first = earlier.values("question").annotate(first=Min("pk")).values("first")
    affected = Question.objects.filter(trace__in=new_traces.values("pk"))
    pks = list(affected.values_list("pk", flat=True))
    for start in range(0, len(pks), 10_000):
        some = Question.objects.filter(pk__in=pks[start : start + 10_000])
        some.update(trace_id=Subquery(first))
        grade = Trace.objects.filter(pk=OuterRef("trace_id")).values("grade")
        some.update(trace_grade=Subquery(grade))
    TraceLength.objects.filter(trace__in=new_traces.values("pk"))._raw_delete(using=connection.alias)
    new_traces._raw_delete(using=connection.alias)
    made = rows.annotate(bit=F("brought").bitand(Brought.QUESTION)).filter(bit__gt=0)
    made_pks = list(made.values_list("question_id", flat=True))
    rows._raw_delete(using=connection.alias)
    for start in range(0, len(made_pks), 10_000):
        Question.objects.filter(pk__in=made_pks[start : start + 10_000])._raw_delete(using=connection.alias)
    file.delete()
    Source.objects.filter(questions__isnull=True, rows__isnull=True).delete()
    used = TraceLength.objects.values("tokenizer_id")
    Tokenizer.objects.filter(fingerprint="").exclude(pk__in=used).delete()
