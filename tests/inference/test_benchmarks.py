"""Rows of a benchmark's file as problems."""

from typing import Any

import pytest

from curation.errors import RowError
from curation.hashing import question_hash
from inference.benchmarks import MAX_KEY, Problem, read_problem


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({"id": "a", "problem": "Why?", "answer": "7"}, Problem("a", "Why?", "7")),
        ({"id": 60, "problem": "Why?", "answer": 33}, Problem("60", "Why?", "33")),
        ({"id": 0, "problem": "Why?", "answer": 0}, Problem("0", "Why?", "0")),
        ({"id": "a", "question": "Why?", "answer": 0.5}, Problem("a", "Why?", "0.5")),
        ({"problem": "Why?", "answer": "7"}, Problem(question_hash("Why?"), "Why?", "7")),
        ({"id": None, "problem": "Why?", "answer": "7"}, Problem(question_hash("Why?"), "Why?", "7")),
        ({"id": "a", "problem": "This?", "question": "That?", "answer": "7"}, Problem("a", "This?", "7")),
        (
            {"id": "a", "problem": "Which?", "answer": "B", "choices": ["one", "two"]},
            Problem("a", "Which?", "B", ("one", "two")),
        ),
        ({"id": "a", "problem": "Which?", "answer": "B", "choices": None}, Problem("a", "Which?", "B")),
        ({"id": "a", "problem": " Why?\n", "answer": " 7"}, Problem("a", " Why?\n", " 7")),
        ({"id": "x" * MAX_KEY, "problem": "Why?", "answer": ""}, Problem("x" * MAX_KEY, "Why?", "")),
    ],
)
def test_a_row_is_read_as_it_stands(raw: dict[str, Any], problem: Problem) -> None:
    assert read_problem(raw) == problem


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"problem": None}, "problem holds None; a text is needed"),
        ({"problem": "\n\t "}, r"problem holds '\\n\\t '; a text is needed"),
        ({"problem": 7}, "problem holds 7; a text is needed"),
        ({"answer": None}, "answer holds None; a text or a number is needed"),
        ({"answer": False}, "answer holds False; a text or a number is needed"),
        ({"answer": {"value": 7}}, "answer holds {'value': 7}; a text or a number is needed"),
        ({"id": True}, "id holds True; a text or a number is allowed"),
        ({"id": 1.5}, "id holds 1.5; a text or a number is allowed"),
        ({"id": ""}, "id holds ''; a text or a number is allowed"),
        ({"id": "x" * (MAX_KEY + 1)}, "id has 201 characters; at most 200 are allowed"),
        ({"choices": {"A": "one"}}, "choices holds .*; a list of texts is allowed"),
        ({"choices": ["one", None]}, "a list of texts is allowed"),
        ({"answer": "\0"}, "a text holds a NUL character"),
        ({"id": "\0"}, "a text holds a NUL character"),
        ({"problem": "\udc00"}, "a text holds half a surrogate pair"),
        ({"choices": ["\udc00"]}, "a text holds half a surrogate pair"),
    ],
)
def test_a_row_that_is_no_problem_says_why(change: dict[str, Any], said: str) -> None:
    with pytest.raises(RowError, match=said):
        read_problem({"id": "a", "problem": "Why?", "answer": "7"} | change)
