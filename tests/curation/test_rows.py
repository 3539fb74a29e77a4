import json
import math
import re
from typing import Any

import pytest

from curation.errors import RowError
from curation.layouts import resolve
from curation.records import Attempt, PoolRow, Trace
from curation.rows import RowReader, split_thinking

SMALL, LARGE = "Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-32B-Instruct"


def read(raw: dict[str, Any], *mapping: str, **options: Any) -> PoolRow:
    return RowReader(resolve(list(raw), mapping), **options).read(3, raw)


# --- layouts, each as its files have it -------------------------------------------------------------------


def test_a_row_of_s1s_pool():
    row = read(
        {
            "solution": "By parity, 8.",
            "question": "How many?\n",
            "cot_type": "math",
            "source_type": "Idavidrein/gpqa",
            "metadata": '{"year": 1999}',
            "cot": "",
            "isqwen7bcorrect": False,
            "isqwen32bcorrect": True,
            "isgeminicorrect": True,
            "domain": "05",
            "gemini_length": 812,
            "thinking_trajectories": ["Let me think."],
            "attempt": "Answer: 8",
        }
    )
    assert row == PoolRow(
        line=3,
        question="How many?\n",
        source="Idavidrein/gpqa",
        solution="By parity, 8.",
        cot_type="math",
        metadata='{"year": 1999}',
        domain="05",
        small_grade=False,
        large_grade=True,
        traces=(
            Trace(
                "Let me think.",
                "Answer: 8",
                generator="gemini",
                grade=True,
                judge="isgeminicorrect",
                tokens=812,
                tokenizer="gemini_length",
            ),
        ),
    )


def test_a_row_of_s1k_1_1_has_two_traces():
    row = read(
        {
            "question": "How many?",
            "gemini_thinking_trajectory": "Hm.",
            "gemini_attempt": "7",
            "gemini_grade": "No",
            "gemini_grade_reason": "It is 8.",
            "deepseek_thinking_trajectory": "Well.",
            "deepseek_attempt": "8",
            "deepseek_grade": "Yes",
            "deepseek_grade_reason": "Equal.",
        }
    )
    assert row.traces == (
        Trace("Hm.", "7", "gemini", grade=False, judge="gemini_grade", grade_reason="It is 8."),
        Trace("Well.", "8", "deepseek", grade=True, judge="deepseek_grade", grade_reason="Equal."),
    )


def test_a_row_with_problem_and_answer():
    row = read({"problem": "How many?", "answer": 8})
    assert (row.question, row.solution, row.answer, row.traces) == ("How many?", "8", "8", ())
    row = read({"problem": "How many?", "solution": "By parity, 8.", "answer": "8"})
    assert (row.solution, row.answer) == ("By parity, 8.", "8")


def test_a_row_of_traces_by_named_models():
    row = read(
        {
            "id": "0f",
            "question": "How many?",
            "thinking_trace": "Hm.",
            "attempt": "8",
            "model": "QwQ-32B",
            "answer": "8",
            "correct": True,
        }
    )
    assert row.is_attachment
    assert row.traces == (Trace("Hm.", "8", "QwQ-32B", grade=True, judge="correct"),)
    assert row.attempts == ()


def test_a_row_of_attempts_by_ordinary_models():
    raw = {"question": "How many?", "model": SMALL, "attempt": "7", "correct": False, "correct_by": "string match"}
    row = read(raw)
    assert row.is_attachment
    assert row.attempts == (Attempt(SMALL, "7", grade=False, judge="string match"),)
    assert row.traces == ()
    assert read(raw | {"correct_by": None}).attempts[0].judge == "correct"
    assert read(raw | {"attempt": None, "correct": None}).attempts == ()
    assert read(raw | {"correct": None}).attempts[0].grade is None


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": "How many?"}, {"role": "assistant", "content": "<think>Hm.</think>8"}],
        [{"from": "human", "value": "How many?"}, {"from": "gpt", "value": "<think>\nHm.\n</think>\n\n8"}],
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "How many?"},
            {"role": "assistant", "content": "<think>Hm.</think>8"},
        ],
    ],
)
def test_a_conversation(messages):
    row = read({"messages": messages})
    assert (row.question, row.traces) == ("How many?", (Trace("Hm.", "8"),))


def test_a_conversation_without_a_reply_is_a_question():
    assert read({"messages": [{"role": "user", "content": "How many?"}]}).traces == ()


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ("hello", "messages holds a text ('hello'); a list of role and content is allowed"),
        (["hello"], "messages holds a list"),
        ({"role": "user"}, "messages holds an object"),
        (5, "messages holds a number (5)"),
        ([], "messages has 0 user and 0 assistant turns; one question with at most one reply is allowed"),
        ([{"role": "assistant", "content": "8"}], "messages has 0 user and 1 assistant turns"),
        ([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}], "messages has 2 user and 0 assistant"),
        ([{"role": "user", "content": ["a"]}], "messages holds a list"),
        ([{"role": "user", "content": None}], "question is empty; a text is needed"),
        (None, "question is missing (null); a text is needed"),
    ],
)
def test_a_conversation_that_holds_no_question_is_refused(messages, message):
    with pytest.raises(RowError, match=re.escape(message)):
        read({"messages": messages})


