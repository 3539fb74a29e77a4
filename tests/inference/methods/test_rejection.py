"""Rejection sampling: which trace is taken, and what the rejected ones cost."""

import pytest

from tests.inference.models import make_tokenizer
from tests.inference.settings import CONTEXT, SHORT, ids_of, make_setting, make_trial, one_outcome, trace

LONG = trace(" so the sum is so the sum", "never")
FITS = trace(" so the sum", "never")
ANSWER = (*ids_of("\nAnswer: 42"), *ids_of("<|im_end|>"))


def method(**options):
    return {"name": "rejection_sampling", "max_thinking_tokens": 3} | SHORT | options


def shape(outcome):
    return [(paid.part, len(paid.sample.ids)) for paid in outcome.samples]


@pytest.mark.parametrize("num_rejected", [0, 1, 3])
def test_traces_are_drawn_until_one_fits_and_that_one_is_answered(num_rejected):
    outcome = one_outcome(method(), [*[LONG] * num_rejected, FITS, ANSWER])
    assert outcome.final.extraction.answer == "42"
    assert outcome.final.samples == (num_rejected, num_rejected + 1)
    assert outcome.notes == {"attempts": num_rejected + 1, "fits": True, "max_thinking_tokens": 3}
    # a rejected trace is stopped by the token that shows that it does not fit, and is not answered
    assert shape(outcome) == [("thinking", 4)] * num_rejected + [("thinking", 3), ("answer", 7)]
    assert outcome.account.thinking_tokens == 4 * num_rejected + 3
    assert outcome.account.sampled_tokens == 4 * num_rejected + 4 + 8


def test_the_answer_goes_on_from_the_trace_as_if_it_had_been_one_generation():
    outcome = one_outcome(method(), [FITS, ANSWER])
    last = outcome.samples[-1]
    whole = one_outcome({"name": "none"}, [trace(" so the sum", "\nAnswer: 42")])
    behind = last.request.prompt_ids + last.sample.ids
    assert behind == whole.samples[0].request.prompt_ids + whole.samples[0].sample.ids
    assert outcome.final.text == whole.final.text
    assert last.parent == 0


@pytest.mark.parametrize(("cap", "fits"), [(3, True), (2, False)])
def test_a_trace_of_just_the_cap_fits(cap, fits):
    outcome = one_outcome(method(max_thinking_tokens=cap, max_attempts=1), [FITS, ANSWER])
    assert outcome.notes["fits"] is fits


def test_an_empty_trace_fits_a_cap_of_0():
    outcome = one_outcome(method(max_thinking_tokens=0, max_attempts=2), [LONG, trace("", ""), ANSWER])
    assert shape(outcome) == [("thinking", 1), ("thinking", 0), ("answer", 7)]
    assert outcome.notes["fits"]


def test_where_no_trace_fits_there_is_no_answer_and_all_of_them_are_paid():
    outcome = one_outcome(method(max_attempts=3), [LONG] * 4)
    assert (outcome.candidates, outcome.final, outcome.error) == ((), None, None)
    assert outcome.notes == {"attempts": 3, "fits": False, "max_thinking_tokens": 3}
    assert (outcome.account.requests, outcome.account.thinking_tokens) == (3, 12)


def test_or_the_last_trace_is_cut_and_answered_by_force():
    outcome = one_outcome(
        method(max_attempts=2, at_limit="cut"), [LONG, LONG, (*ids_of(" 42"), *ids_of("<|im_end|>"))]
    )
    assert outcome.final.text == "\nFinal Answer: 42"
    assert outcome.final.extraction.answer == "42"
    asked = make_tokenizer().decode(outcome.samples[-1].request.prompt_ids)
    assert asked == "Q: 12 + 30\n<|im_start|>think so the sum\n<|im_start|>answer\nFinal Answer:"


def test_a_cut_behind_a_newline_puts_none_in():
    newline = trace(" so the\n is so the sum", "never")
    outcome = one_outcome(method(max_attempts=1, at_limit="cut"), [newline, ANSWER])
    asked = make_tokenizer().decode(outcome.samples[-1].request.prompt_ids)
    assert asked.endswith("<|im_start|>think so the\n<|im_start|>answer\nFinal Answer:")


def test_traces_are_drawn_at_a_temperature_with_seeds_of_their_own():
    outcome = one_outcome(method(temperature=0.7), [LONG, LONG, FITS, ANSWER])
    assert {paid.request.sampling.temperature for paid in outcome.samples} == {0.7}
    assert len({paid.request.sampling.seed for paid in outcome.samples}) == 4


def test_a_trace_beyond_the_cap_does_not_fit_though_there_is_room_for_a_longer_end():
    setting = make_setting(profile="think", eos_ids=ids_of("<|im_end|>"))
    drawn = [(*ids_of(" so the sum is"), *ids_of("<|im_end|>"))]
    outcome = one_outcome(method(max_attempts=1), drawn, setting=setting)
    assert (outcome.notes["fits"], outcome.samples[0].sample.finish_reason) == (False, "stop")


def test_an_end_of_several_ids_counts_as_no_thinking():
    setting = make_setting(profile="think", eos_ids=ids_of("<|im_end|>"))
    end = ids_of("</think>")
    assert len(end) > 1
    drawn = [(*ids_of(" so the sum"), *end), (*ids_of("Answer: 42"), *ids_of("<|im_end|>"))]
    outcome = one_outcome(method(), drawn, setting=setting)
    assert outcome.notes["fits"]
    assert outcome.account.thinking_tokens == 3
    assert outcome.final.extraction.answer == "42"


def test_no_trace_begins_to_think_again_in_its_answer():
    again = (*ids_of("<|im_start|>think 42"), *ids_of("<|im_end|>"))
    outcome = one_outcome(method(), [FITS, again])
    assert outcome.account.thinking_tokens == 3
    assert "reopened_thinking" not in [event.kind for event in outcome.samples[1].sample.events]


def test_a_context_without_room_for_the_cap_lowers_it():
    text = "a" * (CONTEXT - 60)
    trial = make_trial(text=text)
    outcome = one_outcome(method(max_thinking_tokens=400), [FITS, ANSWER], trial=trial)
    room = outcome.notes["max_thinking_tokens"]
    plan = outcome.samples[0].request.plan
    assert room == CONTEXT - len(outcome.prompt.ids) - plan.closing_tokens - SHORT["answer_reserve"]
    assert 0 < room < 400
