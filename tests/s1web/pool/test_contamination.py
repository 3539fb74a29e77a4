"""Comparing pool and benchmarks: what was compared once is not compared again, and a decision stays."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from curation.errors import ConfigError, ConflictError, NotFoundError
from curation.hashing import question_hash
from s1web.pool import contamination
from s1web.pool.contamination import (
    CheckResult,
    benchmark_names,
    check_contamination,
    num_unchecked,
    overrule,
    reinstate,
    standing_evidence,
)
from s1web.pool.models import Contamination, ContaminationRuling, ImportFile, Problem, Question
from s1web.pool.undo import undo_file
from s1web.pool.version import pool_version
from tests.factories import EVALUATION_QUESTIONS, make_rows
from tests.processes import Project
from tests.s1web.pools import find, load_problems, load_rows, write_lines
from tests.twin import slow_recipe as twin

FERRY = EVALUATION_QUESTIONS[0]
CLERKS = EVALUATION_QUESTIONS[1]
EVIDENCE = ("question__text", "problem__text", "rule", "num_words", "question_offset", "problem_offset")


def evidence() -> set[tuple[Any, ...]]:
    return set(Contamination.objects.values_list(*EVIDENCE))


def expected_evidence(questions: Sequence[str], problems: Sequence[str]) -> set[tuple[Any, ...]]:
    """Every pair that the slow recipe calls contaminated, with its longest shared span."""
    pairs = ((question, problem) for question in questions for problem in problems)
    return {
        (question, problem, rule, *twin.longest_shared_span(question, problem))
        for question, problem in pairs
        if (rule := twin.is_contaminated(question, [problem])) is not None
    }


def counts(result: CheckResult) -> tuple[int, int, int]:
    return result.done, result.skipped, result.contaminated


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contamination, "BATCH_ROWS", 10)


@pytest.fixture
def pool(db: None, tmp_path: Path) -> list[str]:
    """Forty questions, some of which overlap with the evaluation questions."""
    rows = make_rows(random.Random(3), 40, contaminated=0.5, repeated=0)
    load_rows(tmp_path, rows)
    return [row["question"] for row in rows]


# --- the evidence ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_evidence_of_every_pair_equals_the_slow_recipes_longest_span(db: None, tmp_path: Path, seed: int) -> None:
    rows = make_rows(random.Random(seed), 300, contaminated=0.5, repeated=0)
    questions = [
        *dict.fromkeys(row["question"] for row in rows),
        # the same span twice, two spans of equal length, one that wraps over the other's end
        f"{FERRY} and again {FERRY}",
        f"{CLERKS} {FERRY}",
        FERRY.upper().replace(" ", "\n\t"),
        f"{FERRY} {FERRY}",
    ]
    load_rows(tmp_path, [{"question": text} for text in questions])
    load_problems(tmp_path, [*EVALUATION_QUESTIONS, f"{FERRY}. {CLERKS}", "find  THE number of"])
    problems = list(Problem.objects.values_list("text", flat=True))
    result = check_contamination()
    expected = expected_evidence(questions, problems)
    assert evidence() == expected
    assert counts(result) == (len(questions), 0, len({pair[0] for pair in expected}))
    marked = set(Question.objects.filter(contaminated=True).values_list("text", flat=True))
    assert marked == {pair[0] for pair in expected}
    assert {rule for _, _, rule, *_ in expected} == {"decontamination.ngram", "decontamination.short"}


def test_without_benchmarks_there_is_nothing_to_compare(pool: list[str]) -> None:
    assert counts(check_contamination()) == (0, 40, 0)


def test_an_empty_pool_is_compared_in_no_time(db: None, tmp_path: Path) -> None:
    load_problems(tmp_path, EVALUATION_QUESTIONS)
    assert counts(check_contamination()) == (0, 0, 0)


# --- only what is new ------------------------------------------------------------------------------------


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[set[str], set[str]]]:
    """Notes (questions, problems) of each batch that is compared."""
    noted: list[tuple[set[str], set[str]]] = []
    original = contamination.EvaluationIndex

    class Noting(original):  # type: ignore[misc, valid-type]
        def __init__(self, problems: Sequence[str]) -> None:
            super().__init__(problems)
            self.problems = set(problems)

        def find(self, questions: Sequence[str]) -> Any:
            noted.append((set(questions), self.problems))
            return super().find(questions)

    monkeypatch.setattr(contamination, "EvaluationIndex", Noting)
    return noted


def test_a_second_check_compares_nothing(pool: list[str], tmp_path: Path, compared: list[Any]) -> None:
    load_problems(tmp_path, EVALUATION_QUESTIONS)
    first = check_contamination()
    before = evidence()
    compared.clear()
    assert counts(check_contamination()) == (0, 40, first.contaminated)
    assert compared == []
    assert evidence() == before


def test_new_questions_alone_are_compared(pool: list[str], tmp_path: Path, compared: list[Any]) -> None:
    load_problems(tmp_path, EVALUATION_QUESTIONS)
    check_contamination()
    compared.clear()
    late = [f"Solve this: {FERRY}", "Harmless?"]
    load_rows(tmp_path, [{"question": text} for text in late], "late")
    assert num_unchecked() == 2
    assert counts(check_contamination())[:2] == (2, 40)
    assert compared == [(set(late), set(EVALUATION_QUESTIONS))]
    assert num_unchecked() == 0
    assert evidence() == expected_evidence([*pool, *late], EVALUATION_QUESTIONS)


def test_a_new_problem_alone_goes_through_the_pool(pool: list[str], tmp_path: Path, compared: list[Any]) -> None:
    load_problems(tmp_path, [FERRY])
    check_contamination()
    compared.clear()
    load_problems(tmp_path, [CLERKS], "later")
    assert num_unchecked() == 40
    assert counts(check_contamination())[:2] == (40, 0)
    assert compared == [(set(pool), {CLERKS})]
    assert evidence() == expected_evidence(pool, [FERRY, CLERKS])


def test_a_new_problem_and_new_questions_meet_everything_that_they_have_not_met(
    pool: list[str], tmp_path: Path, compared: list[Any]
) -> None:
    load_problems(tmp_path, [FERRY])
    check_contamination()
    compared.clear()
    late = [f"Solve this: {FERRY}", f"And this: {CLERKS}"]
    load_rows(tmp_path, [{"question": text} for text in late], "late")
    load_problems(tmp_path, [CLERKS], "later")
    assert counts(check_contamination())[:2] == (42, 0)
    met = {(question, problem) for questions, problems in compared for question in questions for problem in problems}
    assert met == {(text, CLERKS) for text in pool} | {
        (text, problem) for text in late for problem in (FERRY, CLERKS)
    }
    assert sum(len(questions) * len(problems) for questions, problems in compared) == len(met)
    assert evidence() == expected_evidence([*pool, *late], [FERRY, CLERKS])


def test_a_changed_problem_loses_its_evidence_and_is_compared_anew(
    db: None, tmp_path: Path, compared: list[Any]
) -> None:
    load_rows(tmp_path, [{"question": f"Solve: {text}"} for text in (FERRY, CLERKS)])
    load_problems(tmp_path, {"a": FERRY, "b": CLERKS})
    assert counts(check_contamination()) == (2, 0, 2)
    compared.clear()
    load_problems(tmp_path, {"a": "Something else altogether", "b": CLERKS}, "evaluation")
    # at once, not only at the next check
    assert not find(f"Solve: {FERRY}").contaminated
    assert find(f"Solve: {CLERKS}").contaminated
    assert counts(check_contamination()) == (2, 0, 1)
    assert [problems for _, problems in compared] == [{"Something else altogether"}]
    assert {pair[1] for pair in evidence()} == {CLERKS}


def test_a_problem_whose_answer_alone_changes_keeps_its_evidence(db: None, tmp_path: Path) -> None:
    from s1web.pool.benchmarks import load_benchmark

    load_rows(tmp_path, [{"question": FERRY}])
    for answer in ("7", "8"):
        lines = [{"id": "a", "problem": FERRY, "answer": answer}]
        load_benchmark(str(write_lines(tmp_path / f"{answer}.jsonl", lines)), "same")
        check_contamination()
    assert Problem.objects.get().answer == "8"
    assert counts(check_contamination()) == (0, 1, 1)


# --- limits, and going on after a kill -------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 7, 10, 11, 39, 40, 41, 1_000])
def test_limited_checks_add_up_to_a_whole_one(
    pool: list[str], tmp_path: Path, small_batches: None, limit: int
) -> None:
    load_problems(tmp_path, EVALUATION_QUESTIONS)
    done = []
    while (result := check_contamination(limit)).done:
        done.append(result.done)
    assert sum(done) == 40
    assert done[:-1] == [limit] * (len(done) - 1)
    assert evidence() == expected_evidence(pool, EVALUATION_QUESTIONS)


def test_limited_checks_add_up_where_problems_came_one_after_another(
    pool: list[str], tmp_path: Path, small_batches: None
) -> None:
    for place, problem in enumerate(EVALUATION_QUESTIONS):
        load_problems(tmp_path, [problem], f"benchmark{place}")
        check_contamination(13)
    while check_contamination(13).done:
        pass
    assert num_unchecked() == 0
    assert evidence() == expected_evidence(pool, EVALUATION_QUESTIONS)


def test_progress_is_told_with_the_total(pool: list[str], tmp_path: Path, small_batches: None) -> None:
    load_problems(tmp_path, EVALUATION_QUESTIONS)
    told: list[tuple[int, int]] = []
    check_contamination(on_progress=lambda done, total, **spent: told.append((done, total)))
    assert told == [(0, 40), (10, 40), (20, 40), (30, 40), (40, 40)]


def test_a_killed_check_goes_on_where_it_was(make_project: Any, tmp_path: Path) -> None:
    rows = make_rows(random.Random(3), 200, contaminated=0.5, repeated=0)
    problems = [{"id": str(n), "problem": text, "answer": "7"} for n, text in enumerate(EVALUATION_QUESTIONS)]
    project: Project = make_project("sqlite")
    project.json_all(
        [
            ["load_pool", write_lines(tmp_path / "rows.jsonl", rows)],
            ["load_benchmark", write_lines(tmp_path / "problems.jsonl", problems), "--name", "evaluation"],
        ]
    )
    # dies by SIGKILL inside the third batch's transaction
    script = """
