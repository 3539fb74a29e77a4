"""Columns that meet in one file: nothing that a column brings is lost because another one is there too."""

import pytest

from curation.errors import RowError
from curation.layouts import resolve
from curation.rows import RowReader
from curation.sources import find_source

CONVERSATION = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "<think>a</think>b"}]
SOLVED = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "It is 4."}]


def read(raw, mapping=(), preset=None):
    row = RowReader(resolve(list(raw), mapping, preset)).read(1, raw)
    return [(trace.generator, trace.thinking, trace.attempt, trace.grade, trace.tokens) for trace in row.traces], row


@pytest.mark.parametrize(
    ("raw", "traces"),
    [
        ({"question": "q", "messages": CONVERSATION}, [("", "a", "b", None, None)]),
        ({"problem": "q", "solution": "4", "messages": SOLVED}, []),
        (
            {"question": "q", "thinking": "t", "model": "M", "correct": True, "trace_tokens": 5},
            [("M", "t", "", True, 5)],
        ),
        (
            {
                "question": "q",
                "gemini_thinking_trajectory": "t",
                "isgeminicorrect": True,
                "attempt": "A",
                "gemini_length": 7,
            },
            [("gemini", "t", "A", True, 7)],
        ),
        (
            {
                "question": "q",
                "gemini_thinking_trajectory": None,
                "gemini_attempt": "g",
                "deepseek_thinking_trajectory": None,
                "deepseek_attempt": "d",
                "response": "r",
            },
            [("gemini", "", "g", None, None), ("deepseek", "", "d", None, None)],
        ),
        ({"question": "q", "attempt": "A", "response": "<think>x"}, [("", "x", "A", None, None)]),
        (
            {"question": "q", "model": "M", "response": "<think>t</think>a", "correct": True},
            [("M", "t", "a", True, None)],
        ),
    ],
)
def test_every_column_of_a_trace_arrives(raw, traces):
    found, _ = read(raw)
    assert found == traces
    assert resolve(list(raw)).ignored == ()


def test_an_answer_of_a_named_model_is_an_attempt_also_without_a_grade():
    traces, row = read({"question": "q", "model": "M", "attempt": "a"})
    assert traces == []
    assert [(attempt.model, attempt.text, attempt.grade) for attempt in row.attempts] == [("M", "a", None)]


def test_a_column_that_the_user_maps_is_not_taken_by_the_preset_of_the_source_too():
    preset = find_source("xword")
    assert preset
    _, row = read({"input": "q", "output": "r"}, ("output=response",), preset.columns)
    assert (row.question, row.solution) == ("q", "")


def test_nan_gives_way_to_the_next_column_of_the_same_meaning():
    _, row = read({"question": float("nan"), "problem": "p"})
    assert row.question == "p"


@pytest.mark.parametrize(
    ("value", "says"),
    [(10**5_000, "more than 3,000 digits"), (float("inf"), "a finite number is allowed")],
    ids=["digits", "infinity"],
)
def test_a_number_that_is_no_text_is_a_rejected_row(value, says):
    with pytest.raises(RowError, match=says):
        read({"question": "q", "solution": value})
