"""Finding the final answer in a model's text (s1 §4.1; rules of its released evaluation)."""

import re
from dataclasses import dataclass

BOXED = "boxed"
ANSWER_LINE = "answer_line"
BARE = "bare"
NONE = "none"
RULES = (BOXED, ANSWER_LINE, BARE, NONE)

# a line that is longer than this is prose, not a bare answer
MAX_BARE = 100

# a backslash takes the next sign with it, so that \{ and \} are no braces and \\} is one
_BRACES = re.compile(r"(?P<box>\\(?:boxed|fbox)\s*\{)|\\.|[{}]", re.DOTALL)
_ANSWER = re.compile(r"\banswer[ \t]*(?:\*\*|__)?[ \t]*:[ \t]*(?:\*\*|__)?", re.IGNORECASE)
_DISPLAY = {"$$": "$$", "\\[": "\\]"}
_SENTENCE = re.compile(r"(?:the\s+)?(?:final\s+)?answer\s+is:?\s+(?P<value>\S.*)", re.IGNORECASE | re.DOTALL)
# the few-shot examples of Minerva end on this, and models have learned it
_HOPE = re.compile(r"[.,]?\s*I hope (?:it|this) is correct\.?\s*$", re.IGNORECASE)
_PAIRS = (("**", "**"), ("__", "__"), ("`", "`"), ("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"))


@dataclass(frozen=True, slots=True)
class Extraction:
    """An answer and how it was found.

    Attributes:
        answer: without the marks around it; None where the text holds no answer, which is not a wrong one.
        rule: one of `RULES`.
        start, end: `text[start:end]` is what the rule took, before marks were removed; both 0 without an answer.
    """

    answer: str | None
    rule: str
    start: int
    end: int


def extract_answer(text: str, *, allow_bare: bool = False) -> Extraction:
    r"""The final answer in what a model wrote after its thinking.

    The last `\boxed{...}` or `\fbox{...}` whose braces balance and which holds something; else the last `Answer:`
    (`Final Answer:`, `**Answer:**`, upper or lower case) with something on its line, or on the next one. Time grows
    linearly with the text.

    Args:
        text: what stands after the end-of-thinking delimiter; thinking is full of boxes that were thought better of.
        allow_bare: a text that is one line of at most 100 characters is an answer by itself. For models that were
            trained to answer without a mark; not part of s1's rules.
    """
    for rule, span in ((BOXED, _last_box(text)), (ANSWER_LINE, _last_answer_line(text))):
        if span:
            return Extraction(_without_marks(text[slice(*span)], is_sentence=rule == ANSWER_LINE), rule, *span)
    stripped = text.strip()
    if allow_bare and len(stripped) <= MAX_BARE and "\n" not in stripped and _without_marks(stripped):
        start = text.index(stripped)
        return Extraction(_without_marks(stripped), BARE, start, start + len(stripped))
    return Extraction(None, NONE, 0, 0)


def _last_box(text: str) -> tuple[int, int] | None:
    """Start and end of the contents of the balanced box that opens last."""
    found: tuple[int, int] | None = None
    opened: list[tuple[bool, int]] = []
    for match in _BRACES.finditer(text):
        if match["box"] or match[0] == "{":
            opened.append((bool(match["box"]), match.end()))
        elif match[0] == "}" and opened:
            is_box, start = opened.pop()
            if is_box and (found is None or start > found[0]) and _without_marks(text[start : match.start()]):
                found = (start, match.start())
    return found


def _last_answer_line(text: str) -> tuple[int, int] | None:
    """Start and end of what follows the last `Answer:` that is followed by anything."""
    end = len(text)
    for mark in reversed(list(_ANSWER.finditer(text))):
        # what follows a mark ends where the next one begins, so that no part is read twice
        rest = text[mark.end() : end]
        end = mark.start()
        start = mark.end() + len(rest) - len(rest.lstrip())
        rest = rest.strip()
        closing = _DISPLAY.get(rest[:2])
        stop = rest.find(closing, 2) + len(closing) if closing and closing in rest[2:] else -1
        if stop < 0:
            stop = len(rest.partition("\n")[0])
        if _without_marks(rest[:stop], is_sentence=True):
            return start, start + stop
    return None


def _without_marks(text: str, *, is_sentence: bool = False) -> str:
    """The value without emphasis, mathematics signs and a full stop around it."""
    value = text.strip()
    if is_sentence:
        value = _HOPE.sub("", value)
        sentence = _SENTENCE.match(value)
        value = sentence["value"] if sentence else value
    while True:
        before = value
        value = value.strip()
        for left, right in _PAIRS:
            inner = value[len(left) : len(value) - len(right)]
            # $a$ and $b$ begins and ends with the sign, and is two formulas
            if value.startswith(left) and value.endswith(right) and len(value) > len(left) and left not in inner:
                value = inner
        # \right. is a delimiter, and three dots are not a full stop
        if value.endswith(".") and not value.endswith(("..", "\\left.", "\\right.")):
            value = value[:-1]
        value = value.strip("*").strip()
        if value == before:
            return value
