import re

import pytest

from curation.errors import ConfigError, InputError
from curation.layouts import FIELDS, TraceColumns, parse_mapping, resolve
from curation.sources import SOURCES

S1K = ["solution", "question", "cot_type", "source_type", "metadata", "cot", "thinking_trajectories", "attempt"]
FULL_59K = (
    "solution question cot_type source_type metadata cot isqwen7bcorrect isqwen32bcorrect isgeminicorrect domain"
)
FULL_59K = [*FULL_59K.split(), "gemini_length", "thinking_trajectories", "attempt"]
S1K_1_1 = ["solution", "question", "cot_type", "source_type", "metadata"] + [
    f"{model}_{part}"
    for model in ("gemini", "deepseek")
    for part in ("thinking_trajectory", "attempt", "grade", "grade_reason")
]
TRACES = ["id", "source", "question", "thinking_trace", "attempt", "model", "answer", "correct", "metadata"]
ATTEMPTS = ["id", "source", "question", "model", "attempt", "pred", "answer", "correct", "correct_by"]


@pytest.mark.parametrize("names", [S1K, FULL_59K, S1K[::-1]])
def test_s1s_own_columns_need_no_mapping(names):
    layout = resolve(names)
    expected = {"source": "source_type", "thinking": "thinking_trajectories", "question": "question", "cot": "cot"}
    assert expected.items() <= dict(layout.columns).items()
    assert layout.ignored == ()
    assert not layout.is_attachment


def test_s1s_pool_has_one_trace_a_row_with_its_grade_and_length():
    layout = resolve(FULL_59K)
    assert layout.traces == (
        TraceColumns(
            thinking="thinking_trajectories",
            attempt="attempt",
            trace_grade="isgeminicorrect",
            trace_tokens="gemini_length",
        ),
    )
    assert layout.generator == "gemini"
    assert layout.columns["small_grade"] == "isqwen7bcorrect"
    assert layout.columns["large_grade"] == "isqwen32bcorrect"
    # nothing in the published s1K says whose trace it is
    assert resolve(S1K).generator == ""


def test_s1k_1_1_has_a_trace_of_each_generator_in_the_files_order():
    def columns(model):
        return TraceColumns(
            generator=model,
            thinking=f"{model}_thinking_trajectory",
            attempt=f"{model}_attempt",
            trace_grade=f"{model}_grade",
            grade_reason=f"{model}_grade_reason",
        )

    assert resolve(S1K_1_1).traces == (columns("gemini"), columns("deepseek"))
    assert resolve(S1K_1_1[::-1]).traces == (columns("deepseek"), columns("gemini"))
    assert resolve(S1K_1_1).ignored == ()


def test_the_length_of_a_named_generator_goes_with_its_trace():
    (gemini, deepseek) = resolve([*S1K_1_1, "gemini_length"]).traces
    assert (gemini.trace_tokens, deepseek.trace_tokens) == ("gemini_length", "")


def test_traces_of_named_models_are_attached_to_questions():
    layout = resolve(TRACES)
    assert layout.is_attachment
    assert not layout.is_attempts
    assert layout.traces == (TraceColumns(thinking="thinking_trace", attempt="attempt", trace_grade="correct"),)
    assert layout.columns["generator"] == "model"
    assert layout.ignored == ("id",)


def test_attempts_of_ordinary_models_are_attached_and_are_no_traces():
    layout = resolve(ATTEMPTS)
    assert layout.is_attachment
    assert layout.is_attempts
    assert layout.traces == ()
    assert (layout.columns["generator"], layout.columns["correct"], layout.columns["judge"]) == (
        "model",
        "correct",
        "correct_by",
    )
    assert layout.ignored == ("id", "pred")


@pytest.mark.parametrize(
    ("names", "field", "column"),
    [
        (["problem", "answer"], "question", "problem"),
        (["problem", "answer"], "answer", "answer"),
        (["query", "gold"], "answer", "gold"),
        (["Question", "SOLUTION"], "question", "Question"),
        (["Question", "SOLUTION"], "solution", "SOLUTION"),
        # the first known name wins, wherever it stands
        (["problem", "question"], "question", "question"),
        (["source", "question", "source_type"], "source", "source_type"),
        (["messages"], "messages", "messages"),
        (["conversations"], "messages", "conversations"),
        (["question", "output"], "response", "output"),
        (["question", "reasoning_content"], "thinking", "reasoning_content"),
        (["question", "model", "thinking"], "generator", "model"),
    ],
)
def test_common_names_are_understood(names, field, column):
    assert resolve(names).columns[field] == column


