"""From a conversation to token ids and which of them carry loss: the assistant's thinking, answer and end.

Which ids are the assistant's is found in the rendered text, by the tokenizer's own offsets, and checked: a chat
template may drop thinking from what it calls history, begin a second thinking block, or end the turn with a token
that the model does not stop at. Each of these trains a model that is quietly wrong, so each is refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

from curation.errors import ConfigError, RowError
from inference.delimiters import find_profile
from training.formatting import Message, TextFormat, by_fields

# what Qwen2.5 keeps for padding in the paper's run, so that no end token is taken for padding
QWEN_PAD = "<|fim_pad|>"


class FastTokenizer(Protocol):
    """The part of a fast transformers tokenizer that training texts are made with."""

    eos_token: Any
    pad_token: Any
    chat_template: Any
    added_tokens_decoder: Any

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
        num_thinking: of those, the ids up to the delimiter that opens the answer.
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
        self._takes_fields = False
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
            RowError: the texts hold delimiters or special tokens of their own, so that thinking would end before its
                end, or a question would speak as somebody else; the template changes what the assistant says; or a
                token stands across the border of question and thinking.
        """
        for what, text in (("question", question), ("thinking", thinking), ("attempt", attempt)):
            found = self._marks.search(text)
            if found is not None:
                raise RowError(f"the {what} holds {found[0]!r}, which means something to the model; take it out")
        if not thinking.strip():
            raise RowError("the thinking is empty; there is nothing to learn to think from")
        # some templates (Qwen3's) strip thinking and answer: then what they write is what is looked for
        for trace in ((thinking, attempt), (thinking.strip(), attempt.strip())):
            conversation = self._format.conversation(question, *trace, self._count)
            text = self._render(conversation)
            if conversation[-1]["content"] in text:
                return self._example(text, conversation[-1]["content"])
        raise RowError("the chat template changes what the assistant says, so that it cannot be told from the rest")

    @cached_property
    def _marks(self) -> re.Pattern[str]:
        """Texts that a row may not bring: its thinking would seem to end, or its turn."""
        profile = find_profile(self._format.profile)
        marks = [profile.start, *profile.ends, profile.answer, *profile.stops, str(self._tokenizer.eos_token)]
        marks += [str(token) for token in self._tokenizer.added_tokens_decoder.values() if token.special]
        # the longest first, so that an error names the whole of what stands there
        unique = sorted({mark.strip() for mark in marks}, key=lambda mark: (-len(mark), mark))
        return re.compile("|".join(map(re.escape, unique)))

    def _count(self, text: str) -> int:
        return len(self._encode(text)["input_ids"])

    def _encode(self, text: str) -> Any:
        return self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)

    def _render(self, conversation: Sequence[Message], *, prompt: bool = False) -> str:
        if not prompt and self._takes_fields:
            conversation = [*conversation[:-1], by_fields(conversation[-1], self._format.wrapping)]
        text = self._tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=prompt)
        assert isinstance(text, str)
        return text

    @cached_property
    def _end(self) -> str:
        """What ends the assistant's turn behind its content."""
        return "" if self._format.wrapping.end else str(self._tokenizer.eos_token)

    def _example(self, text: str, content: str) -> Example:
        """
        Args:
            text: the whole conversation, as the template writes it.
            content: the assistant's part of it.
        """
        wrapping = self._format.wrapping
        first = text.rindex(content)
        last = first + len(content) + len(self._end)
        # the delimiter itself, without line breaks that may share a token with the thinking's last word
        delimiter = wrapping.between.lstrip()
        answer = text.index(delimiter, first + len(wrapping.start) + len(wrapping.between) - len(delimiter))
        encoded = self._encode(text)
        starts, ends = zip(*encoded["offset_mapping"], strict=True)
        first_id = next(place for place, end in enumerate(ends) if end > first)
        last_id = next((place for place, start in enumerate(starts) if start >= last), len(starts))
        if starts[first_id] < first:
            raise RowError("one token holds the end of the question's turn and the beginning of the thinking")
        answer_id = next(place for place, end in enumerate(ends) if end > answer)
        return Example(tuple(encoded["input_ids"]), first_id, last_id, answer_id - first_id)

    def _check_template(self) -> None:
        """Try the template on a conversation whose parts can be told apart.

        Raises:
            ConfigError: it fails, drops the question or the thinking, begins a second thinking block, or does not end
                the turn with the end token.
        """
        question, thinking, attempt = "What is seventeen and four?", "Seventeen and four are twenty-one.", "It is 21."
        conversation = replace(self._format, variant="plain").conversation(question, thinking, attempt, len)
        content = conversation[-1]["content"]
        text = self._try_forms(conversation)
        if question not in text:
            raise ConfigError("the chat template drops the question; choose a model with another template")
        if thinking not in text:
            raise ConfigError(
                "the chat template drops the thinking block, as templates do for earlier turns; put one that keeps "
                "it into the model's folder (chat_template.jinja)"
            )
        if content not in text:
            raise ConfigError(
                f"the chat template rewrites the assistant's turn; choose another profile than {self._format.profile}"
            )
        at = text.rindex(content)
        self._check_opening(text[:at], self._render(conversation[:-1], prompt=True))
        self._check_end(text[at + len(content) :])

    def _try_forms(self, conversation: list[Message]) -> str:
        """The text of the first form that the template takes: thinking within the content, or in a field of its own.

        Raises:
            ConfigError: the template fails on both.
        """
        from jinja2 import TemplateError

        texts = []
        reason = ""
        for self._takes_fields in (False, True):
            try:
                text = self._render(conversation)
            except TemplateError as error:
                reason = reason or str(error)
                continue
            if conversation[-1]["content"] in text:
                return text
            texts.append(text)
        if not texts:
            raise ConfigError(
                f"the chat template fails: {reason:.200}; choose another profile than {self._format.profile}, or "
                "another template"
            )
        return texts[0]

    def _check_opening(self, opened: str, prompt: str) -> None:
        """That a trained turn begins as one that is asked for.

        Args:
            opened: what the template writes before the assistant's content.
            prompt: what it writes where the model is to answer.
        """
        start = self._format.wrapping.start.strip()
        if opened.rstrip().endswith(start) or prompt.rstrip().endswith(start):
            raise ConfigError(
                f"the chat template begins a thinking block of its own ({start}), and the text brings one: it would "
                "be doubled; choose another profile, or a template without it"
            )
        if opened != prompt:
            raise ConfigError(
                "the chat template opens the assistant's turn in another way in training than when it is asked: "
                f"{opened[-40:]!r} and {prompt[-40:]!r}; choose another profile, or another template"
            )

    def _check_end(self, behind: str) -> None:
        """That the turn ends in what the model stops at.

        Args:
            behind: what the template writes behind the assistant's content.
        """
        eos = str(self._tokenizer.eos_token)
        written = self._format.wrapping.end or behind
        if not written.startswith(eos):
            raise ConfigError(
                f"the assistant's turn ends with {written[:20]!r}, and the model's end token is {eos!r}: it would "
                "never learn to stop; set the tokenizer's eos_token, or choose another profile"
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
