"""What the page of a question reads; the number of queries is the same for every question. Nothing here writes."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Case, When
from django.db.models.functions import Length, Substr
from django.utils.safestring import SafeString

from curation.domains import domain_title
from curation.quality import FORMATTING_RULES, formatting_flags, formatting_span
from s1web.pool.models import Attempt, Grade, LoadedRow, Question, Trace, TraceLength
from s1web.questions.showing import SHOWN_CHARACTERS, excerpt, light
from s1web.selections.models import SelectionMember
from s1web.vectors.models import ClusterMember, DomainLabel

MAX_ROWS, MAX_TRACES, MAX_ATTEMPTS, MAX_SELECTIONS = 50, 50, 50, 50
# what the page shows of an attempt's text, and of a judge's words
ATTEMPT_CHARACTERS, REPLY_CHARACTERS = 6_000, 4_000
_AROUND_HIT = 160


@dataclass(frozen=True)
class Passage:
    """A text as far as the page shows it.

    Attributes:
        name: of the part, for the address of the whole text.
        size: of the whole text, in characters.
    """

    name: str
    text: str
    size: int

    @property
    def is_cut(self) -> bool:
        return len(self.text) < self.size


@dataclass(frozen=True)
class Judgement:
    """A grade with the judge's words."""

    value: bool | None
    judge: str
    model: str
    prompt_version: str
    reply: Passage
    pk: int


@dataclass(frozen=True)
class TraceHead:
    """What is known of a trace besides its texts.

    Attributes:
        is_own: it is the question's trace, which the recipe looks at.
        lengths: (tokenizer, tokens of the thinking).
    """

    pk: int
    generator: str
    grade: bool | None
    has_thinking: bool
    is_own: bool
    lengths: tuple[tuple[str, int], ...]
    judgements: tuple[Judgement, ...]


@dataclass(frozen=True)
class AttemptView:
    """An attempt with its grades."""

    pk: int
    model: str
    text: Passage
    judgements: tuple[Judgement, ...]


@dataclass(frozen=True)
class QualityHit:
    """A formatting rule that hits the question, and the place with what it matched lit."""

    rule: str
    place: SafeString


@dataclass(frozen=True)
class Brought:
    """A row of a file that became part of the question."""

    file: str
    line: int
    source: str
    what: tuple[str, ...]
    is_attachment: bool


@dataclass(frozen=True)
class QuestionView:
    """Everything but evidence, neighbours and history.

    Attributes:
        labels: what each method says the domain is: (method, title, score).
        judgements: of answers that are not kept.
        has_more: of what there is more than is shown.
    """

    question: Question
    text: Passage
    solution: Passage | None
    cot: Passage | None
    metadata: Passage | None
    domain: str
    cluster: str
    labels: tuple[tuple[str, str, float | None], ...]
    selections: tuple[tuple[str, int], ...]
    hits: tuple[QualityHit, ...]
    traces: tuple[TraceHead, ...]
    attempts: tuple[AttemptView, ...]
    judgements: tuple[Judgement, ...]
    rows: tuple[Brought, ...]
    has_more: tuple[str, ...] = field(default=())

    @property
    def own_lengths(self) -> tuple[tuple[str, int], ...]:
        """(tokenizer, tokens) of the question's own trace."""
        return next((trace.lengths for trace in self.traces if trace.is_own), ())


def read_question(question: Question) -> QuestionView:
    """The page of a question whose `source` is loaded; nine queries."""
    judgements = _judgements(question)
    traces = _traces(question, judgements)
    attempts = _attempts(question, judgements)
    rows = _rows(question)
    member = ClusterMember.objects.select_related("cluster").filter(question=question).first()
    known = {("trace", trace.pk) for trace in traces} | {("attempt", attempt.pk) for attempt in attempts}
    has_more = [
        name
        for name, shown, most in (
            ("traces", traces, MAX_TRACES),
            ("attempts", attempts, MAX_ATTEMPTS),
            ("rows", rows, MAX_ROWS),
        )
        if len(shown) > most
    ]
    return QuestionView(
        question=question,
        text=_passage("question", question.text),
        solution=_passage("solution", question.solution) if question.solution.strip() else None,
        cot=_passage("cot", question.cot) if question.cot.strip() else None,
        metadata=_passage("metadata", question.metadata) if question.metadata.strip() else None,
        domain=domain_title(question.domain) if question.domain else "",
        cluster=f"{member.cluster.number} {member.cluster.title}" if member else "",
        labels=tuple(
            (method, domain_title(code), score)
            for method, code, score in DomainLabel.objects.filter(question=question)
            .order_by("method")
            .values_list("method", "code", "score")
        ),
        selections=tuple(
            (name, position + 1)
            for name, position in SelectionMember.objects.filter(question=question)
            .order_by("-selection_id")
            .values_list("selection__name", "position")[:MAX_SELECTIONS]
        ),
        hits=tuple(_hits(question.text)),
        traces=tuple(traces[:MAX_TRACES]),
        attempts=tuple(attempts[:MAX_ATTEMPTS]),
        judgements=tuple(j for key, found in judgements.items() if key not in known for j in found),
        rows=tuple(rows[:MAX_ROWS]),
        has_more=tuple(has_more),
    )


