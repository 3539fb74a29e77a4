"""Evaluation sets: loaded whole or not at all, updated by their ids."""

import json
from pathlib import Path
from typing import Any

import pytest

from curation.errors import ConfigError, InputError
from curation.hashing import question_hash
from s1web.pool.benchmarks import BenchmarkResult, load_benchmark
from s1web.pool.models import Benchmark, Problem
from tests.s1web.pools import load_problems, write_lines

ROWS = [
    {"id": "a", "problem": "What is 3 + 4?", "answer": "7"},
    {"id": 2, "problem": "Which one?", "answer": "B", "choices": ["one", "two"]},
    {"problem": "Without an id?", "answer": 12},
    {"id": "d", "question": "Under the other name?", "answer": "\\frac{1}{2}", "subject": "ignored"},
]


def load(folder: Path, rows: list[dict[str, Any]], name: str = "own") -> BenchmarkResult:
    return load_benchmark(str(write_lines(folder / f"{name}.jsonl", rows)), name)


def counts(result: BenchmarkResult) -> tuple[int, int, int, int, int]:
    return result.read, result.new, result.updated, result.unchanged, result.rejected


def stored(name: str = "own") -> dict[str, tuple[str, str, list[str]]]:
    problems = Problem.objects.filter(benchmark__name=name)
    return {problem.key: (problem.text, problem.answer, problem.choices) for problem in problems}


def test_problems_keep_id_text_answer_and_choices(db: None, tmp_path: Path) -> None:
    assert counts(load(tmp_path, ROWS)) == (4, 4, 0, 0, 0)
    assert stored() == {
        "a": ("What is 3 + 4?", "7", []),
        "2": ("Which one?", "B", ["one", "two"]),
        question_hash("Without an id?"): ("Without an id?", "12", []),
        "d": ("Under the other name?", "\\frac{1}{2}", []),
    }


def test_the_same_file_again_changes_nothing(db: None, tmp_path: Path) -> None:
    load(tmp_path, ROWS)
    before = list(Problem.objects.order_by("pk").values())
    assert counts(load(tmp_path, ROWS)) == (4, 0, 0, 4, 0)
    assert list(Problem.objects.order_by("pk").values()) == before


