"""One batch of rows into the pool's tables: one question a hash, missing annotations filled by later rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import transaction

from curation.identity import IdentifiedRow
from curation.quality import QUALITY_VERSION, formatting_flags
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
from s1web.pool.version import bump

Brought = LoadedRow.Brought


@dataclass(slots=True)
class BatchCounts:
    new: int = 0
    updated: int = 0
    unchanged: int = 0


@dataclass(slots=True)
class _State:
    """A question while a batch is merged."""

    pk: int
    is_new: bool
    small_grade: bool | None = None
    large_grade: bool | None = None
    domain: str = ""
    trace_id: int | None = None
    trace_grade: bool | None = None
    has_thinking: bool = False
    is_changed: bool = False
    trace_digests: set[int] = field(default_factory=set)


class Merger:
    """Writes batches of one file; keeps what does not change from batch to batch.

    Args:
        file: the rows' file.
        small_model, large_model: whose attempts are the small and the large grade.
    """

    def __init__(self, file: ImportFile, *, small_model: str, large_model: str) -> None:
        self.file = file
        self._roles = {_base_name(small_model): "small", _base_name(large_model): "large"}
        self._sources: dict[str, int] = {}
        self._tokenizers: dict[str, int] = {}
        self._read_before = self._read_with_other_options()

    @transaction.atomic
    def merge(self, rows: Sequence[IdentifiedRow]) -> BatchCounts:
        """Merge a batch whole or not at all; rows that were loaded before change nothing."""
        bulk.take_turn()
        counts = BatchCounts()
        loaded = set(
            LoadedRow.objects.filter(digest__in=[item.digest for item in rows]).values_list("digest", flat=True)
        )
        fresh = [item for item in rows if item.digest not in loaded]
        counts.unchanged = len(rows) - len(fresh)
        if fresh:
            _Batch(self, fresh).write(counts)
            bump()
        return counts

    def was_read_before(self, item: IdentifiedRow) -> bool:
        """Whether this line of the file was loaded before, read with other options (another --map, say)."""
        return self._read_before.get(item.row.line) == item.question_hash

    def _read_with_other_options(self) -> dict[int, str]:
        earlier = ImportFile.objects.filter(content_key=self.file.content_key).exclude(pk=self.file.pk)
        if not earlier.exists():
            return {}
        rows = LoadedRow.objects.filter(import_file__in=earlier)
        return dict(rows.values_list("line", "question__question_hash"))

    def source_id(self, name: str) -> int:
        if name not in self._sources:
            self._sources[name] = Source.objects.get_or_create(name=name)[0].pk
        return self._sources[name]

    def tokenizer_id(self, name: str) -> int:
        if name not in self._tokenizers:
            self._tokenizers[name] = Tokenizer.objects.get_or_create(name=name)[0].pk
        return self._tokenizers[name]

    def role(self, model: str) -> str | None:
        """`small` or `large` where the model is the one that measures difficulty."""
        return self._roles.get(_base_name(model))


def _base_name(model: str) -> str:
    return model.rpartition("/")[2].lower()


class _Batch:
    """The tables' new rows of one batch, collected row by row and written table by table."""

    def __init__(self, merger: Merger, rows: Sequence[IdentifiedRow]) -> None:
        self.merger = merger
        self.rows = rows
        self.file_id = merger.file.pk
        self.states = self._known_states()
        self.next_question = bulk.last_id(Question) + 1
        self.next_trace = bulk.last_id(Trace) + 1
        self.next_attempt = bulk.last_id(Attempt) + 1
        self.firsts: list[tuple[_State, IdentifiedRow]] = []
        self.loaded: list[tuple[object, ...]] = []
        self.traces: list[tuple[object, ...]] = []
        self.lengths: list[tuple[object, ...]] = []
        self.attempts: list[tuple[object, ...]] = []
        self.grades: list[tuple[object, ...]] = []

    def write(self, counts: BatchCounts) -> None:
        for item in self.rows:
            state = self.states.get(item.question_hash)
            is_new = state is None
            if state is None:
                state = self._add_question(item)
            is_known = self.merger.was_read_before(item)
            brought, has_more = self._merge_row(state, item, keep_attempts=not is_known)
            brought |= Brought.QUESTION if is_new else 0
            self.loaded.append(
                (
                    item.digest,
                    state.pk,
                    self.file_id,
                    self.merger.source_id(item.row.source),
                    item.row.line,
                    brought,
                    (item.row.is_attachment or is_known) and not is_new,
                )
            )
            if is_new:
                counts.new += 1
            elif brought or has_more:
                counts.updated += 1
            else:
                counts.unchanged += 1
        self._flush()

    def _known_states(self) -> dict[str, _State]:
        hashes = {item.question_hash for item in self.rows}
        known = Question.objects.filter(question_hash__in=hashes).values_list(
            "question_hash",
            "pk",
            "small_grade",
            "large_grade",
            "domain",
            "trace_id",
            "trace_grade",
            "trace__has_thinking",
        )
        states = {
            digest: _State(pk, False, small, large, domain, trace_id, trace_grade, bool(has_thinking))
            for digest, pk, small, large, domain, trace_id, trace_grade, has_thinking in known
        }
        by_pk = {state.pk: state for state in states.values()}
        if by_pk:
            digests = Trace.objects.filter(question_id__in=by_pk).values_list("question_id", "digest")
            for question_id, digest in digests:
                by_pk[question_id].trace_digests.add(digest)
        return states

    def _add_question(self, item: IdentifiedRow) -> _State:
        state = _State(self.next_question, is_new=True)
        self.next_question += 1
        self.states[item.question_hash] = state
        self.firsts.append((state, item))
        return state

    def _merge_row(self, state: _State, item: IdentifiedRow, *, keep_attempts: bool) -> tuple[int, bool]:
        """Fill what the question lacks; returns bits of `Brought`, and whether a trace or attempt came besides.

        Args:
            keep_attempts: whether the row's attempts are new; traces are known by their content.
        """
        row = item.row
        brought = 0
        if not state.domain and row.domain:
            state.domain = row.domain
            brought |= Brought.DOMAIN
        trace_brought, has_more = self._merge_traces(state, item)
        brought |= trace_brought
        grades = {"small": row.small_grade, "large": row.large_grade}
        for attempt in row.attempts:
            role = self.merger.role(attempt.model)
            attempt_id = None
            if attempt.text and keep_attempts:
                attempt_id, self.next_attempt = self.next_attempt, self.next_attempt + 1
                self.attempts.append((attempt_id, state.pk, self.file_id, attempt.model, attempt.text))
                has_more = True
            # an imported yes or no without the answer it judges says no more than the question's own grade
            if attempt.grade is not None and attempt_id is not None:
                self.grades.append(
                    (state.pk, attempt_id, None, self.file_id, attempt.grade, attempt.model, attempt.judge, "", "")
                )
            if role is not None and grades[role] is None:
                grades[role] = attempt.grade
        if state.small_grade is None and grades["small"] is not None:
            state.small_grade = grades["small"]
            brought |= Brought.SMALL_GRADE
        if state.large_grade is None and grades["large"] is not None:
            state.large_grade = grades["large"]
            brought |= Brought.LARGE_GRADE
        state.is_changed |= bool(brought)
        return brought, has_more

    def _merge_traces(self, state: _State, item: IdentifiedRow) -> tuple[int, bool]:
        """Store the traces that are new; the question's own is its first with thinking, else its first at all."""
        brought, has_more = 0, False
        for trace, digest in zip(item.row.traces, item.trace_digests, strict=True):
            if digest in state.trace_digests:
                continue
            state.trace_digests.add(digest)
            trace_id, self.next_trace = self.next_trace, self.next_trace + 1
            has_more = True
            self.traces.append(
                (
                    trace_id,
                    state.pk,
                    self.file_id,
                    digest,
                    trace.grade,
                    bool(trace.thinking),
                    trace.generator,
                    trace.attempt,
                    trace.thinking,
                )
            )
            if trace.tokens is not None:
                self.lengths.append((trace_id, self.merger.tokenizer_id(trace.tokenizer), trace.tokens))
            if trace.grade is not None and (trace.grade_reason or item.row.is_attachment):
                self.grades.append(
                    (
                        state.pk,
                        None,
                        trace_id,
                        self.file_id,
                        trace.grade,
                        trace.generator,
                        trace.judge,
                        "",
                        trace.grade_reason,
                    )
                )
            if state.trace_id is None or (trace.thinking and not state.has_thinking):
                state.trace_id, state.trace_grade = trace_id, trace.grade
                state.has_thinking = bool(trace.thinking)
                brought = int(Brought.TRACE)
        return brought, has_more

    def _flush(self) -> None:
        bulk.insert(
            Question,
            (
                "id",
                "question_hash",
                "source_id",
                "trace_id",
                "small_grade",
                "large_grade",
                "trace_grade",
                "contaminated",
                "quality_flags",
                "quality_version",
                "domain",
                "cot_type",
                "text",
                "solution",
                "answer",
                "cot",
                "metadata",
            ),
            (
                (
                    state.pk,
                    item.question_hash,
                    self.merger.source_id(item.row.source),
                    state.trace_id,
                    state.small_grade,
                    state.large_grade,
                    state.trace_grade,
                    False,
                    formatting_flags(item.row.question),
                    QUALITY_VERSION,
                    state.domain,
                    item.row.cot_type,
                    item.row.question,
                    item.row.solution,
                    item.row.answer,
                    item.row.cot,
                    item.row.metadata,
                )
                for state, item in self.firsts
            ),
        )
        bulk.update(
            Question,
            ("small_grade", "large_grade", "domain", "trace_id", "trace_grade"),
            (
                (s.small_grade, s.large_grade, s.domain, s.trace_id, s.trace_grade, s.pk)
                for s in self.states.values()
                if s.is_changed and not s.is_new
            ),
        )
        bulk.insert(
            LoadedRow,
            ("digest", "question_id", "import_file_id", "source_id", "line", "brought", "is_attachment"),
            self.loaded,
        )
        bulk.insert(
            Trace,
            (
                "id",
                "question_id",
                "import_file_id",
                "digest",
                "grade",
                "has_thinking",
                "generator",
                "attempt",
                "thinking",
            ),
            self.traces,
        )
        bulk.insert(TraceLength, ("trace_id", "tokenizer_id", "tokens"), self.lengths)
        bulk.insert(Attempt, ("id", "question_id", "import_file_id", "model", "text"), self.attempts)
        bulk.insert(
            Grade,
            (
                "question_id",
                "attempt_id",
                "trace_id",
                "import_file_id",
                "value",
                "model",
                "judge",
                "prompt_version",
                "raw_reply",
            ),
            self.grades,
        )
        bulk.reset_sequences(Question, Trace, Attempt)