def read_trace_head(trace: Trace) -> TraceHead:
    """What is known of a trace whose `question` is loaded; two queries."""
    judgements = _judgements(trace.question)
    lengths = tuple(trace.lengths.order_by("tokenizer__name").values_list("tokenizer__name", "tokens"))
    is_own = trace.pk == trace.question.trace_id
    judged = tuple(judgements[("trace", trace.pk)])
    return TraceHead(trace.pk, trace.generator, trace.grade, trace.has_thinking, is_own, lengths, judged)


def _passage(name: str, text: str) -> Passage:
    return Passage(name, text[:SHOWN_CHARACTERS], len(text))


def _hits(text: str) -> Iterable[QualityHit]:
    flags = formatting_flags(text)
    for bit, rule in enumerate(FORMATTING_RULES):
        span = formatting_span(text, rule) if flags >> bit & 1 else None
        if span is not None:
            shown, place = excerpt(text, span, _AROUND_HIT)
            yield QualityHit(rule, light(shown, [place] if place else []))


def _judgements(question: Question) -> dict[tuple[str, int], list[Judgement]]:
    """The grades by what they judge: a trace, an attempt, or an answer that is not kept."""
    found: dict[tuple[str, int], list[Judgement]] = defaultdict(list)
    grades = Grade.objects.filter(question=question).order_by("pk")
    values = grades.annotate(start=Substr("raw_reply", 1, REPLY_CHARACTERS), size=Length("raw_reply")).values_list(
        "pk", "trace_id", "attempt_id", "value", "judge", "model", "prompt_version", "start", "size"
    )
    for pk, trace, attempt, value, judge, model, version, start, size in values[: 4 * MAX_TRACES]:
        key = ("trace", trace) if trace else ("attempt", attempt) if attempt else ("answer", 0)
        found[key].append(Judgement(value, judge, model, version, Passage("reply", start, size), pk))
    return found


def _traces(question: Question, judgements: dict[tuple[str, int], list[Judgement]]) -> list[TraceHead]:
    """The question's own trace first, then as they came."""
    own = question.trace_id or 0
    traces = (
        Trace.objects.filter(question=question)
        .order_by(Case(When(pk=own, then=0), default=1), "pk")
        .values_list("pk", "generator", "grade", "has_thinking")[: MAX_TRACES + 1]
    )
    lengths: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for trace, tokenizer, tokens in (
        TraceLength.objects.filter(trace__question=question)
        .order_by("tokenizer__name")
        .values_list("trace_id", "tokenizer__name", "tokens")
    ):
        lengths[trace].append((tokenizer, tokens))
    return [
        TraceHead(pk, generator, grade, thinking, pk == own, tuple(lengths[pk]), tuple(judgements[("trace", pk)]))
        for pk, generator, grade, thinking in traces
    ]


def _attempts(question: Question, judgements: dict[tuple[str, int], list[Judgement]]) -> list[AttemptView]:
    attempts = Attempt.objects.filter(question=question).order_by("pk")
    values = attempts.annotate(start=Substr("text", 1, ATTEMPT_CHARACTERS), size=Length("text")).values_list(
        "pk", "model", "start", "size"
    )
    return [
        AttemptView(pk, model, Passage("attempt", start, size), tuple(judgements[("attempt", pk)]))
        for pk, model, start, size in values[: MAX_ATTEMPTS + 1]
    ]


def _rows(question: Question) -> list[Brought]:
    rows = LoadedRow.objects.filter(question=question).order_by("import_file_id", "line")
    values = rows.values_list("import_file__name", "line", "source__name", "brought", "is_attachment")
    return [
        Brought(
            name,
            line,
            source,
            tuple(bit.name.lower().replace("_", " ") for bit in LoadedRow.Brought if brought & bit),
            is_attachment,
        )
        for name, line, source, brought, is_attachment in values[: MAX_ROWS + 1]
    ]
