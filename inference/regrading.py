"""Grading stored samples again, under today's rules, without generating anything."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from inference.answers import Extraction, extract_answer
from inference.equivalence import Grade, Item, Judge, Verifier, grade_many

_BATCH = 256


@dataclass(frozen=True, slots=True)
class StoredSample:
    """What a sample must keep to be graded again.

    Attributes:
        key: the sample's own.
        text: what the model wrote after its thinking.
        grade: the grade that is stored; None where it never had one.
        problem, reference, choices: as in `equivalence.Item`.
    """

    key: str
    text: str
    reference: str
    problem: str = ""
    choices: tuple[str, ...] = ()
    grade: Grade | None = None


@dataclass(frozen=True, slots=True)
class Regraded:
    """Attributes:
    has_changed: the verdict is another one; a new rule with the same verdict is no change.
    """

    key: str
    extraction: Extraction
    grade: Grade
    has_changed: bool


def regrade(
    samples: Iterable[StoredSample],
    verifier: Verifier | None = None,
    judge: Judge | None = None,
    *,
    allow_bare: bool = False,
    judge_sees_wrong: bool = False,
) -> Iterator[Regraded]:
    """Extract and grade each sample, in their order, holding 256 at a time.

    The options are those of `answers.extract_answer` and `equivalence.grade_many`.
    """
    remaining = iter(samples)
    while batch := list(islice(remaining, _BATCH)):
        found = [extract_answer(sample.text, allow_bare=allow_bare) for sample in batch]
        items = [
            Item(extraction.answer, sample.reference, sample.problem, sample.choices)
            for sample, extraction in zip(batch, found, strict=True)
        ]
        grades = grade_many(items, verifier, judge, judge_sees_wrong=judge_sees_wrong)
        for sample, extraction, grade in zip(batch, found, grades, strict=True):
            before = sample.grade.is_right if sample.grade else None
            yield Regraded(sample.key, extraction, grade, has_changed=grade.is_right is not before)
