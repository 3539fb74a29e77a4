"""From a conversation to token ids and which of them carry loss: the assistant's thinking, answer and end.

Which ids are the assistant's is found in the rendered text, by the tokenizer's own offsets, and checked: a chat
template may drop thinking from what it calls history, begin a second thinking block, or end the turn with a token
that the model does not stop at. Each of these trains a model that is quietly wrong, so each is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, Protocol

from curation.errors import ConfigError, RowError
from inference.delimiters import find_profile
from training.formatting import Message, TextFormat

# what Qwen2.5 keeps for padding in the paper's run, so that no end token is taken for padding
QWEN_PAD = "<|fim_pad|>"


class FastTokenizer(Protocol):
    """The part of a fast transformers tokenizer that training texts are made with."""

    eos_token: Any
    pad_token: Any
    chat_template: Any

    def __call__(self, text: str, *, add_special_tokens: bool, return_offsets_mapping: bool) -> Any: ...

    def apply_chat_template(
        self, conversation: Sequence[Message], *, tokenize: bool, add_generation_prompt: bool
    ) -> Any: ...

    def get_vocab(self) -> dict[str, int]: ...


@dataclass(frozen=True, slots=True)
class Example:
    """A row as the model is trained on it.

    Attributes:
        ids: of the whole conversation, before anything is cut off.
        first, last: the ids that carry loss are ids[first:last].
        num_thinking: of those, the ids up to the answer.
    """

    ids: tuple[int, ...]
    first: int
    last: int
    num_thinking: int

    @property
    def num_answer(self) -> int:
        """Ids of the answer and its end."""
        return self.last - self.first - self.num_thinking

    def cut(self, block_size: int) -> "Example":
        """What a block of that size holds: the beginning."""
        last = min(self.last, block_size)
        return Example(
            self.ids[:block_size], min(self.first, last), last, min(self.num_thinking, max(last - self.first, 0))
        )

    def labels(self) -> list[int]:
        """The ids with loss at their places, -100 elsewhere; shape (len(ids),)."""
        labels = [-100] * len(self.ids)
        labels[self.first : self.last] = self.ids[self.first : self.last]
        return labels


class ExampleMaker:
    """Makes examples with one model's tokenizer."""

    def __init__(self, tokenizer: FastTokenizer, text_format: TextFormat) -> None:
        """
        Raises:
            ConfigError: the tokenizer has no chat template, no end token or no offsets, or its template cannot carry
                a thinking block; see `_check_template`.
        """
        self._tokenizer = tokenizer
        self._format = text_format
        if not getattr(tokenizer, "is_fast", True):
            raise ConfigError("the tokenizer gives no offsets; a fast one (tokenizer.json) is needed")
        if not getattr(tokenizer, "chat_template", None):
            raise ConfigError("the tokenizer has no chat template; give a model with one, or add chat_template.jinja")
        if not tokenizer.eos_token:
            raise ConfigError("the tokenizer has no end token; without one a model never learns to stop")
        self._check_template()

    def make(self, question: str, thinking: str, attempt: str) -> Example:
        """The example of a question and its trace.

        Raises:
            RowError: the texts hold delimiters of their own, so that thinking would end before its end, or a token
                stands across the border of question and thinking.
        """
        for what, text in (("question", question), ("thinking", thinking), ("attempt", attempt)):
            found = next((mark for mark in self._marks if mark in text), None)
            if found is not None:
                raise RowError(f"the {what} holds {found!r}, which means something to the model; take it out")
        if not thinking.strip():
            raise RowError("the thinking is empty; there is nothing to learn to think from")
        return self._example(self._format.conversation(question, thinking, attempt, self._count))

    @cached_property
    def _marks(self) -> tuple[str, ...]:
        """Texts that a row may not bring: its thinking would seem to end, or its turn."""
        profile = find_profile(self._format.profile)
        marks = (profile.start, *profile.ends, profile.answer, *profile.stops, str(self._tokenizer.eos_token))
        return tuple(dict.fromkeys(mark.strip() for mark in marks))

    def _count(self, text: str) -> int:
        return len(self._encode(text)["input_ids"])

    def _encode(self, text: str) -> Any:
        return self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)

    def _render(self, conversation: Sequence[Message], *, prompt: bool = False) -> str:
        text = self._tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=prompt)
        assert isinstance(text, str)
        return text

    @cached_property
    def _end(self) -> str:
        """What ends the assistant's turn behind its content."""
        return "" if self._format.wrapping.end else str(self._tokenizer.eos_token)

    def _example(self, conversation: list[Message]) -> Example:
        content = conversation[-1]["content"]
        text = self._render(conversation)
        first = text.rfind(content)
        if first < 0:
            raise RowError(
                "the chat template changes what the assistant says, so that it cannot be told from the rest"
            )
        last = first + len(content) + len(self._end)
        between = content.index(self._format.wrapping.between, len(self._format.wrapping.start))
        answer = first + between
        encoded = self._encode(text)
        offsets = encoded["offset_mapping"]
        starts = [start for start, _ in offsets]
        ends = [end for _, end in offsets]
        first_id = next(place for place, end in enumerate(ends) if end > first)
        last_id = next((place for place, start in enumerate(starts) if start >= last), len(starts))
        if starts[first_id] < first:
            raise RowError("one token holds the end of the question's turn and the beginning of the thinking")
        answer_id = next(place for place, end in enumerate(ends) if end > answer)
        return Example(tuple(encoded["input_ids"]), first_id, last_id, answer_id - first_id)

    def _check_template(self) -> None:
        """Try the template on a conversation whose parts can be told apart.

        Raises:
            ConfigError: it drops the question or the thinking, begins a second thinking block, or does not end the
                turn with the end token.
        """
        wrapping = self._format.wrapping
        question, thinking, attempt = "What is seventeen and four?", "Seventeen and four are twenty-one.", "It is 21."
        conversation = TextFormat(self._format.profile, system=self._format.system).conversation(
            question, thinking, attempt, len
        )
        content = conversation[-1]["content"]
        text = self._render(conversation)
        name = "the chat template"
        if question not in text:
            raise ConfigError(f"{name} drops the question; choose a model with another template")
        if thinking not in text:
            raise ConfigError(
                f"{name} drops the thinking block, as templates do for earlier turns; train with profile s1, or with "
                "a template that keeps it"
            )
        if content not in text:
            raise ConfigError(
                f"{name} rewrites the assistant's turn; choose another profile than {self._format.profile}"
            )
        prompt = self._render(conversation[:-1], prompt=True)
        opened = text[: text.rindex(content)]
        if wrapping.start.strip() and (
            opened.rstrip().endswith(wrapping.start.strip()) or prompt.rstrip().endswith(wrapping.start.strip())
        ):
            raise ConfigError(
                f"{name} begins a thinking block of its own ({wrapping.start.strip()}), and the text brings one: it "
                "would be doubled; choose another profile, or a template without it"
            )
        if opened != prompt:
            raise ConfigError(
                f"{name} writes another text before the assistant's turn in training than when it is asked: "
                f"{opened[-40:]!r} and {prompt[-40:]!r}"
            )
        behind = text[text.rindex(content) + len(content) :]
        if self._end and not behind.startswith(self._end):
            raise ConfigError(
                f"{name} ends the assistant's turn with {behind[:20]!r}, and the model's end token is {self._end!r}: "
                "it would never learn to stop; set the tokenizer's eos_token"
            )


def find_pad_token(tokenizer: FastTokenizer, wanted: str | None) -> str:
    """The token that fills rows up.

    Args:
        wanted: the user's choice; None: Qwen's `<|fim_pad|>`, as in the paper, or else the tokenizer's own.

    Raises:
        ConfigError: there is none, or it is the end token.
    """
    known = tokenizer.get_vocab()
    pad = wanted or (QWEN_PAD if QWEN_PAD in known else tokenizer.pad_token)
    if not pad:
        raise ConfigError("the tokenizer has no pad token; give pad_token")
    if pad not in known:
        raise ConfigError(f"pad_token={pad!r:.60} is no token of the tokenizer")
    if pad == tokenizer.eos_token:
        raise ConfigError(
            f"the pad token is the end token {pad!r}: whatever hides padding would hide the end too, and the model "
            "would never learn to stop; give another pad_token"
        )
    return str(pad)


def runs_of(labels: Sequence[int]) -> list[tuple[bool, int]]:
    """Whether ids carry loss, and how many in a row do or do not."""
    return [(key, len(list(group))) for key, group in groupby(labels, key=lambda label: label != -100)]