import os, signal, django
django.setup()
from s1web.pool import contamination
contamination.BATCH_ROWS = 40
calls = []
original = contamination.mark_questions
def mark(pks):
    calls.append(pks)
    original(pks)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
contamination.mark_questions = mark
contamination.check_contamination()
"""
    assert project.python("-c", script).returncode == -9
    result = project.json("annotate", "contamination")
    num_questions = len({row["question"] for row in rows})
    assert (result["done"], result["skipped"]) == (num_questions - 80, 80)
    whole: Project = make_project("sqlite")
    whole.json_all(
        [
            ["load_pool", tmp_path / "rows.jsonl"],
            ["load_benchmark", tmp_path / "problems.jsonl", "--name", "evaluation"],
            ["annotate", "contamination"],
        ]
    )
    listing = (
        "import django; django.setup(); from s1web.pool.models import Contamination as C;"
        "print(sorted(C.objects.values_list('question__question_hash', 'problem__key', 'num_words')))"
    )
    told = [place.python("-c", listing).stdout for place in (project, whole)]
    assert told[0] == told[1]
    assert len(told[0]) > 500


def test_a_check_that_another_one_overtakes_stores_nothing_twice(
    pool: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_problems(tmp_path, EVALUATION_QUESTIONS)
    original, is_first = contamination.EvaluationIndex.find, iter([True])

    def find_late(index: Any, questions: Sequence[str]) -> Any:
        # another process does the whole work, and a reviewer decides, while this one compares its first batch
        if next(is_first, False):
            check_contamination()
            overrule(Contamination.objects.earliest("pk").question.question_hash, reason="a song", decided_by="ada")
        return original(index, questions)

    monkeypatch.setattr(contamination.EvaluationIndex, "find", find_late)
    check_contamination()
    assert evidence() == expected_evidence(pool, EVALUATION_QUESTIONS)
    overruled = Contamination.objects.filter(decision="overruled")
    assert {item.reason for item in overruled} == {"a song"}
    assert not overruled.earliest("pk").question.contaminated


def test_questions_that_come_after_a_file_was_taken_back_are_compared(db: None, tmp_path: Path) -> None:
    load_problems(tmp_path, [FERRY])
    load_rows(tmp_path, [{"question": f"Harmless {number}?"} for number in range(5)], "failing")
    check_contamination()
    undo_file(ImportFile.objects.get())
    load_rows(tmp_path, [{"question": f"Solve: {FERRY}"}, *({"question": f"{n}?"} for n in range(9))], "next")
    check_contamination()
    assert find(f"Solve: {FERRY}").contaminated


# --- decisions -------------------------------------------------------------------------------------------


def test_overruling_takes_a_question_back_with_who_and_why(pool: list[str], tmp_path: Path) -> None:
    text = f"Solve: {FERRY} {CLERKS}"
    load_rows(tmp_path, [{"question": text}], "both")
    load_problems(tmp_path, EVALUATION_QUESTIONS)
    before = check_contamination().contaminated
    assert overrule(question_hash(text), reason="a textbook phrase", decided_by="ada") == 2
    assert not find(text).contaminated
    assert check_contamination().contaminated == before - 1
    kept = Contamination.objects.filter(question=find(text))
    assert {(item.decision, item.reason, item.decided_by) for item in kept} == {
        ("overruled", "a textbook phrase", "ada")
    }
    assert find(text).pk not in standing_evidence(["evaluation"])


def test_a_decision_outlives_later_checks_but_new_evidence_stands(db: None, tmp_path: Path) -> None:
    text = f"Solve: {FERRY} {CLERKS}"
    load_rows(tmp_path, [{"question": text}])
    load_problems(tmp_path, [FERRY], "first")
    check_contamination()
    overrule(question_hash(text), reason="a textbook phrase", decided_by="ada")
    load_rows(tmp_path, [{"question": "Another?"}], "more")
    check_contamination()
    assert not find(text).contaminated
    # another problem that nobody has looked at yet
    load_problems(tmp_path, [CLERKS], "second")
    check_contamination()
    assert find(text).contaminated
    assert find(text).pk in standing_evidence(["first", "second"])
    assert find(text).pk not in standing_evidence(["first"])


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_overruling_needs_a_reason(pool: list[str], reason: str) -> None:
    with pytest.raises(ConfigError, match="overruling contamination needs a reason"):
        overrule(question_hash(pool[0]), reason=reason, decided_by="ada")


def test_only_evidence_can_be_overruled(pool: list[str]) -> None:
    with pytest.raises(NotFoundError, match="has no evidence of contamination to overrule"):
        overrule(question_hash(pool[0]), reason="boilerplate", decided_by="ada")


def test_benchmarks_are_found_by_name_or_those_loaded_are_listed(db: None, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"benchmark 'aime' is not loaded \(there: none yet\)"):
        benchmark_names(["aime"])
    for name in ("b", "a"):
        load_problems(tmp_path, [FERRY], name)
    assert benchmark_names([]) == ["a", "b"]
    assert benchmark_names(["b"]) == ["b"]
    with pytest.raises(NotFoundError, match=r"benchmark 'c' is not loaded \(there: a, b\)"):
        benchmark_names(["a", "c"])


def test_a_check_asks_queries_by_the_batch_and_not_by_the_question(db: None, tmp_path: Path) -> None:
    def count(name: str, num_rows: int) -> int:
        load_rows(tmp_path, [{"question": f"{name} {number}: {FERRY}"} for number in range(num_rows)], name)
        with CaptureQueriesContext(connection) as queries:
            check_contamination()
        return len(queries)

    load_problems(tmp_path, EVALUATION_QUESTIONS)
    assert count("ten", 10) == count("hundred", 100)


@pytest.fixture
def doubtful(db: None, tmp_path: Path) -> str:
    """A question with two pieces of evidence against it; its hash."""
    text = f"Solve: {FERRY} {CLERKS}"
    load_rows(tmp_path, [{"question": text}])
    load_problems(tmp_path, [FERRY, CLERKS])
    check_contamination()
    return question_hash(text)


def test_one_piece_of_evidence_can_be_overruled_and_the_other_stands(doubtful: str) -> None:
    first, second = Contamination.objects.order_by("pk")
    assert overrule(doubtful, reason=" a phrase ", decided_by="ada", evidence=[first.pk]) == 1
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.decision, first.reason, second.decision) == ("overruled", "a phrase", "")
    assert Question.objects.get().contaminated
    overrule(doubtful, reason="so is this", decided_by="ada", evidence=[second.pk])
    assert not Question.objects.get().contaminated


def test_what_was_overruled_can_count_again_and_its_history_is_kept(doubtful: str) -> None:
    overrule(doubtful, reason="a phrase", decided_by="ada")
    first, second = Contamination.objects.order_by("pk")
    assert reinstate(doubtful, decided_by="bob", reason="it is the problem", evidence=[first.pk]) == 1
    first.refresh_from_db()
    # nobody's decision stands, and who decided is history
    assert (first.decision, first.reason, first.decided_by) == ("", "", "")
    assert Question.objects.get().contaminated
    rulings = ContaminationRuling.objects.filter(contamination=first).order_by("pk")
    assert list(rulings.values_list("decision", "decided_by", "reason")) == [
        ("overruled", "ada", "a phrase"),
        ("", "bob", "it is the problem"),
    ]
    assert second.rulings.count() == 1


def test_evidence_that_nobody_overruled_cannot_be_made_to_count_again(doubtful: str) -> None:
    with pytest.raises(NotFoundError, match="no overruled evidence"):
        reinstate(doubtful, decided_by="bob")
    assert not ContaminationRuling.objects.exists()


def test_evidence_against_another_question_is_not_overruled(doubtful: str, tmp_path: Path) -> None:
    load_rows(tmp_path, [{"question": f"Another: {FERRY}"}], "another")
    check_contamination()
    other = Contamination.objects.get(question=find(f"Another: {FERRY}"))
    with pytest.raises(NotFoundError):
        overrule(doubtful, reason="a phrase", decided_by="ada", evidence=[other.pk])
    other.refresh_from_db()
    assert other.decision == ""


def test_what_was_decided_meanwhile_is_not_decided_again_and_nothing_else_is(doubtful: str) -> None:
    first, second = Contamination.objects.order_by("pk")
    overrule(doubtful, reason="a phrase", decided_by="ada", evidence=[first.pk])
    with pytest.raises(ConflictError, match=f"evidence {first.pk} is overruled already"):
        overrule(doubtful, reason="so are both", decided_by="bob", evidence=[first.pk, second.pk])
    with pytest.raises(ConflictError, match=f"evidence {second.pk} counts already"):
        reinstate(doubtful, decided_by="bob", evidence=[first.pk, second.pk])
    with pytest.raises(NotFoundError, match="has no evidence 999999"):
        overrule(doubtful, reason="so is this", decided_by="bob", evidence=[second.pk, 999_999])
    assert list(ContaminationRuling.objects.values_list("contamination", "decided_by")) == [(first.pk, "ada")]


def test_each_decision_is_another_state_of_the_pool(doubtful: str) -> None:
    versions = [pool_version()]
    overrule(doubtful, reason="a phrase", decided_by="ada")
    versions.append(pool_version())
    reinstate(doubtful, decided_by="ada")
    versions.append(pool_version())
    assert len(set(versions)) == 3
