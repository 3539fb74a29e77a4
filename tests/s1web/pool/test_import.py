"""What rows become in the pool: layouts, presets, and rows that cannot be read beside rows that can."""

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import InputError
from curation.sources import SOURCES
from s1web.pool.loading import LoadOptions, LoadResult, load_pool
from s1web.pool.models import Attempt, Grade, Question, Source, Trace, TraceLength
from s1web.pool.queries import count_sources
from tests.s1web.pools import find, load_rows

from .files import cut, json_lines, make_rows, write_csv, write_gz, write_jsonl, write_parquet

pytestmark = pytest.mark.django_db


def load(path: Path, *mapping: str, source: str = "") -> LoadResult:
    return load_pool([str(path)], LoadOptions(source=source, mapping=mapping))


def reasons(result: LoadResult) -> dict[int, str]:
    """Line -> reason of the rejected rows."""
    if result.rejected_file is None:
        return {}
    with Path(result.rejected_file).open(encoding="utf-8") as file:
        return {row["line"]: row["reason"] for row in map(json.loads, file)}


def trace_of(text: str) -> Trace:
    trace = find(text).trace
    assert trace is not None
    return trace


# --- rows that cannot be read ------------------------------------------------------------------------------------

BAD_ROWS: list[tuple[str, str]] = [
    ('{"question": NaN}', "question is missing (NaN)"),
    ('{"question": null}', "question is missing (null)"),
    ('{"solution": "no question"}', "question is missing (null)"),
    ('{"question": " \\n"}', "question is empty"),
    ('{"question": 17}', "question holds a number (17); a text is allowed"),
    ('{"question": {"text": "nested"}}', "question holds an object"),
    ('{"question": ["nested"]}', "question holds a list (['nested'])"),
    ('{"question": "q", "solution": {"steps": [1]}}', "solution holds an object"),
    ('{"question": "q", "solution": true}', "solution holds true or false (True)"),
    ('{"question": "q", "source_type": 3}', "source holds a number (3)"),
    ('{"question": "q", "source_type": "%s"}' % ("s" * 501), "source has 501 characters; at most 500 are allowed"),
    ('{"question": "q", "domain": "%s"}' % ("d" * 1001), "domain has 1,001 characters; at most 1,000 are allowed"),
    ('{"question": "q", "isqwen7bcorrect": 0.5}', "holds a number (0.5); true, false or nothing is allowed"),
    ('{"question": "q", "isqwen7bcorrect": "maybe"}', "holds a text ('maybe'); true, false or nothing is allowed"),
    ('{"question": "q", "isgeminicorrect": [true]}', "holds a list ([True]); true, false or nothing is allowed"),
    ('{"question": "q", "gemini_length": -1}', "a whole number of tokens from 0 is allowed"),
    ('{"question": "q", "gemini_length": 1e999}', "a whole number of tokens from 0 is allowed"),
    ('{"question": "q", "thinking_trajectories": [["t"]]}', "a list of texts is allowed"),
    ('{"question": "q\\u0000"}', "question holds a NUL character"),
    ('{"question": "\\ud835"}', "half a surrogate pair"),
    ('{"question": "q", "attempt": "\\udc00"}', "half a surrogate pair"),
    ('{"question": "q", "source_type": "\\ud800"}', "source holds half a surrogate pair"),
    ('{"question": "q", "domain": "\\ud800"}', "domain holds half a surrogate pair"),
    ('{"question": ' + "[" * 900 + "]" * 900 + "}", "question holds a list"),
    ("[]", "a JSON list is not a row"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_ROWS, ids=range(len(BAD_ROWS)))
def test_a_row_that_cannot_be_read_is_listed_with_line_and_reason_and_its_neighbours_are_loaded(
    line, reason, tmp_path
):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"question": "first"}\n' + line.encode() + b'\n{"question": "last"}\n')
    result = load(path)
    assert (result.read, result.new, result.rejected) == (3, 2, 1)
    ((number, said),) = reasons(result).items()
    assert number == 2
    assert reason in said
    assert {question.text for question in Question.objects.all()} == {"first", "last"}


@pytest.mark.parametrize("column", ["question", "metadata", "thinking_trajectories", "isqwen7bcorrect", "domain"])
def test_a_value_may_be_nested_as_deeply_as_json_goes(column, tmp_path):
    # about as deep as Python reads, where showing what was read can be too deep in its turn
    depths = range(850, 1050)
    lines = [f'{{"question": "q", "{column}": {"[" * depth + "]" * depth}}}' for depth in depths]
    (tmp_path / "a.jsonl").write_text('{"question": "first"}\n' + "\n".join(lines))
    result = load(tmp_path / "a.jsonl")
    assert result.read == 1 + len(depths)
    assert "the JSON is nested too deeply" in reasons(result).values()
    if column != "metadata":
        assert result.rejected == len(depths)


