"""Single values of a row: grades, token counts, domains, texts and names, each as files have them."""

import math
import re
from typing import Any

import pytest

from curation.errors import RowError
from curation.records import PoolRow
from tests.curation.reading import read

# --- single values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "grade"),
    [
        (True, True),
        (False, False),
        (None, None),
        (1, True),
        (0, False),
        (1.0, True),
        (0.0, False),
        (math.nan, None),
        ("Yes", True),
        (" no ", False),
        ("TRUE", True),
        ("False", False),
        ("1", True),
        ("0.0", False),
        ("", None),
        ("None", None),
        ("nan", None),
        ("NULL", None),
        ("n/a", None),
    ],
)
def test_grades(value, grade):
    assert read({"question": "q", "isqwen7bcorrect": value}).small_grade is grade
    assert read({"question": "q", "isqwen32bcorrect": value}).large_grade is grade


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2, "a number (2)"),
        (-1, "a number (-1)"),
        (0.5, "a number (0.5)"),
        (math.inf, "a number (inf)"),
        ("maybe", "a text ('maybe')"),
        ([True], "a list ([True])"),
        ({"a": 1}, "an object ({'a': 1})"),
        (b"yes", "bytes (b'yes')"),
        pytest.param(10**5_000, "a number of more than 60 digits", id="huge"),
        ("x" * 1_000, "a text ('xxxx"),
    ],
)
def test_what_is_no_grade_is_refused(value, shown):
    with pytest.raises(RowError) as caught:
        read({"question": "q", "isqwen7bcorrect": value})
    assert str(caught.value).startswith(f"isqwen7bcorrect holds {shown}")
    assert str(caught.value).endswith("; true, false or nothing is allowed")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("value", "tokens"),
    [
        (0, 0),
        (812, 812),
        (812.0, 812),
        ("812", 812),
        (" 812.0 ", 812),
        (2**31 - 1, 2**31 - 1),
        (None, None),
        (math.nan, None),
        ("", None),
        ("nan", None),
    ],
)
def test_token_counts(value, tokens):
    row = read({"question": "q", "thinking_trajectories": ["a"], "gemini_length": value})
    assert row.traces[0].tokens == tokens
    # an imported count keeps its column's name as tokenizer
    assert row.traces[0].tokenizer == ("" if tokens is None else "gemini_length")


@pytest.mark.parametrize(
    "value", [-1, 2**31, 0.5, True, "many", "0.5", "-1", "inf", math.inf, [1], {"a": 1}, 10**4_000]
)
def test_what_is_no_token_count_is_refused(value):
    with pytest.raises(RowError, match=r"gemini_length holds .*; a (whole )?number of tokens( from 0)? is allowed"):
        read({"question": "q", "thinking_trajectories": ["a"], "gemini_length": value})


@pytest.mark.parametrize(
    ("value", "domain"),
    [
        (5, "05"),
        (0, "00"),
        (11, "11"),
        (11.0, "11"),
        ("05", "05"),
        (" 11 ", "11"),
        ("Number theory", "Number theory"),
        (None, ""),
        (math.nan, ""),
        ("", ""),
        ("  ", ""),
    ],
)
def test_domains_as_numbers_get_their_zero_back(value, domain):
    assert read({"question": "q", "domain": value}).domain == domain


@pytest.mark.parametrize("value", [100, -1, 5.5, True, ["11"], {"code": "11"}, math.inf, "x" * 1_001])
def test_what_is_no_domain_is_refused(value):
    with pytest.raises(RowError, match=r"^domain "):
        read({"question": "q", "domain": value})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "question is missing (null); a text is needed"),
        (math.nan, "question is missing (NaN); a text is needed"),
        ("", "question is empty; a text is needed"),
        (" \n\u2028", "question is empty; a text is needed"),
        (5, "question holds a number (5); a text is allowed"),
        (True, "question holds true or false (True); a text is allowed"),
        (["a"], "question holds a list (['a']); a text is allowed"),
        ({"a": "b"}, "question holds an object ({'a': 'b'}); a text is allowed"),
        (b"a", "question holds bytes (b'a'); a text is allowed"),
        ("a\0b", "question holds a NUL character (U+0000), which a database text cannot hold; remove it"),
    ],
)
def test_what_is_no_question_is_refused(value, message):
    with pytest.raises(RowError, match=re.escape(message)):
        read({"question": value, "solution": "8"})


@pytest.mark.parametrize("column", ["solution", "answer", "cot", "cot_type", "source_type", "attempt", "domain"])
@pytest.mark.parametrize("value", [["a"], {"a": 1}, True, b"a", "a\0"])
def test_nested_values_bytes_and_nul_are_refused_where_a_text_is_expected(column, value):
    with pytest.raises(RowError):
        read({"question": "q", column: value})


@pytest.mark.parametrize("column", ["solution", "answer", "cot", "cot_type", "source_type", "metadata", "attempt"])
def test_null_and_nan_are_no_text(column):
    assert read({"question": "q", column: math.nan}) == read({"question": "q", column: None}) == PoolRow(3, "q")


@pytest.mark.parametrize(("value", "text"), [(8, "8"), (-0.5, "-0.5"), (0, "0"), ("8", "8")])
def test_solutions_and_answers_may_be_numbers(value, text):
    assert read({"question": "q", "answer": value}).answer == text
    assert read({"question": "q", "solution": value}).solution == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('{"b":1, "a": 2}', '{"b":1, "a": 2}'),  # a text stays what it is
        ({"b": 1, "a": "é"}, '{"a": "é", "b": 1}'),
        ([1, None], "[1, null]"),
        (5, "5"),
        (None, ""),
    ],
)
def test_metadata_is_kept_as_text(value, text):
    assert read({"question": "q", "metadata": value}).metadata == text


@pytest.mark.parametrize("column", ["cot_type", "source_type"])
def test_names_have_a_length(column):
    assert read({"question": "q", column: "x" * 500})
    with pytest.raises(RowError, match=r" has 501 characters; at most 500 are allowed"):
        read({"question": "q", column: "x" * 501})


def test_texts_have_a_length():
    with pytest.raises(RowError, match="question has 67,108,865 characters; at most 67,108,864 are allowed"):
        read({"question": "x" * (64 * 2**20 + 1)})


def test_half_a_surrogate_pair_is_refused_where_a_name_is_expected():
    with pytest.raises(RowError, match="half a surrogate pair"):
        read({"question": "q", "source_type": "\ud800"})


def test_texts_keep_their_white_space_and_line_ends():
    text = "  a\r\nb\u2028c\t\n\n"
    row = read({"question": text, "solution": text, "thinking_trajectories": [text], "attempt": text})
    assert (row.question, row.solution) == (text, text)
    assert (row.traces[0].thinking, row.traces[0].attempt) == (text, text)


def test_a_deeply_nested_value_is_shown_in_one_line():
    value: Any = "x"
    for _ in range(5_000):
        value = [value]
    for column in ("question", "solution", "thinking_trajectories", "domain", "isqwen7bcorrect", "gemini_length"):
        with pytest.raises(RowError) as caught:
            read({"question": "q", "attempt": "8"} | {column: value})
        assert len(str(caught.value)) < 200
    with pytest.raises(RowError, match="metadata cannot be written as JSON"):
        read({"question": "q", "metadata": value})
