"""How much a model may and must think: options of budget forcing, and the same as token ids (s1 §3.1)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from curation.errors import ConfigError
from inference.delimiters import Delimiters, Tokenizer, encode_exactly
from inference.forcing_events import Ids

# tokens kept for the answer, as in the released evaluation
ANSWER_RESERVE = 100


@dataclass(frozen=True, slots=True)
class SamplingOverride:
    """Another temperature or frequency penalty while the model thinks, from a number of suppressed ends on.

    After many Waits a model falls into loops; the paper names both as possible ways out. The answer is sampled as
    without overrides.

    Attributes:
        after: suppressed ends before it holds, at least 1; of several the last one reached holds.
        temperature, frequency_penalty: None leaves the request's own.
    """

    after: int
    temperature: float | None = None
    frequency_penalty: float | None = None

    def __post_init__(self) -> None:
        _check_count("override after", self.after, at_least=1)
        if self.temperature is None and self.frequency_penalty is None:
            raise ConfigError(f"override after {self.after} changes nothing; give temperature or frequency_penalty")
        if self.temperature is not None and not 0 <= self.temperature < float("inf"):
            raise ConfigError(f"override temperature={self.temperature}; 0 or a positive number is allowed")
        if self.frequency_penalty is not None and not -2 <= self.frequency_penalty <= 2:
            raise ConfigError(f"override frequency_penalty={self.frequency_penalty}; -2 to 2 is allowed")


@dataclass(frozen=True, slots=True)
class BudgetForcing:
    """Options of budget forcing; the default changes nothing but that an answer always has room.

    Attributes:
        max_thinking_tokens: the cap, over all rounds together, inserted tokens too; None: as far as the context goes.
        num_ignore: how many ends of thinking are suppressed.
        ignore_strings: what is put in instead, in rotation; "" puts in nothing.
        answer_reserve: tokens that thinking leaves to the answer, at least 1.
        max_answer_tokens: where an answer is cut off; None: as far as the context goes.
        forced_answer: text behind the answer delimiter where the end was forced; None: the profile's.
        overrides: sampling options that hold from a number of Waits on.
        starts_thinking: whether the prompt ends with the start of thinking; else the first token is the answer's.
    """

    max_thinking_tokens: int | None = None
    num_ignore: int = 0
    ignore_strings: tuple[str, ...] = ("Wait",)
    answer_reserve: int = ANSWER_RESERVE
    max_answer_tokens: int | None = None
    forced_answer: str | None = None
    overrides: tuple[SamplingOverride, ...] = ()
    starts_thinking: bool = True

    def __post_init__(self) -> None:
        if self.max_thinking_tokens is not None:
            _check_count("max_thinking_tokens", self.max_thinking_tokens, at_least=0)
        if self.max_answer_tokens is not None:
            _check_count("max_answer_tokens", self.max_answer_tokens, at_least=1)
        _check_count("num_ignore", self.num_ignore, at_least=0)
        _check_count("answer_reserve", self.answer_reserve, at_least=1)
        if isinstance(self.ignore_strings, str) or not self.ignore_strings:
            raise ConfigError(f'ignore_strings={self.ignore_strings!r}; one or more texts are needed ("" for none)')
        after = [override.after for override in self.overrides]
        if sorted(set(after)) != after:
            raise ConfigError(f"overrides begin after {after} suppressed ends; give them in rising order, each once")


@dataclass(frozen=True, slots=True)
class ForcingPlan:
    """Budget forcing under one tokenizer: plain data that any engine's process can be sent.

    Attributes:
        ignore_ids: the ids of each of the options' ignore strings.
        natural_end: what stands instead of the model's own end of thinking, and opens the answer.
        forced_end: the same where the end is forced, without the separator before it.
    """

    delimiters: Delimiters
    options: BudgetForcing
    ignore_ids: tuple[Ids, ...]
    natural_end: Ids
    forced_end: Ids

    @property
    def closing_tokens(self) -> int:
        """The most tokens that an end of thinking takes."""
        return max(len(self.delimiters.separator) + len(self.forced_end), len(self.natural_end))

    @property
    def tokens_beside_thinking(self) -> int:
        """What a generation needs beside its thinking: an end of thinking and the answer's reserve."""
        return self.closing_tokens + self.options.answer_reserve

    def room_for_thinking(self, *, context_tokens: int, prompt_tokens: int) -> int:
        """Thinking tokens that fit: the paper's "auto" cap where `prompt_tokens` is the longest prompt's.

        Raises:
            ConfigError: not even an answer fits, or the cap leaves no room for one.
        """
        room = context_tokens - prompt_tokens - self.tokens_beside_thinking
        cap = self.options.max_thinking_tokens
        parts = (
            f"prompt {prompt_tokens} + delimiters {self.closing_tokens} + slack {self.options.answer_reserve} "
            f"of {context_tokens}"
        )
        if room < 0:
            raise ConfigError(
                f"the context leaves no room to answer: {parts}; use a shorter prompt or a longer context"
            )
        if cap is not None and cap > room:
            raise ConfigError(f"max_thinking_tokens={cap} leaves no room to answer: {parts}; use {room} or less")
        return room if cap is None else cap


def make_plan(options: BudgetForcing, delimiters: Delimiters, tokenizer: Tokenizer) -> ForcingPlan:
    """The options as ids of the tokenizer that `delimiters` were built with.

    Raises:
        ConfigError: a text cannot be written by the tokenizer, or would itself end thinking.
    """
    ignore_ids = tuple(encode_exactly(text, tokenizer, "ignore string") for text in options.ignore_strings)
    for text, ids in zip(options.ignore_strings, ignore_ids, strict=True):
        for end in delimiters.ends:
            if any(ids[place : place + len(end)] == end for place in range(len(ids))):
                raise ConfigError(f"ignore string {text!r:.60} holds an end of thinking; use a text without it")
    forced_end = delimiters.forced_answer
    if options.forced_answer is not None:
        forced_end = delimiters.answer + encode_exactly(options.forced_answer, tokenizer, "forced answer")
    return ForcingPlan(
        delimiters=delimiters,
        options=options,
        ignore_ids=ignore_ids,
        natural_end=delimiters.answer,
        forced_end=forced_end,
    )


def plan_to_json(plan: ForcingPlan) -> dict[str, Any]:
    """The plan as JSON holds it, for an engine in another process."""
    row = asdict(plan)
    row["delimiters"]["line_ends"] = sorted(plan.delimiters.line_ends)
    return row


def plan_from_json(row: Mapping[str, Any]) -> ForcingPlan:
    """The plan that `plan_to_json` wrote, read back from JSON or as it was."""
    delimiters = Delimiters(**{name: _tuples(value) for name, value in row["delimiters"].items()})
    options = dict(row["options"])
    options["overrides"] = tuple(SamplingOverride(**override) for override in options["overrides"])
    options["ignore_strings"] = tuple(options["ignore_strings"])
    return ForcingPlan(
        delimiters=replace(delimiters, line_ends=frozenset(delimiters.line_ends)),
        options=BudgetForcing(**options),
        ignore_ids=_tuples(row["ignore_ids"]),
        natural_end=_tuples(row["natural_end"]),
        forced_end=_tuples(row["forced_end"]),
    )


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value


def _check_count(name: str, value: object, *, at_least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise ConfigError(f"{name}={value!r:.60}; a whole number of {at_least} or more is allowed")
