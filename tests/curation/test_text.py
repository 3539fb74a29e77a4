import pytest

from curation.text import bare_tokens, words


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
