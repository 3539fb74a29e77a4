"""What budget forcing did to a generation, and where: events beside token ids (s1 §3.1).

A generation is stored as its token ids and its events. The ids are what stands in the model's context after the
prompt; what was drawn and dropped, and what was put in, stands in the events. Together they give both sides back:
`sampled_ids` what the model drew, `apply_events` the ids from what it drew. Nothing searches text for "Wait".

Every event has an `offset`, the number of ids before it, and a `round`. Round 0 begins with the generation; each
suppressed end and each re-opened block begins the next.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal, cast

from curation.errors import InputError

Ids = tuple[int, ...]
Limit = Literal["max_thinking_tokens", "context"]
FinishReason = Literal["stop", "answer_length", "context_length"]


@dataclass(frozen=True, slots=True)
class SuppressedEnd:
    """The model ended its thinking, and the delimiter was dropped: `dropped` are the ids it drew for it."""

    kind: ClassVar[str] = "suppressed_end"
    offset: int
    round: int
    dropped: Ids


@dataclass(frozen=True, slots=True)
class InsertedString:
    """`text` was put in instead of an end: `ids` begin at `offset` and are thinking tokens of the new round."""

    kind: ClassVar[str] = "inserted_string"
    offset: int
    round: int
    ids: Ids
    text: str


@dataclass(frozen=True, slots=True)
class CapHit:
    """The budget ran out.

    Attributes:
        thinking_tokens: those used, over all rounds.
        limited_by: the cap, or the room that the context leaves once the answer's reserve is kept.
        is_cut: thinking was cut off (a ForcedEnd follows); False: a further round had no room, and the model's own
            end stood (a NaturalEnd follows).
    """

    kind: ClassVar[str] = "cap_hit"
    offset: int
    round: int
    thinking_tokens: int
    limited_by: Limit
    is_cut: bool


@dataclass(frozen=True, slots=True)
class ForcedEnd:
    """Thinking was ended by force: `ids` begin at `offset` and close it, open the answer and begin it."""

    kind: ClassVar[str] = "forced_end"
    offset: int
    round: int
    ids: Ids


@dataclass(frozen=True, slots=True)
class NaturalEnd:
    """The model ended its thinking: it drew `dropped`, and `ids`, which open the answer, stand there instead."""

    kind: ClassVar[str] = "natural_end"
    offset: int
    round: int
    dropped: Ids
    ids: Ids


@dataclass(frozen=True, slots=True)
class ReopenedThinking:
    """In its answer the model began to think again: its start delimiter are the `num_ids` ids before `offset`."""

    kind: ClassVar[str] = "reopened_thinking"
    offset: int
    round: int
    num_ids: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The generation is over; `dropped` are the ids of the stop delimiter, empty where a length ended it."""

    kind: ClassVar[str] = "finished"
    offset: int
    round: int
    reason: FinishReason
    dropped: Ids


Event = SuppressedEnd | InsertedString | CapHit | ForcedEnd | NaturalEnd | ReopenedThinking | Finished
KINDS: dict[str, type[Event]] = {
    event.kind: event
    for event in (SuppressedEnd, InsertedString, CapHit, ForcedEnd, NaturalEnd, ReopenedThinking, Finished)
}


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Where a generation's ids went; the three add up to their number.

    Attributes:
        thinking: drawn and inserted while thinking, over all rounds.
        delimiters: put in at an end of thinking (with the forced answer's text), and starts of re-opened blocks.
        answer: the rest.
    """

    thinking: int
    delimiters: int
    answer: int


def event_to_json(event: Event) -> dict[str, Any]:
    """The event as JSON holds it: its fields, `kind` first."""
    return {"kind": event.kind, **asdict(event)}


def event_from_json(row: Mapping[str, Any]) -> Event:
    """The event that `event_to_json` wrote.

    Raises:
        InputError: the kind is unknown, or a field is missing or too many.
    """
    kind = row.get("kind")
    found = KINDS.get(kind) if isinstance(kind, str) else None
    if found is None:
        raise InputError(f"event of kind {kind!r:.60} is unknown; allowed: {', '.join(KINDS)}")
    names = {field.name for field in fields(found)}
    if row.keys() - {"kind"} != names:
        raise InputError(f"event {kind} holds {sorted(row)}; it needs kind, {', '.join(sorted(names))}")
    values: dict[str, Any] = {name: tuple(row[name]) if isinstance(row[name], list) else row[name] for name in names}
    return found(**values)


def sampled_ids(ids: Sequence[int], events: Iterable[Event]) -> list[int]:
    """What the model drew, dropped delimiters included, in the order it drew it."""
    sampled: list[int] = []
    place = 0
    for event in events:
        sampled.extend(ids[place : event.offset])
        place = event.offset + len(inserted(event))
        sampled.extend(dropped(event))
    sampled.extend(ids[place:])
    return sampled


def apply_events(sampled: Sequence[int], events: Iterable[Event]) -> list[int]:
    """The ids of the generation, from what the model drew: the inverse of `sampled_ids`."""
    ids: list[int] = []
    place = 0
    for event in events:
        taken = event.offset - len(ids)
        ids.extend(sampled[place : place + taken])
        place += taken + len(dropped(event))
        ids.extend(inserted(event))
    ids.extend(sampled[place:])
    return ids


def thinking_spans(num_ids: int, events: Iterable[Event], *, starts_thinking: bool = True) -> list[tuple[int, int]]:
    """The half-open ranges of ids that are thinking, in order; one per block, empty ones included."""
    spans: list[tuple[int, int]] = []
    start: int | None = 0 if starts_thinking else None
    for event in events:
        if isinstance(event, ReopenedThinking):
            start = event.offset
        elif isinstance(event, ForcedEnd | NaturalEnd) and start is not None:
            spans.append((start, event.offset))
            start = None
    if start is not None:
        spans.append((start, num_ids))
    return spans


def count_tokens(num_ids: int, events: Sequence[Event], *, starts_thinking: bool = True) -> TokenCounts:
    """Thinking, delimiter and answer tokens of a generation of `num_ids` ids."""
    spans = thinking_spans(num_ids, events, starts_thinking=starts_thinking)
    thinking = sum(end - start for start, end in spans)
    delimiters = sum(len(event.ids) for event in events if isinstance(event, ForcedEnd | NaturalEnd))
    delimiters += sum(event.num_ids for event in events if isinstance(event, ReopenedThinking))
    return TokenCounts(thinking=thinking, delimiters=delimiters, answer=num_ids - thinking - delimiters)


def dropped(event: Event) -> Ids:
    """The ids that the model drew and that are not in the generation."""
    return cast(Ids, getattr(event, "dropped", ()))


def inserted(event: Event) -> Ids:
    """The ids in the generation that the model did not draw."""
    return cast(Ids, getattr(event, "ids", ()))