def test_columns_that_no_field_takes_are_listed():
    assert resolve(["question", "level", "uuid", "model"]).ignored == ("level", "uuid", "model")


def test_needed_columns_are_those_that_a_field_takes():
    assert resolve(["question", "level", "solution"]).needed == {"question", "solution"}
    assert resolve(S1K_1_1).needed == set(S1K_1_1)


@pytest.mark.parametrize(
    ("names", "listing"),
    [
        ([], "the file has columns "),
        (["a", "b"], "the file has columns 'a', 'b'; say which with --map COLUMN=question"),
    ],
)
def test_a_file_without_a_question_is_refused(names, listing):
    with pytest.raises(InputError, match=re.escape(f"no column holds the question: {listing}")):
        resolve(names)


def test_many_long_column_names_are_cut_to_a_line():
    with pytest.raises(InputError) as caught:
        resolve([f"{place} {'x' * 1_000}" for place in range(50)])
    line = str(caught.value)
    assert "and 30 more" in line
    assert len(line) < 1_500


# --- the user's mapping ----------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", ["subject=domain", "domain=subject", " subject = domain "])
def test_a_pair_may_be_written_either_way_round(pair):
    assert parse_mapping([pair], ["question", "subject"]) == {"domain": ["subject"]}
    assert resolve(["question", "subject"], [pair]).columns["domain"] == "subject"


def test_where_both_readings_are_possible_the_column_stands_first():
    names = ["question", "domain", "source"]
    assert parse_mapping(["domain=source"], names) == {"source": ["domain"]}
    assert parse_mapping(["source=domain"], names) == {"domain": ["source"]}


def test_a_mapping_wins_over_the_known_names():
    layout = resolve(["question", "text", "domain", "subject"], ["text=question", "subject=domain"])
    assert (layout.columns["question"], layout.columns["domain"]) == ("text", "subject")
    assert {"question", "domain"} <= set(layout.ignored)


def test_one_column_may_serve_two_fields():
    layout = resolve(["question", "final"], ["final=solution", "final=answer"])
    assert (layout.columns["solution"], layout.columns["answer"]) == ("final", "final")


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["subject"], "--map 'subject' is not column=field; for example --map subject=domain"),
        (["=domain"], "--map '=domain' is not column=field"),
        (["subject="], "--map 'subject=' is not column=field"),
        ([""], "--map '' is not column=field"),
        (["topic=domain"], "--map topic=domain: no column 'topic'; the file has columns 'question', 'subject'"),
        (["domain=topic"], "--map domain=topic: no column 'topic'; the file has columns 'question', 'subject'"),
        (["subject=topic"], "--map subject=topic: no field 'topic'; allowed: question, solution, "),
        (["a=b"], "--map a=b: no field 'b'; allowed: question, solution, "),
        (["subject=domain", "question=domain"], "--map gives domain twice: columns subject, question; give it one"),
        (["subject=domain", "domain=subject"], "--map gives domain twice: columns subject, subject; give it one"),
    ],
)
def test_a_pair_that_cannot_be_followed_is_refused(pairs, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        resolve(["question", "subject"], pairs)


def test_an_unknown_field_lists_every_field():
    with pytest.raises(ConfigError, match=re.escape(", ".join(FIELDS))):
        parse_mapping(["question=text"], ["question"])


# --- presets of sources ----------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", [preset for preset in SOURCES if preset.columns], ids=lambda preset: preset.name)
def test_a_sources_preset_names_its_own_columns(preset):
    assert set(preset.columns.values()) <= set(FIELDS)
    names = list(preset.columns)
    names += [] if "question" in preset.columns.values() else ["question"]
    layout = resolve(names, presets=preset.columns)
    for column, field in preset.columns.items():
        assert layout.columns[field] == column


def test_a_mapping_wins_over_a_sources_preset():
    presets = {"input": "question", "output": "solution"}
    layout = resolve(["input", "output", "clue"], ["clue=question"], presets)
    assert (layout.columns["question"], layout.columns["solution"]) == ("clue", "output")
    assert resolve(["question", "answer"], presets=presets).columns == {"question": "question", "answer": "answer"}