def test_half_a_surrogate_pair_in_a_judge_is_a_rejected_row(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = b'{"question": "q", "model": "m", "thinking": "t", "correct": true, "correct_by": "\\ud800"}\n'
    path.write_bytes(rows + rows.replace(b"\\ud800", b"me"))
    assert list(reasons(load(path)).values()) == [
        "judge holds half a surrogate pair, which no UTF-8 text can hold; repair the text"
    ]


def test_values_of_parquet_that_are_no_text_are_rejected_rows(tmp_path):
    for name, column in {
        "bytes": pa.array([b"q", None]),
        "struct": pa.array([{"text": "q"}, None]),
        "nan": pa.array([float("nan"), None]),
    }.items():
        pq.write_table(pa.table({"question": column}), tmp_path / f"{name}.parquet")
        result = load(tmp_path / f"{name}.parquet")
        assert (result.read, result.rejected) == (2, 2), name
    assert not Question.objects.exists()


def test_missing_values_are_missing_and_not_the_text_nan(tmp_path):
    rows = [
        '{"question": "q", "solution": NaN, "answer": NaN, "domain": NaN, "isqwen7bcorrect": NaN}',
        '{"question": "r", "solution": null, "isqwen7bcorrect": "nan", "attempt": null, "gemini_length": ""}',
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(rows))
    assert load(tmp_path / "a.jsonl").new == 2
    for question in Question.objects.all():
        assert (question.solution, question.answer, question.domain) == ("", "", "")
        assert question.small_grade is None
        assert question.trace is None


def test_numbers_are_answers_as_they_are_written(tmp_path):
    rows = [{"question": "q", "answer": 42}, {"question": "r", "answer": 0.5}, {"question": "s", "solution": 7}]
    load_rows(tmp_path, rows)
    assert [find(text).answer for text in "qrs"] == ["42", "0.5", ""]
    assert [find(text).solution for text in "qrs"] == ["42", "0.5", "7"]


# --- layouts -----------------------------------------------------------------------------------------------------


def test_s1k_columns_load_without_mapping(tmp_path):
    (row,) = make_rows(1)
    load_rows(tmp_path, [row | {"isqwen7bcorrect": False, "isqwen32bcorrect": True, "isgeminicorrect": False}])
    question = find(row["question"])
    assert (question.solution, question.cot_type, question.domain) == (row["solution"], "math", row["domain"])
    assert question.source.name == row["source_type"]
    assert (question.small_grade, question.large_grade, question.trace_grade) == (False, True, False)
    trace = trace_of(row["question"])
    assert (trace.generator, trace.thinking, trace.attempt, trace.grade) == (
        "gemini",
        row["thinking_trajectories"][0],
        row["attempt"],
        False,
    )
    length = TraceLength.objects.get(trace=trace)
    assert (length.tokenizer.name, length.tokens) == ("gemini_length", row["gemini_length"])


def test_s1k_1_1_columns_give_one_trace_a_generator(tmp_path):
    row: dict[str, Any] = {"question": "q", "solution": "7", "source_type": "s", "cot_type": "math", "metadata": "{}"}
    for name, grade in (("gemini", "No"), ("deepseek", "Yes")):
        row |= {
            f"{name}_thinking_trajectory": f"{name} thinks",
            f"{name}_attempt": f"{name} says",
            f"{name}_grade": grade,
            f"{name}_grade_reason": f"{name} because",
        }
    load_rows(tmp_path, [row])
    traces = {trace.generator: trace for trace in Trace.objects.all()}
    assert {name: (trace.thinking, trace.attempt, trace.grade) for name, trace in traces.items()} == {
        "gemini": ("gemini thinks", "gemini says", False),
        "deepseek": ("deepseek thinks", "deepseek says", True),
    }
    assert set(Grade.objects.values_list("model", "judge", "raw_reply", "value")) == {
        ("gemini", "gemini_grade", "gemini because", False),
        ("deepseek", "deepseek_grade", "deepseek because", True),
    }


@pytest.mark.parametrize(
    "row",
    [
        {"problem": "q", "answer": "7", "response": "<think>\nhm\n</think>\n\nseven"},
        {"problem": "q", "answer": "7", "thinking": "hm", "attempt": "seven"},
        {"question": "q", "answer": "7", "attempt": "<think>hm</think>seven"},
        {"question": "q", "answer": "7", "generation": "<|im_start|>think\nhm\n<|im_start|>answer\nseven"},
        {"question": "q", "answer": "7", "thinking_trajectories": ["hm"], "attempt": "seven"},
        {
            "answer": "7",
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": "q"},
                {"role": "assistant", "content": "<think>hm</think>seven"},
            ],
        },
        {
            "answer": "7",
            "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "<think>hm</think>seven"}],
        },
    ],
)
@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_common_layouts_give_question_answer_thinking_and_attempt(row, kind, tmp_path):
    write = {"jsonl": write_jsonl, "csv": write_csv, "parquet": write_parquet}[kind]
    assert load(write(tmp_path / f"a.{kind}", [row])).new == 1
    question = find("q")
    assert (question.solution, question.answer, question.source.name) == ("7", "7", "a")
    trace = trace_of("q")
    assert (trace.thinking, trace.attempt, trace.has_thinking) == ("hm", "seven", True)


