"""Telling a model in its prompt how long to think: token-, step- and class-conditional control (s1 §4.2, appendix E).

The wording is that of s1's released evaluation, and of its training data: a model follows it only where it was
trained on such prompts, and even then badly. With budget forcing the limit holds.
"""

from dataclasses import replace
from typing import Literal

from inference.delimiters import DelimiterProfile

Length = Literal["short", "long"]

# what a step is counted as where Control is measured (appendix E.1)
TOKENS_PER_STEP = 100
CLASS_INSTRUCTIONS: dict[Length, str] = {
    "short": "Answer after a short amount of thinking. Do not spend excessive time double-checking your work.",
    "long": (
        "Answer after a long amount of thinking. If you feel like you are finished early, spend the extra time "
        "trying to double-check your work until you are absolutely sure that you have the correct answer."
    ),
}
# stands before each step of a step-conditional trace; {steps} counts down
COUNTDOWN = "<|im_start|>{steps} steps left"


def token_instruction(num_tokens: int) -> str:
    """What the prompt of token-conditional control ends in."""
    return f"Think for up to {num_tokens} tokens."


def step_instruction(num_steps: int) -> str:
    """What the prompt of step-conditional control ends in."""
    return f"Think for up to {num_steps} steps."


def step_profile(profile: DelimiterProfile, *, countdown: str = COUNTDOWN, ends_at_zero: bool) -> DelimiterProfile:
    """The profile of a model that counts its steps down while it thinks.

    The count-down begins with what ends thinking for other s1 models: `<|im_start|>`. So such an end gives way to the
    whole delimiter that opens the answer.

    Args:
        countdown: what stands before each step, with `{steps}` for the number.
        ends_at_zero: a count-down of 0 steps ends thinking: what budget forcing does for step-conditional control.
    """
    begin = countdown.partition("{steps}")[0]
    ends = tuple(profile.answer if begin.startswith(end) else end for end in profile.ends)
    if ends_at_zero:
        ends += (countdown.replace("{steps}", "0"),)
    return replace(profile, name=f"{profile.name} with steps", ends=tuple(dict.fromkeys(ends)))
