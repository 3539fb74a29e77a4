"""Records that pass between the edge and the recipe, and the column form that the recipe computes on."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

# a grade in a column: missing is its own value, never wrong
UNGRADED, WRONG, CORRECT = -1, 0, 1


class Record:
    """Base of the records that pass between processes: pickled as their values, five times faster than as state."""

    __slots__: tuple[str, ...] = ()

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), tuple([getattr(self, name) for name in self.__slots__])


@dataclass(frozen=True, slots=True)
class Trace(Record):
    """One model's reasoning text and final answer, with what is known of it.

    `thinking` is empty where only the attempt, the grade or the length is known. `tokens` counts the thinking by
    the tokenizer named in `tokenizer`.
    """

    thinking: str
    attempt: str = ""
    generator: str = ""
    grade: bool | None = None
    judge: str = ""
    grade_reason: str = ""
    tokens: int | None = None
    tokenizer: str = ""


@dataclass(frozen=True, slots=True)
class Attempt(Record):
    """An ordinary model's answer, the measure of difficulty; `text` is empty where only its grade is known."""

    model: str
    text: str = ""
    grade: bool | None = None
    judge: str = ""


@dataclass(frozen=True, slots=True)
class PoolRow(Record):
    """One row of a pool file in our own terms, whatever its columns were called.

    Attributes:
        line: its place in the file, from 1 (JSON lines and CSV: the line; parquet and hub: the row).
        small_grade, large_grade: the 7B and the 32B model's grade.
        traces: the first one is the row's trace; further ones are other generators'.
        is_attachment: the row brings attempts or traces to a question rather than the question itself.
    """

    line: int
    question: str
    source: str = ""
    solution: str = ""
    answer: str = ""
    cot: str = ""
    cot_type: str = ""
    metadata: str = ""
    domain: str = ""
    small_grade: bool | None = None
    large_grade: bool | None = None
    traces: tuple[Trace, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    is_attachment: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """One question of the pool after merging its rows: what the recipe looks at, without the long texts.

    Attributes:
        trace_tokens: length of its trace's thinking, by one tokenizer for the whole pool.
        flags: bits of `quality.formatting_flags`.
        contamination: the rule of the decontamination stage that hits it, or None.
    """

    question_hash: str
    source: str = ""
    small_grade: bool | None = None
    large_grade: bool | None = None
    trace_grade: bool | None = None
    domain: str = ""
    trace_tokens: int | None = None
    flags: int = 0
    contamination: str | None = None


@dataclass(frozen=True)
class PoolColumns:
    """The pool as arrays, row i the same question in each; the order of rows carries no meaning.

    Attributes:
        hashes: shape (n,), dtype S16.
        source, domain: shape (n,), int32 places in `source_names`, `domain_names`; domain -1 is missing.
        small_grade, large_grade, trace_grade: shape (n,), int8: CORRECT, WRONG or UNGRADED.
        trace_tokens: shape (n,), int32; -1 is missing.
        flags: shape (n,), int16, bits of `quality.formatting_flags`.
        contamination: shape (n,), int8: 0 clean, else 1 + place in `decontamination.RULES`.
        num_rows: rows loaded, repeated questions counted each time.
    """

    hashes: np.ndarray
    source: np.ndarray
    domain: np.ndarray
    small_grade: np.ndarray
    large_grade: np.ndarray
    trace_grade: np.ndarray
    trace_tokens: np.ndarray
    flags: np.ndarray
    contamination: np.ndarray
    source_names: tuple[str, ...]
    domain_names: tuple[str, ...]
    num_rows: int

    def __len__(self) -> int:
        return len(self.hashes)


def grade_code(grade: bool | None) -> int:
    """A grade as it stands in a column."""
    return UNGRADED if grade is None else int(grade)


@dataclass
class ColumnsBuilder:
    """Collects questions batch by batch into `PoolColumns`, so that the pool is never a list of records."""

    contamination_rules: Sequence[str]
    _source_codes: dict[str, int] = field(default_factory=dict)
    _domain_codes: dict[str, int] = field(default_factory=dict)
    _parts: list[tuple[np.ndarray, ...]] = field(default_factory=list)

    def add(self, batch: Sequence[Question]) -> None:
        """Append a batch of questions."""
        sources, domains = self._source_codes, self._domain_codes
        rules = {rule: place + 1 for place, rule in enumerate(self.contamination_rules)}
        size = len(batch)
        self._parts.append(
            (
                np.array([q.question_hash for q in batch], dtype="S16"),
                np.fromiter((sources.setdefault(q.source, len(sources)) for q in batch), np.int32, size),
                np.fromiter(
                    (domains.setdefault(q.domain, len(domains)) if q.domain else -1 for q in batch), np.int32, size
                ),
                np.fromiter((grade_code(q.small_grade) for q in batch), np.int8, size),
                np.fromiter((grade_code(q.large_grade) for q in batch), np.int8, size),
                np.fromiter((grade_code(q.trace_grade) for q in batch), np.int8, size),
                np.fromiter((-1 if q.trace_tokens is None else q.trace_tokens for q in batch), np.int32, size),
                np.fromiter((q.flags for q in batch), np.int16, size),
                np.fromiter((rules[q.contamination] if q.contamination else 0 for q in batch), np.int8, size),
            )
        )

    def build(self, num_rows: int | None = None) -> PoolColumns:
        """The columns of everything added; `num_rows` is the number of rows loaded where questions repeated."""
        if not self._parts:
            self.add([])
        columns = [np.concatenate(column) for column in zip(*self._parts, strict=True)]
        hashes, source, domain, small, large, trace, tokens, flags, contamination = columns
        return PoolColumns(
            hashes=hashes,
            source=source,
            domain=domain,
            small_grade=small,
            large_grade=large,
            trace_grade=trace,
            trace_tokens=tokens,
            flags=flags,
            contamination=contamination,
            source_names=tuple(self._source_codes),
            domain_names=tuple(self._domain_codes),
            num_rows=len(hashes) if num_rows is None else num_rows,
        )
