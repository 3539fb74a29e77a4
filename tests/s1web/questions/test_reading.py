"""Texts in paragraphs, steps and parts: nothing but white space is lost, nothing grows without bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s1web.questions.reading import (
    MAX_PARAGRAPH,
    STEP_CHARACTERS,
    split_paragraphs,
    split_parts,
    split_steps,
)

PIECES = ["word", " ", "\n", "\n\n", "\r\n", "\t", "\\[", "\\]", "$$", "Wait, ", "\u2028", "x" * 9_000, "İ"]


def texts_of(text: str) -> list[str]:
    return [paragraph.text for paragraph in split_paragraphs(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\n \t\n", []),
        ("one", ["one"]),
        ("one\ntwo\n\nthree", ["one\ntwo", "three"]),
        ("\n\none\n \t \n\n\ntwo \n", ["one", "two"]),
        ("one\r\n\r\ntwo", ["one", "two"]),
        ("a \\[\n\nx\n\n\\] b\n\nc", ["a \\[\n\nx\n\n\\] b", "c"]),
        ("$$\n\nx\n\n$$", ["$$\n\nx\n\n$$"]),
        # nothing closes it: it is no formula
        ("price $$ here\n\nb\n\nc", ["price $$ here", "b", "c"]),
        ("a \\[ x\n\n" + "b" * 5_000 + "\n\n\\]", ["a \\[ x", "b" * 5_000, "\\]"]),
    ],
)
def test_paragraphs_are_what_blank_lines_separate_but_for_those_in_a_formula(text, expected):
    assert texts_of(text) == expected


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_paragraphs_stand_where_they_say_and_leave_out_white_space_alone(text):
    paragraphs = split_paragraphs(text)
    place = 0
    for number, paragraph in enumerate(paragraphs, 1):
        assert paragraph.number == number
        assert text[paragraph.start : paragraph.start + len(paragraph.text)] == paragraph.text
        assert not text[place : paragraph.start].strip()
        assert 0 < len(paragraph.text) <= MAX_PARAGRAPH
        place = paragraph.start + len(paragraph.text)
    assert not text[place:].strip()


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_steps_and_parts_hold_every_paragraph_once_and_in_order(text):
    paragraphs = split_paragraphs(text)
    steps = split_steps(paragraphs)
    assert [paragraph for step in steps for paragraph in step.paragraphs] == paragraphs
    assert all(step.num_characters <= STEP_CHARACTERS or len(step.paragraphs) == 1 for step in steps)
    parts = split_parts(steps, size=10_000)
    assert [step for part in parts for step in part] == steps
    assert all(sum(step.num_characters for step in part) <= 10_000 or len(part) == 1 for part in parts)


def test_a_megabyte_without_a_space_becomes_pieces_of_one_paragraph():
    paragraphs = split_paragraphs("x" * 2**20)
    assert len(paragraphs) == -(-(2**20) // MAX_PARAGRAPH)
    assert [paragraph.is_continued for paragraph in paragraphs[:3]] == [False, True, True]


def test_a_long_paragraph_is_cut_at_a_line_before_it_is_cut_at_a_space():
    lines = "\n".join(["a b c d"] * 1_500)
    assert all(paragraph.text.endswith("\n") for paragraph in split_paragraphs(lines)[:-1])
    assert all(text.endswith(" ") for text in texts_of("word " * 3_000)[:-1])


def test_a_step_begins_where_the_thought_turns_once_the_one_before_has_some_length():
    body = "It follows from the lemma. " * 20
    text = "\n\n".join([body, body, "Wait, no.", "Alternatively, yes.", body, "and so on"])
    steps = split_steps(split_paragraphs(text))
    assert [(step.first, step.last) for step in steps] == [(1, 2), (3, 6)]
    assert steps[1].title == "Wait, no."


def test_the_title_of_a_step_is_one_short_line():
    (step,) = split_steps(split_paragraphs("one\ntwo " + "x" * 500))
    assert step.title.startswith("one two xxx")
    assert len(step.title) <= 91
