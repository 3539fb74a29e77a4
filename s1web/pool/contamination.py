"""Comparing the pool with the evaluation sets; what was compared once is not compared again."""

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from django.db import transaction
from django.db.models import Count, Exists, Max, OuterRef, Q

from curation.decontamination import EvaluationIndex, Overlap
from curation.errors import ConfigError, ConflictError, NotFoundError
from s1web import bulk
from s1web.pool.models import Benchmark, Contamination, ContaminationRuling, Problem, Question
from s1web.pool.version import bump
from s1web.progress import Report, ignore

BATCH_ROWS = 4_000


@dataclass
class CheckResult:
    """What a check did: questions compared with at least one problem, questions that were up to date."""

    done: int = 0
    skipped: int = 0
    contaminated: int = 0
    seconds: float = 0.0


def check_contamination(limit: int | None = None, on_progress: Report | None = None) -> CheckResult:
    """Compare every question with every problem that it has not been compared with, and keep the evidence.

    Problems remember up to which question they were compared, so a check goes on where the last one ended, and a
    new benchmark costs a pass over the questions with its problems alone.

    Args:
        limit: compare at most so many questions this time.
    """
    started = time.monotonic()
    result = CheckResult()
    report = on_progress or ignore
    last = Question.objects.aggregate(last=Max("pk"))["last"] or 0
    num_questions = Question.objects.count()
    problems = list(Problem.objects.filter(checked_question_id__lt=last).order_by("checked_question_id", "pk"))
    # those with the same mark go through the pool together; one with an earlier mark goes with all later ones
    marks = [mark for mark, _ in groupby(problems, key=lambda problem: problem.checked_question_id)]
    total = Question.objects.filter(pk__gt=marks[0]).count() if marks else 0
    if limit is not None:
        total = min(total, limit)
    report(0, total)
    for place, mark in enumerate(marks):
        stop = marks[place + 1] if place + 1 < len(marks) else last
        behind = [problem for problem in problems if problem.checked_question_id <= mark]
        room = None if limit is None else limit - result.done
        for checked in _compare(behind, mark, stop, room):
            result.done += checked
            report(result.done, total, rows=result.done)
        if limit is not None and result.done >= limit:
            break
    result.skipped = num_questions - result.done
    result.contaminated = Question.objects.filter(contaminated=True).count()
    result.seconds = round(time.monotonic() - started, 3)
    return result


def _compare(problems: Sequence[Problem], mark: int, stop: int, room: int | None) -> Iterator[int]:
    """Compare the questions after `mark` up to `stop` with these problems, batch by batch; yields how many."""
    index = EvaluationIndex([problem.text for problem in problems])
    keys = [problem.pk for problem in problems]
    questions = Question.objects.filter(pk__gt=mark, pk__lte=stop).order_by("pk").values_list("pk", "text")
    if room is not None:
        questions = questions[:room]
    for batch in _batches(questions.iterator(chunk_size=BATCH_ROWS), BATCH_ROWS):
        pks = [pk for pk, _ in batch]
        overlaps = index.find([text for _, text in batch])
        is_end = room is None and pks[-1] == stop
        _store(problems, keys, pks, overlaps, stop if is_end else pks[-1])
        yield len(batch)


@transaction.atomic
def _store(
    problems: Sequence[Problem], keys: list[int], pks: list[int], overlaps: Sequence[Overlap], checked: int
) -> None:
    bulk.take_turn()
    hits = sorted({pks[overlap.question] for overlap in overlaps})
    pairs = [(pks[overlap.question], keys[overlap.problem]) for overlap in overlaps]
    # evidence that a cut-off check had stored already, a decision on it included, stays as it is
    known = set(Contamination.objects.filter(question_id__in=hits).values_list("question_id", "problem_id"))
    bulk.insert(
        Contamination,
        (
            "question_id",
            "problem_id",
            "rule",
            "num_words",
            "question_offset",
            "problem_offset",
            "decision",
            "decided_by",
            "reason",
        ),
        (
            (*pair, o.rule, o.num_words, o.question_offset, o.problem_offset, "", "", "")
            for pair, o in zip(pairs, overlaps, strict=True)
            if pair not in known
        ),
    )
    # never back: another check may be further by now
    Problem.objects.filter(pk__in=keys, checked_question_id__lt=checked).update(checked_question_id=checked)
    mark_questions(hits)
    bump()


def mark_questions(pks: Iterable[int]) -> None:
    """Bring `Question.contaminated` of these questions in line with the evidence and its decisions."""
    questions = Question.objects.filter(pk__in=pks)
    standing = Contamination.objects.filter(question=OuterRef("pk")).exclude(
        decision=Contamination.Decision.OVERRULED
    )
    questions.filter(Exists(standing), contaminated=False).update(contaminated=True)
    questions.filter(~Exists(standing), contaminated=True).update(contaminated=False)


def num_unchecked() -> int:
    """Questions that some problem was not compared with yet."""
    first = Problem.objects.order_by("checked_question_id").values_list("checked_question_id", flat=True).first()
    return 0 if first is None else Question.objects.filter(pk__gt=first).count()


