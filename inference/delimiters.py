"""What starts and ends thinking, per model family: profiles as data, and their token ids (s1 §3.1, spec section 5).

A profile holds texts. `build_delimiters` turns it into ids with the model's own tokenizer; a delimiter is a sequence
of one or more ids, so a model without special tokens for it can be forced too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

from curation.errors import ConfigError
from inference.forcing_events import Ids


class Tokenizer(Protocol):
    """The part of a transformers tokenizer that ids are made with."""

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]: ...

    def decode(self, token_ids: list[int], *, skip_special_tokens: bool) -> Any: ...

    def get_vocab(self) -> dict[str, int]: ...


@dataclass(frozen=True, slots=True)
class DelimiterProfile:
    """The delimiters of a model family, as text.

    Attributes:
        start: what a prompt ends with so that the model thinks.
        ends: each of them ends thinking when the model writes it.
        answer: what ends thinking and opens the answer.
        stops: each of them ends the answer.
        reopens: each of them, in an answer, begins thinking again.
        separator: goes before a forced end, unless the thinking ends in a newline.
        forced_answer: goes behind `answer` where the end was forced, so that the model answers at once.
    """

    name: str
    start: str
    ends: tuple[str, ...]
    answer: str
    stops: tuple[str, ...]
    reopens: tuple[str, ...] = ()
    separator: str = "\n"
    forced_answer: str = "\nFinal Answer:"


PROFILES = {
    profile.name: profile
    for profile in (
        DelimiterProfile(
            name="s1",
            start="<|im_start|>think",
            ends=("<|im_start|>", "<|im_end|>"),
            answer="<|im_start|>answer",
            stops=("<|im_end|>",),
            reopens=("<|im_start|>think",),
        ),
        DelimiterProfile(
            name="think",
            start="<think>\n",
            ends=("</think>",),
            answer="</think>",
            stops=(),  # the tokenizer's own end token
            reopens=("<think>",),
            forced_answer="\n\nFinal Answer:",
        ),
        DelimiterProfile(
            name="harmony",
            start="<|channel|>analysis<|message|>",
            ends=("<|end|>", "<|return|>"),
            answer="<|end|><|start|>assistant<|channel|>final<|message|>",
            stops=("<|return|>",),
            reopens=("<|channel|>analysis<|message|>",),
            separator="",
            forced_answer="Final Answer:",
        ),
    )
}
# what may stand around a delimiter and take part of it into an id of its own
_BEFORE = ("", "\n", " ", "a", ".")
_AFTER = ("", "\n", "\n\n", " ", "a")


@dataclass(frozen=True, slots=True)
class Delimiters:
    """A profile as token ids of one tokenizer; plain data, so that it can be sent to an engine's process.

    Attributes:
        ends, stops, reopens: sequences of one or more ids; the model's end tokens are ends and stops.
        line_ends: the ids whose text ends in a newline.
    """

    profile: str
    start: Ids
    ends: tuple[Ids, ...]
    answer: Ids
    stops: tuple[Ids, ...]
    reopens: tuple[Ids, ...]
    separator: Ids
    forced_answer: Ids
    line_ends: frozenset[int]

    @property
    def has_single_id_ends(self) -> bool:
        """Whether every end is one id: then no id that the model has already been fed is ever taken back."""
        return all(len(ids) == 1 for ids in self.ends)


def find_profile(name: str) -> DelimiterProfile:
    """The profile of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in PROFILES:
        raise ConfigError(f"delimiter profile {name!r:.60} is unknown; allowed: {', '.join(PROFILES)}")
    return PROFILES[name]


def profile_from_json(row: Mapping[str, Any]) -> DelimiterProfile:
    """A profile of one's own, from JSON: the attributes of DelimiterProfile.

    Raises:
        ConfigError: a key is unknown or missing, or a value of the wrong kind.
    """
    names = [field.name for field in fields(DelimiterProfile)]
    unknown = sorted(set(row) - set(names))
    if unknown:
        raise ConfigError(f"delimiter profile has the unknown key {unknown[0]!r:.60}; allowed: {', '.join(names)}")
    values: dict[str, Any] = {}
    for name in names:
        is_list = name in ("ends", "stops", "reopens")
        if name not in row:
            if name in ("reopens", "separator", "forced_answer"):
                continue
            raise ConfigError(f"delimiter profile has no {name!r}; give {'a list of texts' if is_list else 'a text'}")
        value = row[name]
        if is_list and isinstance(value, list | tuple) and all(isinstance(text, str) for text in value):
            values[name] = tuple(value)
        elif not is_list and isinstance(value, str):
            values[name] = value
        else:
            allowed = "a list of texts" if is_list else "a text"
            raise ConfigError(f"delimiter profile holds {name}={value!r:.60}; {allowed} is needed")
    return DelimiterProfile(**values)


