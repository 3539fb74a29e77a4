"""A generation's thinking and answer as text, by its events and never by a search for words."""

from collections.abc import Iterable, Sequence

from inference.delimiters import Delimiters, Tokenizer, decode
from inference.forcing_events import Event, ForcedEnd, NaturalEnd, thinking_spans


def thinking_text(
    ids: Sequence[int], events: Sequence[Event], tokenizer: Tokenizer, *, starts_thinking: bool = True
) -> str:
    """What was thought, inserted strings too; blocks that were opened again follow one another."""
    spans = thinking_spans(len(ids), events, starts_thinking=starts_thinking)
    return decode(tokenizer, [id_ for start, end in spans for id_ in ids[start:end]])


def answer_text(ids: Sequence[int], events: Iterable[Event], delimiters: Delimiters, tokenizer: Tokenizer) -> str:
    """What follows the last end of thinking, without the delimiter that opens the answer.

    A forced answer's text (`Final Answer:`) belongs to it: the model goes on from there, and so does the extraction.
    """
    offset = max((event.offset for event in events if isinstance(event, ForcedEnd | NaturalEnd)), default=None)
    text = decode(tokenizer, ids[offset or 0 :])
    if offset is None:
        return text
    # ids that open the answer may not end where its text begins, as a newline behind can share one with them
    before, opening, after = text.partition(decode(tokenizer, delimiters.answer))
    return after if opening else before
