"""From question and trace to the conversation that a model is trained on (s1 appendices C, E; spec section 4)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from curation.errors import ConfigError
from inference.controls import COUNTDOWN, step_instruction, token_instruction
from inference.steps import split_steps

Message = dict[str, str]
RenderChat = Callable[[Sequence[Message]], str]
CountTokens = Callable[[str], int]
Variant = Literal["plain", "token_conditional", "step_conditional"]

# Qwen2.5's chat template gives every conversation without a system message this one
QWEN_SYSTEM = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
VARIANTS: tuple[Variant, ...] = ("plain", "token_conditional", "step_conditional")


@dataclass(frozen=True, slots=True)
class Wrapping:
    """What a model family writes around thinking: the texts of its delimiter profile, with their line breaks.

    Attributes:
        start: stands before the thinking.
        between: stands between thinking and answer.
        end: ends the turn, where it is not the tokenizer's own end token.
    """

    start: str
    between: str
    end: str = ""


# by the name of a profile of `inference.delimiters`
WRAPPINGS: Mapping[str, Wrapping] = {
    "s1": Wrapping("<|im_start|>think\n", "\n<|im_start|>answer\n"),
    "think": Wrapping("<think>\n", "\n</think>\n\n"),
    "harmony": Wrapping(
        "<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>", "<|return|>"
    ),
}


@dataclass(frozen=True, slots=True)
class TextFormat:
    """How a question and its trace become a conversation.

    Attributes:
        profile: the family's delimiters, one of `WRAPPINGS`.
        variant: plain; or the prompt says how long to think, in tokens or in steps (s1 §4.2), both rounded up to a
            power of two.
        system: a system message; "": what the template does by itself.
    """

    profile: str = "s1"
    variant: Variant = "plain"
    system: str = ""

    def __post_init__(self) -> None:
        for name, allowed in (("profile", tuple(WRAPPINGS)), ("variant", VARIANTS)):
            value = getattr(self, name)
            if value not in allowed:
                raise ConfigError(f"{name}={value!r:.60}; {', '.join(allowed)} are allowed")
        if not isinstance(self.system, str):
            raise ConfigError(f"system={self.system!r:.60}; a text is needed")

    @property
    def wrapping(self) -> Wrapping:
        """What stands around the thinking."""
        return WRAPPINGS[self.profile]

    def conversation(self, question: str, thinking: str, attempt: str, count_tokens: CountTokens) -> list[Message]:
        """The messages that the chat template is put over.

        Args:
            count_tokens: the model's own count of a text; asked in the variant token_conditional.
        """
        instruction = ""
        if self.variant == "token_conditional":
            instruction = token_instruction(_power_of_two(count_tokens(thinking)))
        elif self.variant == "step_conditional":
            steps = split_steps(thinking)
            limit = _power_of_two(len(steps))
            instruction = step_instruction(limit)
            thinking = _count_down(steps, limit)
        turns = [{"role": "system", "content": self.system}] if self.system else []
        user = f"{question}\n\n{instruction}" if instruction else question
        return [
            *turns,
            {"role": "user", "content": user},
            {"role": "assistant", "content": assistant_text(thinking, attempt, self.wrapping)},
        ]


def assistant_text(thinking: str, attempt: str, wrapping: Wrapping = WRAPPINGS["s1"]) -> str:
    """The assistant's turn: thinking, then the answer, marked by the family's delimiters.

    The answer is prefixed with `Answer: ` when it holds no `Answer:`.
    """
    answer = attempt if "Answer:" in attempt else f"Answer: {attempt}"
    return f"{wrapping.start}{thinking}{wrapping.between}{answer}{wrapping.end}"


def by_fields(turn: Message, wrapping: Wrapping) -> Message:
    """An assistant's turn of `TextFormat.conversation` with thinking and answer apart, for templates that mark them
    themselves: gpt-oss reads `thinking`, others `reasoning_content`."""
    inner = turn["content"].removeprefix(wrapping.start).removesuffix(wrapping.end)
    thinking, _, answer = inner.partition(wrapping.between)
    return {"role": turn["role"], "content": answer, "thinking": thinking, "reasoning_content": thinking}


def messages(question: str, thinking: str, attempt: str) -> list[Message]:
    """The conversation in s1's own format."""
    return [
        {"role": "user", "content": question},
        {"role": "assistant", "content": assistant_text(thinking, attempt)},
    ]


def training_text(question: str, thinking: str, attempt: str, render: RenderChat | None = None) -> str:
    """The text that a model is trained on, in s1's own format.

    Args:
        render: a tokenizer's chat template; without one Qwen2.5-Instruct's, the paper's, is used.
    """
    return (render or render_qwen)(messages(question, thinking, attempt))


def render_qwen(conversation: Sequence[Message]) -> str:
    """The conversation as Qwen2.5-Instruct's own chat template writes it, tools aside."""
    turns = list(conversation)
    if not turns or turns[0]["role"] != "system":
        turns.insert(0, {"role": "system", "content": QWEN_SYSTEM})
    return "".join(f"<|im_start|>{turn['role']}\n{turn['content']}<|im_end|>\n" for turn in turns)


def _power_of_two(number: int) -> int:
    """The least power of two that is not below the number, 1 at least."""
    return 1 << max(number - 1, 0).bit_length()


def _count_down(steps: Sequence[str], limit: int) -> str:
    """Each step behind how many are left, from the limit on: so a count of 0 means that the limit is used up."""
    return "".join(f"{COUNTDOWN.format(steps=limit - place)}\n{step}" for place, step in enumerate(steps))
