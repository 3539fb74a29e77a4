"""The pool as the recipe sees it: columns in memory, read in one pass, without the long texts."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Count, OuterRef, Subquery

from curation.decontamination import RULES as DECONTAMINATION_RULES
from curation.decontamination import EvaluationIndex, Overlap
from curation.errors import NotFoundError
from curation.hashing import digest64
from curation.presets import Recipe
from curation.records import ColumnsBuilder, PoolColumns
from curation.records import Question as QuestionRecord
from s1web.pool.models import Contamination, Problem, Question, Source, Tokenizer, Trace, TraceLength
from s1web.pool.queries import count_loaded_rows

BATCH_ROWS = 10_000


@dataclass(frozen=True)
class Snapshot:
    """The pool at one moment.

    Attributes:
        columns: what the recipe computes on; its rows are those of `pks`.
        pks: shape (n,), int64: primary keys of the questions.
        fingerprint: SHA-256 over everything in the columns, question by question, and the number of rows loaded:
            equal pools have equal ones, whatever the database and the order of loading.
        tokenizer: whose trace lengths these are; "" where the pool has none.
    """

    columns: PoolColumns
    pks: np.ndarray
    fingerprint: str
    tokenizer: str


def take_snapshot(recipe: Recipe, contamination: Mapping[int, str]) -> Snapshot:
    """Read the pool for a recipe.

    Args:
        contamination: question's primary key -> rule of the decontamination stage.

    Raises:
        NotFoundError: the recipe names a tokenizer or a generator that the pool does not have.
    """
    tokenizer = choose_tokenizer(recipe.tokenizer)
    sources = dict(Source.objects.values_list("pk", "name"))
    builder = ColumnsBuilder(DECONTAMINATION_RULES)
    pks: list[np.ndarray] = []
    digests: list[np.ndarray] = []
    for rows in _rows(recipe.generator, tokenizer):
        batch = [
            QuestionRecord(
                question_hash=question_hash,
                source=sources[source_id],
                small_grade=_bool(small),
                large_grade=_bool(large),
                trace_grade=_bool(trace_grade),
                domain=domain,
                trace_tokens=tokens,
                flags=flags,
                contamination=contamination.get(pk),
            )
            for pk, question_hash, source_id, small, large, trace_grade, domain, tokens, flags in rows
        ]
        builder.add(batch)
        pks.append(np.array([row[0] for row in rows], dtype=np.int64))
        lines = (
            f"{q.question_hash}\t{q.source}\t{q.small_grade}\t{q.large_grade}\t{q.trace_grade}\t{q.domain}\t"
            f"{q.trace_tokens}\t{q.flags}\t{q.contamination}"
            for q in batch
        )
        digests.append(np.fromiter((digest64(line) for line in lines), np.int64, len(batch)))
    num_rows = count_loaded_rows()
    # sorted, so that the order of loading leaves no trace; eight bytes a question instead of its line
    content = np.sort(np.concatenate([*digests, np.empty(0, np.int64)])).astype(">i8").tobytes()
    return Snapshot(
        columns=builder.build(num_rows),
        pks=np.concatenate(pks) if pks else np.empty(0, dtype=np.int64),
        fingerprint=hashlib.sha256(str(num_rows).encode() + b"\n" + content).hexdigest(),
        tokenizer=tokenizer.name if tokenizer else "",
    )


def choose_tokenizer(name: str) -> Tokenizer | None:
    """The tokenizer of that name; for "" the one that counted most traces, of equals one that we ran ourselves.

    Counts of different tokenizers are never mixed: one tokenizer serves the whole run.

    Raises:
        NotFoundError: it has counted nothing.
    """
    counts: dict[int, int] = dict(
        TraceLength.objects.values("tokenizer_id").annotate(num=Count("pk")).values_list("tokenizer_id", "num")
    )
    counted = [tokenizer for tokenizer in Tokenizer.objects.all() if tokenizer.pk in counts]
    if name:
        found = next((tokenizer for tokenizer in counted if tokenizer.name == name), None)
        if found is None:
            there = ", ".join(sorted(tokenizer.name for tokenizer in counted)) or "none yet"
            raise NotFoundError(
                f"no trace lengths by tokenizer {name!r} (there: {there}); count them with annotate lengths"
            )
        return found
    return max(counted, key=lambda item: (counts[item.pk], bool(item.fingerprint), item.name), default=None)


def overlaps_of(benchmarks: Sequence[str], ngram_words: int) -> tuple[dict[int, str], dict[int, dict[str, object]]]:
    """Contamination by n-grams of another length than the stored evidence has, computed from the texts.

    Returns:
        (question -> rule, question -> evidence of its longest shared span); what was overruled is left out.
    """
    problems = list(Problem.objects.filter(benchmark__name__in=benchmarks).select_related("benchmark"))
    index = EvaluationIndex([problem.text for problem in problems], ngram_words)
    overruled = set(
        Contamination.objects.filter(decision=Contamination.Decision.OVERRULED).values_list(
            "question_id", "problem_id"
        )
    )
    rules: dict[int, str] = {}
    evidence: dict[int, dict[str, object]] = {}
    longest: dict[int, Overlap] = {}
    for batch in _texts():
        for overlap in index.find([text for _, text in batch]):
            pk, problem = batch[overlap.question][0], problems[overlap.problem]
            if (pk, problem.pk) in overruled:
                continue
            if pk not in longest or overlap.num_words > longest[pk].num_words:
                longest[pk], rules[pk] = overlap, overlap.rule
                evidence[pk] = {
                    "benchmark": problem.benchmark.name,
                    "problem": problem.key,
                    "num_words": overlap.num_words,
                    "question_offset": overlap.question_offset,
                    "problem_offset": overlap.problem_offset,
                }
    return rules, evidence


def question_texts(pks: np.ndarray) -> list[str]:
    """The texts of these questions, in this order."""
    texts: dict[int, str] = {}
    for start in range(0, len(pks), BATCH_ROWS):
        some = pks[start : start + BATCH_ROWS].tolist()
        texts.update(Question.objects.filter(pk__in=some).values_list("pk", "text"))
    return [texts[pk] for pk in pks.tolist()]


def _texts() -> Iterator[list[tuple[int, str]]]:
    last = 0
    while batch := list(Question.objects.filter(pk__gt=last).order_by("pk").values_list("pk", "text")[:BATCH_ROWS]):
        yield batch
        last = batch[-1][0]


def _rows(generator: str, tokenizer: Tokenizer | None) -> Iterator[list[tuple[Any, ...]]]:
    """Per question: pk, hash, source, grades, domain, trace tokens, flags; a generator's own traces where named."""
    questions = Question.objects.order_by("pk")
    trace = "trace_id"
    grade = "trace_grade"
    if generator:
        if not Trace.objects.filter(generator=generator).exists():
            names = Trace.objects.order_by("generator").values_list("generator", flat=True).distinct()
            there = ", ".join(repr(name) for name in names[:20]) or "none yet"
            raise NotFoundError(f"no traces by generator {generator!r} (there: {there}); name one of them, or none")
        own = Trace.objects.filter(question=OuterRef("pk"), generator=generator).order_by("-has_thinking", "pk")
        questions = questions.annotate(
            own_trace=Subquery(own.values("pk")[:1]), own_grade=Subquery(own.values("grade")[:1])
        )
        trace, grade = "own_trace", "own_grade"
    length = TraceLength.objects.filter(trace=OuterRef(trace), tokenizer=tokenizer).values("tokens")
    rows = questions.annotate(tokens=Subquery(length)).values_list(
        "pk",
        "question_hash",
        "source_id",
        "small_grade",
        "large_grade",
        grade,
        "domain",
        "tokens",
        "quality_flags",
    )
    # the driver's own rows: Django's conversion of each value would take longer than everything else together
    sql, parameters = rows.query.sql_with_params()
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, parameters)
        while batch := cursor.fetchmany(BATCH_ROWS):
            yield batch


def _bool(value: object) -> bool | None:
    return None if value is None else bool(value)
