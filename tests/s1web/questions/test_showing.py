"""Hostile text as HTML: everything is text, what cannot be seen is shown, what matched is lit."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s1web.questions.showing import excerpt, light, reveal


def plain(markup: str) -> str:
    """What a reader sees of it."""
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("\" onload='x' &amp;", "&quot; onload=&#x27;x&#x27; &amp;amp;"),
        ("Tab\there,\r\nline", "Tab\there,\r\nline"),
        ("می\u200cخواهم 👩\u200d🔬", "می\u200cخواهم 👩\u200d🔬"),
    ],
)
def test_text_is_escaped_and_what_can_be_seen_stays(text, expected):
    assert str(reveal(text)) == expected


@pytest.mark.parametrize(
    ("character", "code", "name"),
    [
        ("\u202e", "U+202E", "right-to-left override"),
        ("\u2066", "U+2066", "left-to-right isolate"),
        ("\x07", "U+0007", "control character"),
        ("\x00", "U+0000", "control character"),
        ("\u200b", "U+200B", "zero width space"),
        ("\ufeff", "U+FEFF", "zero width no-break space"),
        ("\x85", "U+0085", "control character"),
        ("\U000e0041", "U+E0041", "tag latin capital letter a"),
    ],
)
def test_a_character_that_cannot_be_seen_becomes_a_mark_with_its_name(character, code, name):
    assert str(reveal(f"a{character}b")) == f'a<span class="unseen" title="{code} {name}">{code}</span>b'


def test_a_text_of_unseen_characters_does_not_make_the_page_fifty_times_its_size():
    shown = str(reveal("a\u202e" * 10_000))
    assert shown.count("<span") == 500
    assert shown.count("\ufffd") == 9_500
    assert "\u202e" not in shown


def test_a_long_run_without_a_space_can_be_broken_and_stays_whole_to_who_copies_it():
    run = "<" * 450
    shown = str(reveal(f"x $y$ {run} z"))
    assert shown.count("<wbr>") == 4
    assert plain(shown) == f"x $y$ {run} z"
    assert "<wbr>" not in str(reveal("y" * 399))


@given(st.text(alphabet="ab<>&'\" \u202e\n", max_size=600), st.integers(0, 600), st.integers(0, 600))
def test_a_lit_span_is_marked_and_nothing_else_changes(text, first, second):
    start, end = sorted((min(first, len(text)), min(second, len(text))))
    shown = str(light(text, [(start, end)]))
    assert plain(shown) == plain(str(reveal(text)))
    assert plain(shown.split("<mark>")[1].split("</mark>")[0]) == plain(str(reveal(text[start:end])))


@given(st.text(alphabet="ab \n", max_size=400), st.integers(0, 400), st.integers(0, 400), st.integers(0, 50))
def test_an_excerpt_holds_its_span_and_says_where_it_was_cut(text, first, second, around):
    start, end = sorted((min(first, len(text)), min(second, len(text))))
    shown, span = excerpt(text, (start, end), around)
    assert shown[span[0] : span[1]] == text[start:end]
    assert shown.strip("…") in text
    assert shown[span[1] :].endswith("…") == (len(text) > end + around)
    assert len(shown) <= end - start + 2 * around + 2
