"""Rows known by their content: what makes loading idempotent, whatever the file, its format or its order."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from curation.hashing import digest64, question_hash
from curation.records import PoolRow, Record

_RECENT = 50_000


@dataclass(frozen=True, slots=True)
class IdentifiedRow(Record):
    """A row with the identities of its content.

    Attributes:
        digest: of the row among all rows ever loaded.
        trace_digests: of each trace: generator, thinking and attempt.
    """

    row: PoolRow
    question_hash: str
    digest: int
    trace_digests: tuple[int, ...]


def identify(row: PoolRow) -> IdentifiedRow:
    """The row with its identities.

    Raises:
        UnicodeEncodeError: a text holds a lone surrogate.
    """
    trace_digests = tuple(digest64(trace.generator, trace.thinking, trace.attempt) for trace in row.traces)
    parts: list[str | None] = [
        row.question,
        row.source,
        row.solution,
        row.answer,
        row.cot,
        row.cot_type,
        row.metadata,
        row.domain,
        _grade_text(row.small_grade),
        _grade_text(row.large_grade),
        str(len(row.traces)),
    ]
    for trace, digest in zip(row.traces, trace_digests, strict=True):
        tokens = None if trace.tokens is None else str(trace.tokens)
        parts += [str(digest), _grade_text(trace.grade), trace.grade_reason, tokens, trace.tokenizer]
    for attempt in row.attempts:
        parts += [attempt.model, attempt.text, _grade_text(attempt.grade)]
    return IdentifiedRow(row, question_hash(row.question), digest64(*parts), trace_digests)


def _grade_text(grade: bool | None) -> str | None:
    return None if grade is None else str(int(grade))


class SeenRows:
    """Tells rows of one file that are equal in everything apart: the second one gets a digest of its own.

    Keeps 8 bytes a row, so that a file of a million rows costs 8 MB.
    """

    def __init__(self) -> None:
        self._sorted = np.empty(0, dtype=np.int64)
        self._recent: Counter[int] = Counter()

    def distinguish(self, item: IdentifiedRow) -> IdentifiedRow:
        """The row itself the first time; later with a digest that says how often it came before."""
        digest = item.digest
        earlier = self._recent[digest]
        if len(self._sorted):
            left, right = np.searchsorted(self._sorted, digest), np.searchsorted(self._sorted, digest, side="right")
            earlier += int(right - left)
        self._recent[digest] += 1
        if len(self._recent) >= _RECENT:
            recent = np.fromiter(self._recent.elements(), np.int64)
            self._sorted = np.sort(np.concatenate([self._sorted, recent]))
            self._recent.clear()
        return replace(item, digest=digest64(str(digest), str(earlier))) if earlier else item
