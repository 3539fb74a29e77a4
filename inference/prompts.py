"""From a problem to the ids that a model is asked with: chat template, instruction, choices, start of thinking.

The wording is that of s1's released evaluation: the bare question, choices as `A) ...` behind a blank line, and an
instruction, where a method has one, behind another blank line.
"""

import hashlib
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from curation.errors import ConfigError
from inference.benchmarks import Problem
from inference.delimiters import DelimiterProfile, Tokenizer, encode_exactly
from inference.forcing_events import Ids

# counts up when `question_text` or `PromptBuilder` begin to write another text for the same problem
VERSION = 1
LETTERS = string.ascii_uppercase
PLACE = "{problem}"
# stands for the question while a template is tried
_PROBE = "What is seventeen and four?"


class ChatTokenizer(Tokenizer, Protocol):
    """A tokenizer of transformers, with its chat template."""

    @property
    def chat_template(self) -> Any: ...

    def apply_chat_template(
        self, conversation: Sequence[dict[str, str]], *, tokenize: bool, add_generation_prompt: bool
    ) -> Any: ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked.

    Attributes:
        text: all of it but the start of thinking.
        ids: `text` under the model's tokenizer, then the profile's start of thinking as ids of its own, unless the
            template ends in it: text that is decoded and encoded again would not be the same ids.
        sha256: of `text` in UTF-8, 64 hexadecimal digits.
    """

    text: str
    ids: Ids
    sha256: str


def question_text(problem: Problem, instruction: str = "") -> str:
    """What the user says: the question, its choices by letter, and the instruction.

    Raises:
        ConfigError: more choices than letters.
    """
    parts = [problem.text]
    if problem.choices:
        if len(problem.choices) > len(LETTERS):
            raise ConfigError(
                f"problem {problem.key!r:.60} has {len(problem.choices)} choices; {len(LETTERS)} at most are allowed"
            )
        lettered = zip(LETTERS, problem.choices, strict=False)
        parts.append("\n".join(f"{letter}) {choice}" for letter, choice in lettered))
    if instruction:
        parts.append(instruction)
    return "\n\n".join(parts)


class PromptBuilder:
    """Writes prompts for one model.

    Attributes:
        template: what is stored of it: the tokenizer's own chat template as "chat", or the user's text.
    """

    def __init__(
        self, tokenizer: ChatTokenizer, profile: DelimiterProfile, *, template: str | None = None, system: str = ""
    ) -> None:
        """
        Args:
            template: a text with `{problem}` where the question goes; None: the tokenizer's chat template.
            system: a system message for the chat template; "": what the template does by itself.

        Raises:
            ConfigError: the template drops the problem, or there is none.
        """
        self._tokenizer = tokenizer
        self._template = template
        self._system = system
        self._start = encode_exactly(profile.start, tokenizer, "start delimiter")
        self.template = "chat" if template is None else template
        if template is None and not getattr(tokenizer, "chat_template", None):
            raise ConfigError(
                f"the tokenizer has no chat template; give a template with {PLACE} where the question goes"
            )
        if template is not None and system:
            raise ConfigError("a system message needs the tokenizer's chat template; write it into your template")
        rendered = self._render(_PROBE)
        self._opens_thinking = rendered.rstrip().endswith(profile.start.strip())
        if _PROBE not in rendered:
            what = "the tokenizer's chat template" if template is None else f"template {template!r:.60}"
            raise ConfigError(f"{what} drops the problem; it has to hold {PLACE} where the question goes")

    def build(self, problem: Problem, *, instruction: str = "", starts_thinking: bool = True) -> Prompt:
        """The prompt of a problem.

        Args:
            instruction: stands behind the question, as in "Think for up to 2048 tokens."
            starts_thinking: False: the model is to answer at once, and the prompt ends without a start of thinking.

        Raises:
            ConfigError: the problem has too many choices, or the template begins thinking though none is wanted.
        """
        if self._opens_thinking and not starts_thinking:
            raise ConfigError(
                "the template begins thinking by itself, and an answer alone is asked for; give a template without it"
            )
        text = self._render(question_text(problem, instruction))
        ids = tuple(self._tokenizer.encode(text, add_special_tokens=False))
        if starts_thinking and not self._opens_thinking:
            ids += self._start
        return Prompt(text, ids, hashlib.sha256(text.encode()).hexdigest())

    def describe(self) -> dict[str, Any]:
        """What a run records of its prompts."""
        return {"version": VERSION, "template": self.template, "system": self._system}

    def _render(self, question: str) -> str:
        if self._template is not None:
            # not str.format: a template may hold braces of its own, and so may the question
            return self._template.replace(PLACE, question)
        turns = [{"role": "system", "content": self._system}] if self._system else []
        turns.append({"role": "user", "content": question})
        text = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        assert isinstance(text, str)
        return text
