"""Where the final answer is found, against a table of answers' forms."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.answers import BOXED, NONE, RULES, Extraction, extract_answer

CASES = json.loads(Path(__file__).with_name("answer_cases.json").read_text(encoding="utf-8"))["extraction"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["text"])[:60])
def test_the_rule_that_fires_and_what_it_finds_are_those_of_the_table(case: dict[str, Any]) -> None:
    found = extract_answer(case["text"], allow_bare=case.get("allow_bare", False))
    assert (found.answer, found.rule) == (case["answer"], case["rule"])
    if found.answer is not None:
        assert found.answer in case["text"][found.start : found.end]


def test_every_rule_is_in_the_table() -> None:
    assert {case["rule"] for case in CASES} == set(RULES)


def test_the_place_of_an_answer_is_that_of_the_last_box_not_of_an_equal_one() -> None:
    text = r"\boxed{7} or \boxed{7}"
    assert extract_answer(text) == Extraction("7", BOXED, 20, 21)
    assert text[20:21] == "7"


def test_no_answer_is_none_and_no_empty_text() -> None:
    assert extract_answer("I give up.") == Extraction(None, NONE, 0, 0)


PIECES = ["\\boxed{", "\\fbox {", "{", "}", "\\", "Answer:", "\n", "7", "$", "*", "."]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_any_text_gives_an_answer_at_its_place_or_none(text: str) -> None:
    found = extract_answer(text, allow_bare=True)
    assert (found.answer is None) == (found.rule == NONE)
    assert found.answer != ""
    if found.answer is not None:
        assert found.answer in text[found.start : found.end]


@given(st.lists(st.sampled_from(["\\boxed{", "{", "}", "\\{", "1", " "]), max_size=12).map("".join))
def test_the_box_is_that_of_a_search_through_all_starts(text: str) -> None:
    """The slow way: from the last start to the first, walk until the braces balance."""
    expected = None
    for start in reversed([place for place in range(len(text)) if text.startswith("\\boxed{", place)]):
        depth, place = 1, start + len("\\boxed{")
        begin = place
        while place < len(text) and depth:
            if text[place] == "\\":
                place += 2
                continue
            depth += {"{": 1, "}": -1}.get(text[place], 0)
            place += 1
        if depth == 0 and text[begin : place - 1].strip():
            expected = (begin, place - 1)
            break
    found = extract_answer(text)
    assert ((found.start, found.end) if found.rule == BOXED else None) == expected


def test_a_hundred_thousand_open_boxes_are_read_in_one_pass() -> None:
    text = "\\boxed{" * 100_000 + "7}" + "Answer: " * 100_000
    assert extract_answer(text).answer == "7"
