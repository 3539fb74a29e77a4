"""Thinking and answer of a generation as text."""

import pytest

from inference.texts import answer_text, thinking_text
from tests.inference.models import make_tokenizer
from tests.inference.settings import SHORT, ids_of, one_outcome, trace


def texts_of(ids, **options):
    outcome = one_outcome({"name": "budget_forcing", "forcing": SHORT | options}, [ids])
    (paid,) = outcome.samples
    sample, delimiters = paid.sample, paid.request.plan.delimiters
    starts = paid.request.plan.options.starts_thinking
    return (
        thinking_text(sample.ids, sample.events, make_tokenizer(), starts_thinking=starts),
        answer_text(sample.ids, sample.events, delimiters, make_tokenizer()),
    )


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        pytest.param({}, (" so the", "\n42"), id="its own end"),
        pytest.param({"num_ignore": 1}, (" so theWait\n42", ""), id="a Wait"),
        pytest.param({"max_thinking_tokens": 1}, (" so", "\nFinal Answer: the<|im_start|>\n42"), id="a forced end"),
        pytest.param(
            {"max_thinking_tokens": 1, "forced_answer": " So"}, (" so", " So the<|im_start|>\n42"), id="own"
        ),
        pytest.param({"starts_thinking": False}, ("", " so the<|im_start|>\n42"), id="no thinking"),
    ],
)
def test_thinking_and_answer_are_told_apart_by_events(options, texts):
    assert texts_of(trace(" so the", "\n42"), **options) == texts


def test_an_answer_stands_behind_the_last_block_of_thinking():
    first = trace("so", "a<|im_start|>think")[:-1]
    ids = (*first, *ids_of(" the"), *ids_of("<|im_start|>"), *ids_of("b"), *ids_of("<|im_end|>"))
    assert texts_of(ids) == ("so the", "b")