@transaction.atomic
def overrule(question_hash: str, *, reason: str, decided_by: str, evidence: Collection[int] | None = None) -> int:
    """Declare a question not contaminated, against evidence found so far, with a reason; returns the pairs overruled.

    Args:
        evidence: primary keys of the pieces that are overruled, which all have to stand; None is all there are.

    Raises:
        NotFoundError: the pool has no such question, or there is no such evidence against it.
        ConflictError: a piece that was chosen is overruled already.
        ConfigError: no reason is given.
    """
    if not reason.strip():
        raise ConfigError("overruling contamination needs a reason; say why the shared words are no leak")
    pieces = _pieces(question_hash, evidence)
    if not pieces:
        raise NotFoundError(f"question {question_hash!r} has no evidence of contamination to overrule")
    if evidence is not None:
        for piece in pieces:
            if piece.decision == Contamination.Decision.OVERRULED:
                raise ConflictError(f"evidence {piece.pk} is overruled already; read the question again")
    _rule(pieces, Contamination.Decision.OVERRULED, reason.strip(), decided_by)
    return len(pieces)


@transaction.atomic
def reinstate(
    question_hash: str, *, decided_by: str, reason: str = "", evidence: Collection[int] | None = None
) -> int:
    """Let evidence that was overruled count again; returns the pairs that do.

    Args:
        evidence: primary keys of the pieces, which all have to be overruled; None is all that are.

    Raises:
        NotFoundError: there is no such evidence against the question, or none of it is overruled.
        ConflictError: a piece that was chosen counts already.
    """
    found = _pieces(question_hash, evidence)
    pieces = [piece for piece in found if piece.decision == Contamination.Decision.OVERRULED]
    if not pieces:
        raise NotFoundError(f"question {question_hash!r} has no overruled evidence that could count again")
    if evidence is not None and len(pieces) < len(found):
        standing = next(piece.pk for piece in found if piece not in pieces)
        raise ConflictError(f"evidence {standing} counts already; read the question again")
    _rule(pieces, Contamination.Decision.UNDECIDED, reason.strip(), decided_by)
    return len(pieces)


def _pieces(question_hash: str, evidence: Collection[int] | None) -> list[Contamination]:
    """The pieces against a question, held until the transaction ends, so that nobody else decides meanwhile.

    Raises:
        NotFoundError: one that was chosen is not there.
    """
    pieces = Contamination.objects.filter(question__question_hash=question_hash)
    if evidence is not None:
        pieces = pieces.filter(pk__in=evidence)
    found = list(pieces.only("pk", "question_id", "decision").order_by("pk").select_for_update(of=("self",)))
    gone = sorted(set(evidence or ()) - {piece.pk for piece in found})
    if gone:
        raise NotFoundError(
            f"question {question_hash!r} has no evidence {gone[0]}; it may be gone, so read the question again"
        )
    return found


def _rule(pieces: Sequence[Contamination], decision: str, reason: str, decided_by: str) -> None:
    """Store a decision on pieces of evidence of one question, and keep it in their history."""
    stands = bool(decision)  # what was taken back is nobody's decision
    Contamination.objects.filter(pk__in=[piece.pk for piece in pieces]).update(
        decision=decision, reason=reason if stands else "", decided_by=decided_by if stands else ""
    )
    ContaminationRuling.objects.bulk_create(
        ContaminationRuling(contamination=piece, decision=decision, reason=reason, decided_by=decided_by)
        for piece in pieces
    )
    mark_questions([pieces[0].question_id])
    bump()


def benchmark_names(names: Sequence[str]) -> list[str]:
    """The benchmarks of a recipe: those named, or all that are loaded when none is.

    Raises:
        NotFoundError: a name that is not loaded.
    """
    loaded = list(Benchmark.objects.order_by("name").values_list("name", flat=True))
    for name in names:
        if name not in loaded:
            there = ", ".join(loaded) or "none yet"
            raise NotFoundError(f"benchmark {name!r} is not loaded (there: {there}); load it with load_benchmark")
    return sorted(names) or loaded


def standing_evidence(benchmarks: Sequence[str]) -> dict[int, str]:
    """Question -> rule of the decontamination stage, by evidence on these benchmarks that nobody overruled."""
    standing = (
        Contamination.objects.filter(problem__benchmark__name__in=benchmarks)
        .exclude(decision=Contamination.Decision.OVERRULED)
        .values("question_id")
        # a question's evidence is all of one rule: it is shorter than an n-gram, or it is not
        .annotate(num_short=Count("pk", filter=Q(rule="decontamination.short")))
        .values_list("question_id", "num_short")
    )
    return {pk: "decontamination.short" if short else "decontamination.ngram" for pk, short in standing}


def _batches(rows: Iterable[tuple[int, str]], size: int) -> Iterator[list[tuple[int, str]]]:
    batch: list[tuple[int, str]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
