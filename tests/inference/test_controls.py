"""Instructions about the length of thinking, and the count-down that begins as an end of thinking does."""

from inference.controls import CLASS_INSTRUCTIONS, step_instruction, step_profile, token_instruction
from inference.delimiters import build_delimiters, find_profile
from tests.inference.models import make_tokenizer
from tests.inference.settings import ids_of


def test_instructions_are_those_of_the_released_evaluation():
    assert token_instruction(2048) == "Think for up to 2048 tokens."
    assert step_instruction(64) == "Think for up to 64 steps."
    assert CLASS_INSTRUCTIONS["short"].startswith("Answer after a short amount of thinking. Do not spend")
    assert CLASS_INSTRUCTIONS["long"].startswith("Answer after a long amount of thinking. If you feel")
    assert "  " not in "".join(CLASS_INSTRUCTIONS.values())


def test_a_count_down_is_no_end_of_thinking():
    profile = step_profile(find_profile("s1"), ends_at_zero=False)
    assert profile.ends == ("<|im_start|>answer", "<|im_end|>")
    assert profile.start == "<|im_start|>think"


def test_a_count_down_of_zero_ends_thinking_under_budget_forcing():
    profile = step_profile(find_profile("s1"), ends_at_zero=True)
    assert profile.ends == ("<|im_start|>answer", "<|im_end|>", "<|im_start|>0 steps left")
    assert ids_of("<|im_start|>0 steps left") in build_delimiters(profile, make_tokenizer()).ends


def test_a_family_whose_ends_are_no_count_down_keeps_them():
    profile = step_profile(find_profile("think"), countdown="<{steps} steps left>", ends_at_zero=True)
    assert profile.ends == ("</think>", "<0 steps left>")