@pytest.mark.parametrize(
    ("reply", "thinking", "attempt"),
    [
        ("<think>a</think>b", "a", "b"),
        ("\n <think>\na\n</think>\n\nb\n", "a", "b"),
        ("<think>\n a\n\nc </think> b", " a\n\nc ", " b"),
        # unclosed: it never ended, and there is no attempt
        ("<think>a", "a", ""),
        ("<think>", "", ""),
        ("<think></think>b", "", "b"),
        # the opening tag stood in the prompt
        ("a\n</think>\nb", "a", "b"),
        # the first closing tag ends the thinking
        ("<think>a</think>b</think>c", "a", "b</think>c"),
        ("<think>a <think>b</think>c", "a <think>b", "c"),
        # no tags at all, or tags that do not open the reply
        ("b", "", "b"),
        ("", "", ""),
        ("I say <think>", "", "I say <think>"),
        # s1's delimiters
        ("<|im_start|>think\na\n<|im_start|>answer\nb", "a", "b"),
        ("<|im_start|>think\na", "a", ""),
    ],
)
def test_thinking_is_split_from_the_attempt(reply, thinking, attempt):
    assert split_thinking(reply) == (thinking, attempt)


def test_a_megabyte_of_opening_tags_costs_linear_time():
    assert split_thinking("<think>" * 150_000)[1] == ""
    assert split_thinking("<think>" + "</think" * 150_000)[1] == ""


@pytest.mark.parametrize("column", ["response", "generation", "completion", "output", "attempt"])
def test_think_tags_in_a_reply_column(column):
    assert read({"question": "q", column: "<think>a</think>b"}).traces == (Trace("a", "b"),)
    assert read({"question": "q", column: "b"}).traces == (Trace("", "b"),)
    assert read({"question": "q", column: None}).traces == ()


# --- thinking --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["a"], ["a"]),
        (["a", "b"], ["a", "b"]),
        (["", None, "b"], ["b"]),
        ("a", ["a"]),
        ('["a", "b"]', ["a", "b"]),  # a list in a CSV cell
        ("[a] is a text]", ["[a] is a text]"]),
        ("[", ["["]),
        ([], []),
        ([""], []),
        ([None], []),
        ("", []),
        (None, []),
        (math.nan, []),
        ("[]", []),
    ],
)
def test_trajectories(value, expected):
    row = read({"question": "q", "thinking_trajectories": value})
    assert [trace.thinking for trace in row.traces] == expected


def test_the_first_of_several_trajectories_has_grade_and_length():
    row = read(
        {
            "question": "q",
            "thinking_trajectories": ["a", "b"],
            "attempt": "8",
            "isgeminicorrect": True,
            "gemini_length": 5,
        }
    )
    first, second = row.traces
    assert (first.attempt, first.grade, first.tokens) == ("8", True, 5)
    assert second == Trace("b", generator="gemini")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1], "thinking_trajectories holds a list ([1]); a list of texts is allowed"),
        ([["a"]], "thinking_trajectories holds a list"),
        ({"a": 1}, "thinking_trajectories holds an object"),
        (5, "thinking_trajectories holds a number (5); a text is allowed"),
        (["a\0b"], "thinking_trajectories holds a NUL character (U+0000), which a database text cannot hold"),
        ('["a\\u0000b"]', "thinking_trajectories holds a NUL character"),
        ("[a\0]", "thinking_trajectories holds a NUL character"),
    ],
)
def test_thinking_that_is_no_text_is_refused(value, message):
    with pytest.raises(RowError, match=re.escape(message)):
        read({"question": "q", "thinking_trajectories": value})


def test_grade_and_length_alone_are_a_trace_without_thinking():
    (trace,) = read({"question": "q", "isgeminicorrect": False, "gemini_length": 0}).traces
    assert (trace.thinking, trace.grade, trace.tokens) == ("", False, 0)


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


# --- options ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "options", "source"),
    [
        ("a/b", {}, "a/b"),
        ("a/b", {"default_source": "file"}, "a/b"),
        (None, {"default_source": "file"}, "file"),
        ("a/b", {"source": "given"}, "given"),
        (None, {"source": "given", "default_source": "file"}, "given"),
        (None, {}, ""),
    ],
)
def test_the_source_is_the_users_then_the_columns_then_the_default(column, options, source):
    assert read({"question": "q", "source_type": column}, **options).source == source


def test_the_models_of_the_two_grades_may_be_named():
    raw = {"question": "q", "small_grade": True, "small_attempt": "8", "large_attempt": "7"}
    row = read(raw, small_model="tiny", large_model="huge")
    assert row.attempts == (Attempt("tiny", "8", grade=True, judge="small_grade"), Attempt("huge", "7"))


def test_a_mapped_column_is_read():
    row = read(
        {"text": "q", "subject": "Geometry", "tokens": 7, "why": "a"},
        "text=question",
        "subject=domain",
        "why=thinking",
    )
    assert (row.question, row.domain, row.traces[0].thinking) == ("q", "Geometry", "a")


def test_a_column_that_a_row_lacks_is_missing():
    reader = RowReader(resolve(["question", "solution", "domain"]))
    assert reader.read(1, {"question": "q"}) == PoolRow(1, "q")


def test_reading_does_not_change_the_row():
    raw = {"question": "q", "metadata": {"a": [1]}, "thinking_trajectories": ["a"]}
    before = json.dumps(raw)
    read(raw)
    assert json.dumps(raw) == before