@pytest.mark.parametrize(
    "change",
    [{"problem": "What is 3 + 5?"}, {"answer": "8"}, {"choices": ["7", "8"]}],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_problem_is_updated_by_its_id(db: None, tmp_path: Path, change: dict[str, Any]) -> None:
    load(tmp_path, ROWS)
    pk = Problem.objects.get(key="a").pk
    rows = [ROWS[0] | change, *ROWS[1:], {"id": "e", "problem": "A fifth?", "answer": "5"}]
    assert counts(load(tmp_path, rows)) == (5, 1, 1, 3, 0)
    problem = Problem.objects.get(key="a")
    assert problem.pk == pk
    expected = {"problem": problem.text, "answer": problem.answer, "choices": problem.choices}
    assert {name: expected[name] for name in change} == change


def test_problems_that_the_file_no_longer_has_stay(db: None, tmp_path: Path) -> None:
    load(tmp_path, ROWS)
    assert counts(load(tmp_path, ROWS[:1])) == (1, 0, 0, 1, 0)
    assert len(stored()) == 4


def test_benchmarks_of_two_names_do_not_meet(db: None, tmp_path: Path) -> None:
    load(tmp_path, ROWS, "one")
    load(tmp_path, [ROWS[0] | {"answer": "8"}], "two")
    assert (stored("one")["a"][1], stored("two")["a"][1]) == ("7", "8")


def test_other_kinds_of_file_are_read_too(db: None, tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text('id,problem,answer\na,"Two\nlines?",7\n', encoding="utf-8")
    assert counts(load_benchmark(str(table), "own")) == (1, 1, 0, 0, 0)
    assert stored()["a"][0] == "Two\nlines?"


def test_lines_are_split_on_newlines_only(db: None, tmp_path: Path) -> None:
    load(tmp_path, [{"id": "a", "problem": "One\u2028two\u0085three\x0bfour", "answer": "7"}])
    assert stored()["a"][0] == "One\u2028two\u0085three\x0bfour"


BAD_ROWS = [
    ({"id": "b", "answer": "7"}, "problem holds None; a text is needed"),
    ({"id": "b", "problem": "  ", "answer": "7"}, "problem holds '  '; a text is needed"),
    ({"id": "b", "problem": ["x"], "answer": "7"}, "a text is needed"),
    ({"id": "b", "problem": "Why?"}, "answer holds None; a text or a number is needed"),
    ({"id": "b", "problem": "Why?", "answer": True}, "answer holds True; a text or a number is needed"),
    ({"id": "b", "problem": "Why?", "answer": ["7"]}, "a text or a number is needed"),
    ({"id": "", "problem": "Why?", "answer": "7"}, "id holds ''; a text or a number is allowed"),
    ({"id": {}, "problem": "Why?", "answer": "7"}, "id holds {}; a text or a number is allowed"),
    ({"id": "b" * 201, "problem": "Why?", "answer": "7"}, "id has 201 characters; at most 200 are allowed"),
    ({"id": "b", "problem": "Why?", "answer": "7", "choices": "AB"}, "a list of texts is allowed"),
    ({"id": "b", "problem": "Why?", "answer": "7", "choices": [1, 2]}, "a list of texts is allowed"),
    ({"id": "b", "problem": "Why\0?", "answer": "7"}, "a text holds a NUL character"),
    ({"id": "b", "problem": "Why?", "answer": "7", "choices": ["a\0"]}, "a text holds a NUL character"),
    ({"id": "b", "problem": "Why \ud83d?", "answer": "7"}, "half a surrogate pair"),
    ({"id": "b", "problem": "Why?", "answer": "\ud83d"}, "half a surrogate pair"),
    ({"id": "b", "problem": "Why?", "answer": "7", "choices": ["\ud83d"]}, "half a surrogate pair"),
    ({"id": "\ud83d", "problem": "Why?", "answer": "7"}, "half a surrogate pair"),
    ({"id": "a", "problem": "Another text under an id that is taken?", "answer": "7"}, "id 'a' is there twice"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD_ROWS, ids=[reason[:40] for _, reason in BAD_ROWS])
def test_a_bad_row_is_listed_with_its_reason_and_the_rest_loaded(
    db: None, tmp_path: Path, bad: dict[str, Any], reason: str
) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [ROWS[0], bad, ROWS[1]]), encoding="utf-8")
    result = load_benchmark(str(path), "own")
    assert counts(result) == (3, 2, 0, 0, 1)
    assert set(stored()) == {"a", "2"}
    (listed,) = [json.loads(line) for line in Path(str(result.rejected_file)).read_text().split("\n") if line]
    assert (listed["file"], listed["line"]) == (str(path), 2)
    assert reason in listed["reason"]


def test_a_row_that_is_there_twice_word_for_word_is_one_problem(db: None, tmp_path: Path) -> None:
    result = load(tmp_path, [ROWS[0], ROWS[0], ROWS[1]])
    assert (result.read, result.new, result.rejected) == (3, 2, 0)
    assert result.new + result.updated + result.unchanged + result.rejected == result.read
    again = load(tmp_path, [ROWS[0], ROWS[0], ROWS[1]])
    assert (again.new, again.unchanged) == (0, 3)


def test_a_file_without_a_single_problem_loads_nothing_and_says_why(db: None, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none of its 2 rows is a problem; .* line 1: problem holds None"):
        load(tmp_path, [{"text": "no problem"}, {"text": "none either"}])
    assert not Benchmark.objects.exists()
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.parametrize("name", ["", "  ", "x" * 101])
def test_a_name_that_cannot_be_used_is_refused(db: None, tmp_path: Path, name: str) -> None:
    path = write_lines(tmp_path / "rows.jsonl", ROWS)
    with pytest.raises(ConfigError, match="cannot name a benchmark; give 1 to 100 characters"):
        load_benchmark(str(path), name)


def test_a_failure_while_storing_leaves_the_benchmark_as_it_was(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_problems(tmp_path, {"a": "What is 3 + 4?"}, "own")
    before = stored()

    def fail(*args: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Problem.objects, "bulk_create", fail)
    with pytest.raises(OSError, match="No space left"):
        load(
            tmp_path, [{"id": "a", "problem": "Changed?", "answer": "1"}, {"id": "n", "problem": "N?", "answer": "1"}]
        )
    assert stored() == before
