"""Variants and delimiter profiles, against the specification's section 4."""

import pytest

from curation.errors import ConfigError
from inference.delimiters import PROFILES
from training.formatting import WRAPPINGS, TextFormat, Variant, assistant_text, by_fields, messages


def count_words(text: str) -> int:
    return len(text.split())


def talk(variant: Variant, thinking: str, *, profile: str = "s1", system: str = "") -> tuple[str, str]:
    """(what the user says, what the assistant says)."""
    turns = TextFormat(profile, variant, system).conversation("How many?", thinking, "7", count_words)
    return turns[-2]["content"], turns[-1]["content"]


@pytest.mark.parametrize(
    ("num_tokens", "limit"),
    [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (1024, 1024), (1025, 2048), (2000, 2048), (2048, 2048), (2049, 4096)],
)
def test_the_traces_length_is_rounded_up_to_a_power_of_two_of_tokens(num_tokens: int, limit: int) -> None:
    user, assistant = talk("token_conditional", "so " * num_tokens)
    assert user == f"How many?\n\nThink for up to {limit} tokens."
    # the trace itself stays as it is
    assert assistant == assistant_text("so " * num_tokens, "7")


def test_the_models_own_count_decides_not_that_of_words() -> None:
    turns = TextFormat(variant="token_conditional").conversation("Q?", "one two", "7", lambda text: 300)
    assert turns[0]["content"] == "Q?\n\nThink for up to 512 tokens."


def test_each_step_stands_behind_how_many_are_left() -> None:
    user, assistant = talk("step_conditional", "Three and four.\n\nThat is seven.\n\nYes.")
    assert user == "How many?\n\nThink for up to 4 steps."
    assert assistant == (
        "<|im_start|>think\n"
        "<|im_start|>4 steps left\nThree and four.\n\n"
        "<|im_start|>3 steps left\nThat is seven.\n\n"
        "<|im_start|>2 steps left\nYes.\n"
        "<|im_start|>answer\nAnswer: 7"
    )


@pytest.mark.parametrize(("num_steps", "limit"), [(1, 1), (2, 2), (3, 4), (33, 64), (64, 64), (65, 128)])
def test_the_number_of_steps_is_rounded_up_and_never_counted_below_one(num_steps: int, limit: int) -> None:
    user, assistant = talk("step_conditional", "\n\n".join(["Hm."] * num_steps))
    assert user.endswith(f"\n\nThink for up to {limit} steps.")
    counts = [int(part.split()[0]) for part in assistant.split("<|im_start|>") if "steps left" in part]
    assert counts == list(range(limit, limit - num_steps, -1))
    assert min(counts) >= 1


def test_several_blank_lines_part_steps_once_and_no_text_is_lost() -> None:
    thinking = "One.\n\n\n \nTwo,\nstill two.\n\n"
    _, assistant = talk("step_conditional", thinking)
    assert assistant.count("steps left") == 2
    bare = assistant.replace("<|im_start|>2 steps left\n", "").replace("<|im_start|>1 steps left\n", "")
    assert bare == assistant_text(thinking, "7")


def test_plain_says_nothing_of_length_and_is_the_papers_format() -> None:
    assert TextFormat().conversation("Q?", "T", "A", count_words) == messages("Q?", "T", "A")


@pytest.mark.parametrize(
    ("profile", "text"),
    [
        ("s1", "<|im_start|>think\nHm.\n<|im_start|>answer\nAnswer: 7"),
        ("think", "<think>\nHm.\n</think>\n\nAnswer: 7"),
        (
            "harmony",
            "<|channel|>analysis<|message|>Hm.<|end|>"
            "<|start|>assistant<|channel|>final<|message|>Answer: 7<|return|>",
        ),
    ],
)
def test_each_profile_marks_thinking_and_answer_in_its_own_way(profile: str, text: str) -> None:
    assert talk("plain", "Hm.", profile=profile)[1] == text


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_what_is_trained_on_is_what_budget_forcing_works_with(name: str) -> None:
    """A model that is trained under a profile is started, ended and stopped by the same texts when it is asked."""
    trained, asked = WRAPPINGS[name], PROFILES[name]
    assert trained.start.strip() == asked.start.strip()
    assert trained.between.strip() == asked.answer
    assert trained.end in ("", *asked.stops)


def test_every_profile_of_inference_can_be_trained() -> None:
    assert WRAPPINGS.keys() == PROFILES.keys()


def test_a_system_message_comes_first() -> None:
    turns = TextFormat(system="Be brief.").conversation("Q?", "T", "A", count_words)
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant"]
    assert turns[0]["content"] == "Be brief."


@pytest.mark.parametrize("profile", sorted(WRAPPINGS))
@pytest.mark.parametrize("variant", ["plain", "step_conditional"])
def test_fields_hold_thinking_and_answer_without_their_marks(profile: str, variant: Variant) -> None:
    turn = TextFormat(profile, variant).conversation("Q?", " One.\n\nTwo.\n", "7\n", count_words)[-1]
    fields = by_fields(turn, WRAPPINGS[profile])
    assert fields["thinking"] == fields["reasoning_content"]
    assert fields["content"] == "Answer: 7\n"
    wrapping = WRAPPINGS[profile]
    again = wrapping.start + fields["thinking"] + wrapping.between + fields["content"] + wrapping.end
    assert again == turn["content"]


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"profile": "qwen"}, "profile='qwen'; s1, think, harmony are allowed"),
        ({"profile": None}, "profile=None; s1, think, harmony are allowed"),
        ({"variant": "steps"}, "variant='steps'; plain, token_conditional, step_conditional are allowed"),
        ({"variant": ["plain"]}, "variant=['plain']; plain, token_conditional, step_conditional are allowed"),
        ({"system": 7}, "system=7; a text is needed"),
    ],
)
def test_a_format_that_is_not_known_is_refused_with_what_is(values: dict[str, object], error: str) -> None:
    with pytest.raises(ConfigError) as refused:
        TextFormat(**values)  # type: ignore[arg-type]
    assert str(refused.value) == error