def test_a_row_is_read_by_the_next_column_of_the_same_meaning_where_one_is_null(tmp_path):
    rows = [{"problem": f"p{n}", "gold": "1"} for n in range(3)] + [
        {"question": f"q{n}", "answer": 2} for n in range(3)
    ]
    result = load_rows(tmp_path, rows)
    assert (result.new, result.rejected) == (6, 0)
    assert (find("p0").answer, find("q2").answer) == ("1", "2")


def test_rows_of_later_batches_may_have_other_columns(tmp_path, settings):
    settings.POOL_BATCH_ROWS = 10
    rows = [{"problem": f"p{n}"} for n in range(25)] + [{"question": f"q{n}", "thinking": "hm"} for n in range(25)]
    result = load_rows(tmp_path, rows)
    assert (result.new, result.rejected) == (50, 0)
    assert (find("p0").trace, trace_of("q24").thinking) == (None, "hm")


def test_columns_that_no_field_takes_are_named_once(tmp_path):
    row = {"question": "q", "note": 1, "\ud800": 2, "x" * 900: 3}
    result = load(write_jsonl(tmp_path / "a.jsonl", [row, {"question": "r", "note": 1}]))
    assert result.ignored_columns == ["note", "?", "x" * 500]


def test_attempts_of_the_two_models_become_the_two_grades(tmp_path):
    rows = [
        {"question": "q", "model": f"Qwen/{name}", "attempt": "seven", "correct": grade}
        for name, grade in (("Qwen2.5-7B-Instruct", False), ("Qwen2.5-32B-Instruct", True), ("other", True))
    ]
    load_rows(tmp_path, rows)
    assert (find("q").small_grade, find("q").large_grade) == (False, True)
    assert Attempt.objects.count() == 3


# --- sources -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", SOURCES, ids=lambda preset: preset.name)
def test_each_of_s1s_sources_is_known_and_its_expected_rows_stand_beside_the_found_ones(preset, tmp_path):
    load_rows(tmp_path, [{"question": "q", "source_type": f"{preset.hub_id or preset.name}/part"}])
    source = Source.objects.get()
    assert (source.preset, source.hub_id, source.licence) == (preset.name, preset.hub_id, preset.licence)
    shown = next(item for item in count_sources() if item["source"] == preset.name)
    assert (shown["rows"], shown["expected_rows"]) == (1, preset.expected_rows)


@pytest.mark.parametrize("preset", [preset for preset in SOURCES if preset.columns], ids=lambda preset: preset.name)
def test_a_source_named_by_the_user_is_read_by_its_own_columns(preset, tmp_path):
    row = {"question": "q"} | {column: f"the {field}" for column, field in preset.columns.items()}
    if "question" in preset.columns.values():
        del row["question"]
    load_rows(tmp_path, [row], source=preset.name)
    question = Question.objects.get()
    for field in preset.columns.values():
        assert getattr(question, {"question": "text"}.get(field, field)) == f"the {field}"
    assert question.source.name == preset.name


def test_a_file_whose_name_is_not_utf8_loads(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jsonl"))
    path.write_bytes(json_lines([{"question": "q"}]))
    assert load(path).new == 1
    assert find("q").source.name == "caf?"


# --- taking back -------------------------------------------------------------------------------------------------


def test_keys_of_questions_that_were_taken_back_are_not_given_out_again(tmp_path, settings):
    settings.POOL_BATCH_ROWS = 10
    load_rows(tmp_path, [{"question": "q"}])
    broken = cut(write_gz(tmp_path / "b.jsonl.gz", json_lines(make_rows(400, 1200))), 0.7)
    with pytest.raises(InputError, match="cut off"):
        load(broken)
    load_rows(tmp_path, [{"question": "r"}], name="next")
    # benchmarks remember up to which key they looked, so an old key would never be compared
    assert find("r").pk > find("q").pk + 10
    assert Question.objects.count() == 2


def test_a_question_gets_back_the_trace_that_it_had(tmp_path, settings):
    settings.POOL_BATCH_ROWS = 10
    load_rows(tmp_path, [{"question": "q", "attempt": "seven", "trace_grade": True}])
    had = trace_of("q")
    rows = [{"question": "q", "attempt": "eight", "thinking": "hm", "trace_grade": False}, *make_rows(400, 1200)]
    with pytest.raises(InputError, match="cut off"):
        load(cut(write_gz(tmp_path / "b.jsonl.gz", json_lines(rows)), 0.7))
    assert (trace_of("q"), find("q").trace_grade) == (had, True)
    load_rows(tmp_path, rows, name="whole")
    assert (trace_of("q").attempt, find("q").trace_grade) == ("eight", False)
