import json
import math
import re

import pytest

from curation.errors import RowError
from curation.layouts import resolve
from curation.records import Attempt, PoolRow, Trace
from curation.rows import RowReader, split_thinking
from tests.curation.reading import read

SMALL, LARGE = "Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-32B-Instruct"


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
