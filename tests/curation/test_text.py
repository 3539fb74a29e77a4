import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.text import bare_tokens, span_of_words, word_spans, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\n\u00a0\u2028\u3000 ", []),
        ("Find  the\tSUM.", ["find", "the", "sum."]),
        ("a\u00a0b\u2028c\u2029d\u3000e\x85f\x1fg\r\nh", ["a", "b", "c", "d", "e", "f", "g", "h"]),
        # a zero-width space is no white space, and punctuation stays on its word
        ("a\u200bb (x,y)", ["a\u200bb", "(x,y)"]),
        ("STRASSE ÄÖ İ", ["strasse", "äö", "i\u0307"]),
    ],
)
def test_words_are_lower_case_and_split_at_any_white_space(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("$$ ... {} $$ !", []),
        ("7-5 < 3 ∑ ≥", ["7", "-", "5", "<", "3", "∑", "≥"]),
        (r"Let $x_1=3.50$, \frac{1}{2}", ["let", "x", "1", "=", "3.50", "frac", "1", "2"]),
        ("1,000 and 7.", ["1", "000", "and", "7"]),
        ("x2y", ["x", "2", "y"]),
        ("ÜBER ٣", ["über", "٣"]),
    ],
)
def test_bare_tokens_are_words_numbers_and_operators_alone(text, expected):
    assert bare_tokens(text) == expected


@given(st.text(alphabet=st.one_of(st.sampled_from(" \t\n\u00a0\u2028\x1f\x85İΣσßAbÅ"), st.characters(codec="utf-8"))))
def test_each_word_is_found_again_in_the_text_as_it_stands(text):
    assert [text[start:end].lower() for start, end in word_spans(text)] == words(text)


def test_lower_casing_makes_no_character_a_space_and_no_space_a_character():
    # what the spans rest on, for every character there is
    characters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    assert [c for c in characters if any(part.isspace() for part in c.lower()) != c.isspace()] == []
    assert [c for c in characters if (not list(word_spans(c))) != c.isspace()] == []


@pytest.mark.parametrize(
    ("offset", "num_words", "expected"),
    [
        (0, 2, "İki  Fish"),
        (1, 1, "Fish"),
        (2, 2, "swim\n\u00a0far."),
        (3, 1, "far."),
        (0, 4, "İki  Fish swim\n\u00a0far."),
    ],
)
def test_a_span_of_words_keeps_case_and_spacing_of_the_text(offset, num_words, expected):
    text = " İki  Fish swim\n\u00a0far. "
    start, end = span_of_words(text, offset, num_words)
    assert text[start:end] == expected


@pytest.mark.parametrize(("offset", "num_words"), [(0, 5), (4, 1), (-1, 1), (0, 0)])
def test_words_that_the_text_does_not_have_have_no_span(offset, num_words):
    assert span_of_words("one two three four", offset, num_words) is None
