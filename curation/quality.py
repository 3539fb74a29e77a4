"""Formatting rules of the quality stage (s1 §2.2, step quality), each with a reason code.

Whether an annotation is missing, the other half of that step, is decided from the pool's columns in `pipeline`.
"""

import re
from collections.abc import Sequence

# bump when a rule changes: stored flags of an older version are computed anew
QUALITY_VERSION = 1

# in the order of the contract; a rule's bit in the flags is its place here
FORMATTING_RULES = (
    "formatting.asy",
    "formatting.image_reference",
    "formatting.part_number",
    "formatting.bold_digits",
)
ASY, IMAGE_REFERENCE, PART_NUMBER, BOLD_DIGITS = (1 << bit for bit in range(4))

_PART_NUMBER = re.compile(r"p[1-9][0-9]{0,2}\.")
_BOLD_BREAK = re.compile(r"[\s\]]")


def formatting_flags(question: str) -> int:
    """Bits of every formatting rule that hits this text, whatever its source."""
    flags = 0
    if "[asy]" in question:
        flags |= ASY
    if "![Image]" in question:
        flags |= IMAGE_REFERENCE
    if _PART_NUMBER.search(question):
        flags |= PART_NUMBER
    if "**" in question and _bold_digits(question) is not None:
        flags |= BOLD_DIGITS
    return flags


def formatting_rule(flags: int, *, is_aime: bool, rules: Sequence[str] = FORMATTING_RULES) -> str | None:
    """The rule that drops a question, or None: the first that hits, in the contract's order.

    A question with [asy] from an AIME source is kept without further checks, as the released code does.
    """
    if is_aime and flags & ASY:
        return None
    for bit, rule in enumerate(FORMATTING_RULES):
        if flags >> bit & 1 and rule in rules:
            return rule
    return None


def formatting_span(question: str, rule: str) -> tuple[int, int] | None:
    """(start, end) in characters of what the rule hit first in the text, or None where it does not hit."""
    if rule == "formatting.bold_digits":
        return _bold_digits(question)
    if rule == "formatting.part_number":
        match = _PART_NUMBER.search(question)
        return match.span() if match else None
    literal = {"formatting.asy": "[asy]", "formatting.image_reference": "![Image]"}[rule]
    start = question.find(literal)
    return None if start < 0 else (start, start + len(literal))


def _bold_digits(text: str) -> tuple[int, int] | None:
    r"""Span of the first match of the regex \*\*(?=.*\d)[^\s\]]*\*\* (spec section 3), in linear time.

    The regex itself is quadratic on a run of asterisks, and question texts are hostile. In one stretch without
    white space or "]", whichever opening matches, the first one matches too: its closing may be as far to the
    right, and its look-ahead sees more. So one opening per stretch is tried.
    """
    start = text.find("**")
    line_end, last_digit = -1, -1
    while start >= 0:
        if start > line_end:  # another line: where is its last digit?
            newline = text.find("\n", start)
            line_end = newline if newline >= 0 else len(text)
            digits = (place for place in range(line_end - 1, start - 1, -1) if text[place].isdecimal())
            last_digit = next(digits, -1)
        broken = _BOLD_BREAK.search(text, start + 2)
        stop = broken.start() if broken else len(text)
        closing = text.rfind("**", start + 2, stop)
        if closing >= 0 and last_digit >= start + 2:
            return start, closing + 2
        start = text.find("**", stop)
    return None
