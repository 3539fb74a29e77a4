"""Methods that ask once: what they ask, force and pay for."""

import pytest

from inference.forcing_events import SuppressedEnd
from tests.inference.models import make_tokenizer
from tests.inference.settings import SHORT, ids_of, make_setting, make_trial, one_outcome, trace

TRACE = trace(" so the sum is", "\nAnswer: 42")


def text_of(outcome):
    (paid,) = outcome.samples
    return make_tokenizer().decode(paid.sample.ids)


@pytest.mark.parametrize(
    ("method", "text", "answer"),
    [
        pytest.param({"name": "none"}, " so the sum is<|im_start|>answer\nAnswer: 42", "42", id="none"),
        pytest.param(
            {"name": "none", "starts_thinking": False},
            " so the sum is<|im_start|>\nAnswer: 42",
            "42",
            id="no thinking",
        ),
        pytest.param(
            {"name": "none", "max_answer_tokens": 5},
            " so the sum is<|im_start|>answer\nAnswer: ",
            None,
            id="answer cut",
        ),
        pytest.param(
            {"name": "budget_forcing"}, " so the sum is<|im_start|>answer\nAnswer: 42", "42", id="forcing nothing"
        ),
        pytest.param(
            {"name": "budget_forcing", "forcing": {"max_thinking_tokens": 2}},
            " so the\n<|im_start|>answer\nFinal Answer: sum is<|im_start|>\nAnswer: 42",
            "42",
            id="cap",
        ),
        pytest.param(
            {"name": "token_conditional", "num_tokens": 2},
            " so the sum is<|im_start|>answer\nAnswer: 42",
            "42",
            id="tokens without forcing",
        ),
        pytest.param(
            {"name": "token_conditional", "num_tokens": 2, "forcing": {}},
            " so the\n<|im_start|>answer\nFinal Answer: sum is<|im_start|>\nAnswer: 42",
            "42",
            id="tokens with forcing",
        ),
        pytest.param(
            {"name": "token_conditional", "num_tokens": 2, "forcing": {"max_thinking_tokens": 3}},
            " so the sum\n<|im_start|>answer\nFinal Answer: is<|im_start|>\nAnswer: 42",
            "42",
            id="tokens with another cap",
        ),
        pytest.param(
            {"name": "class_conditional", "length": "long"},
            " so the sum is<|im_start|>answer\nAnswer: 42",
            "42",
            id="class without forcing",
        ),
        pytest.param(
            {"name": "class_conditional", "length": "short", "forcing": {"max_thinking_tokens": 1}},
            " so\n<|im_start|>answer\nFinal Answer: the sum is<|im_start|>\nAnswer: 42",
            "42",
            id="class with forcing",
        ),
    ],
)
def test_one_sample_is_paid_and_answered(method, text, answer):
    outcome = one_outcome(method, [TRACE])
    assert text_of(outcome) == text
    assert (outcome.chosen, len(outcome.candidates), outcome.account.requests) == (0, 1, 1)
    assert outcome.final.extraction.answer == answer
    assert outcome.final.samples == (0,)


@pytest.mark.parametrize(
    ("method", "end"),
    [
        ({"name": "none"}, "12 + 30\n"),
        ({"name": "token_conditional", "num_tokens": 2048}, "12 + 30\n\nThink for up to 2048 tokens.\n"),
        ({"name": "step_conditional", "num_steps": 64}, "12 + 30\n\nThink for up to 64 steps.\n"),
        (
            {"name": "class_conditional", "length": "short"},
            "\n\nAnswer after a short amount of thinking. Do not spend excessive time double-checking your work.\n",
        ),
        ({"name": "class_conditional", "length": "long"}, "you have the correct answer.\n"),
    ],
)
def test_the_instruction_stands_in_the_prompt_and_thinking_begins(method, end):
    outcome = one_outcome(method, [TRACE])
    assert outcome.prompt.text.startswith("Q: 12 + 30\n")
    assert outcome.prompt.text.endswith(end)
    assert outcome.samples[0].request.prompt_ids == outcome.prompt.ids
    assert outcome.prompt.ids == ids_of(outcome.prompt.text) + ids_of("<|im_start|>think")


def test_a_model_that_is_to_answer_at_once_is_not_asked_to_think():
    outcome = one_outcome({"name": "none", "starts_thinking": False}, [TRACE])
    assert outcome.prompt.ids == ids_of(outcome.prompt.text)
    assert outcome.account.thinking_tokens == 0


COUNTED = (
    *ids_of("<|im_start|>1 steps left so"),
    *ids_of("<|im_start|>0 steps left"),
    *ids_of(" the sum"),
    *ids_of("<|im_start|>answer"),
    *ids_of("\nAnswer: 42"),
    *ids_of("<|im_end|>"),
)


def test_a_count_down_is_thought_and_only_the_answer_ends_it():
    outcome = one_outcome({"name": "step_conditional", "num_steps": 2}, [COUNTED])
    thought = "<|im_start|>1 steps left so<|im_start|>0 steps left the sum"
    assert text_of(outcome) == thought + "<|im_start|>answer\nAnswer: 42"
    assert outcome.account.thinking_tokens == len(ids_of(thought))


def test_with_forcing_thinking_ends_at_0_steps():
    outcome = one_outcome({"name": "step_conditional", "num_steps": 2, "forcing": SHORT}, [COUNTED])
    assert text_of(outcome).startswith("<|im_start|>1 steps left so<|im_start|>answer the sum")
    assert outcome.account.thinking_tokens == len(ids_of("<|im_start|>1 steps left so"))
    assert outcome.samples[0].sample.events[0].dropped == ids_of("<|im_start|>0 steps left")


def test_10_steps_left_are_not_0():
    ten = (*ids_of("<|im_start|>10 steps left so"), *ids_of("<|im_start|>answer"), *ids_of("42"))
    outcome = one_outcome({"name": "step_conditional", "num_steps": 16, "forcing": SHORT}, [ten])
    assert text_of(outcome) == "<|im_start|>10 steps left so<|im_start|>answer42"


def test_steps_with_forcing_also_keep_a_cap():
    method = {"name": "step_conditional", "num_steps": 2, "forcing": SHORT | {"max_thinking_tokens": 3}}
    assert one_outcome(method, [COUNTED]).account.thinking_tokens == 3


def test_waits_come_with_any_instruction():
    forcing = SHORT | {"num_ignore": 1, "max_thinking_tokens": 100}
    outcome = one_outcome({"name": "token_conditional", "num_tokens": 64, "forcing": forcing}, [TRACE])
    assert sum(isinstance(event, SuppressedEnd) for event in outcome.samples[0].sample.events) == 1


def test_choices_are_asked_by_letter():
    trial = make_trial(choices=("1 eV", "2 eV"), answer="B")
    outcome = one_outcome({"name": "none"}, [trace(" so", "Answer: B")], trial=trial)
    assert outcome.prompt.text == "Q: 12 + 30\n\nA) 1 eV\nB) 2 eV\n"
    assert outcome.final.extraction.answer == "B"


def test_a_bare_answer_counts_where_the_run_says_so():
    assert one_outcome({"name": "none"}, [trace(" so", "42")]).final.extraction.answer is None
    allowed = one_outcome({"name": "none"}, [trace(" so", "42")], setting=make_setting(allow_bare=True))
    assert allowed.final.extraction.answer == "42"
