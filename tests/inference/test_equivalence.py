"""Right, wrong and not graded, against a table of references and answers; math-verify runs for real."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from inference.equivalence import Grade, Item, grade_by_rules, grade_many, group_answers
from inference.math_verifier import MathVerifier

TABLE = json.loads(Path(__file__).with_name("answer_cases.json").read_text(encoding="utf-8"))
CASES = TABLE["equivalence"]
UNDECIDED_PAIR = Item("it is not even", r"\text{even}", "Is it even?")


@pytest.fixture(scope="module")
def verifier() -> Iterator[MathVerifier]:
    with MathVerifier(num_workers=1, timeout_seconds=20) as verifier:
        yield verifier


def to_item(case: dict[str, Any]) -> Item:
    return Item(case["answer"], case["reference"], choices=tuple(case.get("choices", ())))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['reference']} - {case['answer']}"[:60])
def test_an_answer_is_graded_as_the_table_says_by_the_rule_it_names(
    verifier: MathVerifier, case: dict[str, Any]
) -> None:
    [grade] = grade_many([to_item(case)], verifier)
    # what no rule and no mathematics decides is left by math-verify in its own words
    assert grade == Grade(case["is_right"], case["rule"])


def test_every_reference_is_its_own_answer(verifier: MathVerifier) -> None:
    references = sorted({case["reference"] for case in CASES if case["reference"].strip() and "choices" not in case})
    grades = grade_many([Item(reference, reference) for reference in references], verifier)
    assert [reference for reference, grade in zip(references, grades, strict=True) if not grade.is_right] == []


def test_without_a_verifier_mathematics_stays_undecided_and_is_not_wrong() -> None:
    assert grade_many([Item("0.5", r"\frac12"), Item("7", "8")]) == [
        Grade(None, "undecided"),
        Grade(False, "integer"),
    ]


class Answers:
    """A judge that answers from a list and remembers what it was asked."""

    def __init__(self, *opinions: bool | None) -> None:
        self.opinions = list(opinions)
        self.asked: list[Item] = []

    def __call__(self, item: Item) -> bool | None:
        self.asked.append(item)
        return self.opinions.pop(0)


def test_a_judge_sees_only_what_no_rule_decided() -> None:
    items = [
        Item("7", "7"),
        UNDECIDED_PAIR,
        Item("8", "7"),
        Item(None, "7"),
        Item("7", ""),
        UNDECIDED_PAIR,
        UNDECIDED_PAIR,
    ]
    judge = Answers(False, True, None)
    grades = grade_many(items, judge=judge)
    assert judge.asked == [UNDECIDED_PAIR] * 3
    assert [grade.is_right for grade in grades] == [True, False, False, False, None, True, None]
    assert [grade.rule for grade in grades] == [
        "text", "judge", "integer", "no_answer", "no_reference", "judge", "words.unclear",
    ]  # fmt: skip


def test_a_judge_may_look_again_at_what_math_verify_calls_wrong(verifier: MathVerifier) -> None:
    union = Item(r"x<2 \text{ or } x>3", r"(-\infty,2)\cup(3,\infty)")
    items = [union, Item("8", "7")]
    assert [grade.rule for grade in grade_many(items, verifier, Answers())] == ["math_verify", "integer"]
    judge = Answers(True)
    assert grade_many(items, verifier, judge, judge_sees_wrong=True)[0] == Grade(True, "judge")
    assert judge.asked == [union]


def test_answers_of_one_value_vote_together_and_no_answer_has_no_vote(verifier: MathVerifier) -> None:
    answers = ["1/2", None, "0.5", "7", r"\frac{1}{2}", "007", " ", "8", "$7$"]
    assert group_answers(answers, verifier) == [0, -1, 0, 1, 0, 1, -1, 2, 1]
    assert group_answers(answers) == [0, -1, 1, 2, 3, 2, -1, 4, 2]


def test_what_is_undecided_forms_a_group_of_its_own() -> None:
    class Unsure:
        def verify(self, pairs: Sequence[tuple[str, str]]) -> list[Grade]:
            return [Grade(None, "math_verify.timeout") for _ in pairs]

    assert group_answers(["x", "y", "x"], Unsure()) == [0, 1, 0]


def test_rules_alone_start_no_process() -> None:
    assert grade_by_rules(Item("0.5", r"\frac12")) == Grade(None, "undecided")
