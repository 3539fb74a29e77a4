"""From question and trace to training text (s1 appendix C; spec section 4)."""

from collections.abc import Callable, Sequence

Message = dict[str, str]
RenderChat = Callable[[Sequence[Message]], str]

# Qwen2.5's chat template gives every conversation without a system message this one
QWEN_SYSTEM = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."


def assistant_text(thinking: str, attempt: str) -> str:
    """The assistant's turn: thinking, then the answer, marked by s1's delimiters.

    The answer is prefixed with `Answer: ` when it holds no `Answer:`.
    """
    answer = attempt if "Answer:" in attempt else f"Answer: {attempt}"
    return f"<|im_start|>think\n{thinking}\n<|im_start|>answer\n{answer}"


def messages(question: str, thinking: str, attempt: str) -> list[Message]:
    """The conversation that the chat template is put over."""
    return [
        {"role": "user", "content": question},
        {"role": "assistant", "content": assistant_text(thinking, attempt)},
    ]


def training_text(question: str, thinking: str, attempt: str, render: RenderChat | None = None) -> str:
    """The text that a model is trained on.

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