def encode_exactly(text: str, tokenizer: Tokenizer, what: str) -> Ids:
    """The ids of `text`, which decode to it again; of "" none.

    Raises:
        ConfigError: the tokenizer cannot write this text, or writes another.
    """
    ids = tokenizer.encode(text, add_special_tokens=False) if text else []
    back = decode(tokenizer, ids)
    if back != text:
        raise ConfigError(
            f"{what} {text!r:.60} is not in the tokenizer: its ids {ids[:8]} decode to {back!r:.60}; "
            "use a text that this tokenizer can write"
        )
    return tuple(ids)


def build_delimiters(profile: DelimiterProfile, tokenizer: Tokenizer, *, eos_ids: Iterable[int] = ()) -> Delimiters:
    """The profile's ids under a tokenizer.

    Args:
        eos_ids: the model's end tokens; each ends thinking, and stops an answer.

    Raises:
        ConfigError: a delimiter is empty or cannot be written, two of them get in each other's way, or nothing would
            ever end thinking or the answer.
    """
    try:
        return _build(profile, tokenizer, tuple(eos_ids))
    except ConfigError as error:
        raise ConfigError(f"delimiter profile {profile.name!r} cannot be built: {error}") from None


def _build(profile: DelimiterProfile, tokenizer: Tokenizer, eos_ids: Ids) -> Delimiters:
    named: dict[str, tuple[str, ...]] = {"start": (profile.start,), "answer": (profile.answer,)}
    named |= {"end": profile.ends, "stop": profile.stops, "reopening": profile.reopens}
    for what, texts in named.items():
        if not all(texts):
            raise ConfigError(f"its {what} delimiter is empty; give the text that the model writes")
    if profile.start.strip() in profile.ends:
        raise ConfigError(f"{profile.start!r:.60} is its start and its end; give two different texts")
    eos = tuple((id_,) for id_ in eos_ids)
    ends = _sequences(profile.ends, tokenizer, "end") + eos
    stops = _sequences(profile.stops, tokenizer, "stop") + eos
    reopens = _sequences(profile.reopens, tokenizer, "reopening")
    if not ends:
        raise ConfigError("nothing ends its thinking; give ends or the model's end token")
    if not stops:
        raise ConfigError("nothing stops its answer; give stops or the model's end token")
    for reopen in reopens:
        for stop in stops:
            if reopen[: len(stop)] == stop:
                raise ConfigError(
                    f"its stop with ids {list(stop)} begins its reopening with ids {list(reopen)}, which could never "
                    "come; leave out one of them"
                )
    return Delimiters(
        profile=profile.name,
        start=encode_exactly(profile.start, tokenizer, "start delimiter"),
        ends=_unique(ends),
        answer=encode_exactly(profile.answer, tokenizer, "answer delimiter"),
        stops=_unique(stops),
        reopens=_unique(reopens),
        separator=encode_exactly(profile.separator, tokenizer, "separator"),
        # encoded with the delimiter before it, as the text that the model was trained on
        forced_answer=encode_exactly(profile.answer + profile.forced_answer, tokenizer, "forced answer"),
        line_ends=line_end_ids(tokenizer),
    )


def _sequences(texts: Sequence[str], tokenizer: Tokenizer, what: str) -> tuple[Ids, ...]:
    """All id sequences that a delimiter can come as: one where it is one id, else those beside other text too."""
    found: list[Ids] = []
    for text in texts:
        alone = encode_exactly(text, tokenizer, f"{what} delimiter")
        found.append(alone)
        if len(alone) > 1:
            found.extend(_beside_others(text, tokenizer))
    return tuple(found)


def _beside_others(text: str, tokenizer: Tokenizer) -> Iterable[Ids]:
    """The ids of a delimiter between other text, as ids may reach over its edges: `>` and a newline are often one id.

    Only white space is taken in; where a letter shares an id with the delimiter, no sequence of ids is the delimiter.
    """
    for before in _BEFORE:
        for after in _AFTER:
            ids = tokenizer.encode(before + text + after, add_special_tokens=False)
            spans = ((start, end) for start in range(len(ids)) for end in range(start + 1, len(ids) + 1))
            for start, end in sorted(spans, key=lambda span: span[1] - span[0]):
                if decode(tokenizer, ids[start:end]).strip() == text.strip():
                    yield tuple(ids[start:end])
                    break


def line_end_ids(tokenizer: Tokenizer) -> frozenset[int]:
    """The ids whose text ends in a newline."""
    # byte-level vocabularies write a newline as Ċ, sentencepiece as itself or as a byte; decoding each id of a large
    # vocabulary would take seconds
    likely = (id_ for token, id_ in tokenizer.get_vocab().items() if token.endswith(("Ċ", "\n", "<0x0A>")))
    return frozenset(id_ for id_ in likely if decode(tokenizer, [id_]).endswith("\n"))


def _unique(sequences: Iterable[Ids]) -> tuple[Ids, ...]:
    return tuple(dict.fromkeys(sequences))


def decode(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    """The ids' text, special tokens too."""
    text = tokenizer.decode(list(ids), skip_special_tokens=False)
    assert isinstance(text, str)
    return text
