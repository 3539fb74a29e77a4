"""Hostile text as HTML: escaped, characters that are not seen made visible, matched spans lit."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import count

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

# control characters but tab and line ends, and format characters that turn, hide or join what stands around them;
# the two joiners stay, as Persian and emoji are written with them
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
# a text of nothing else would make a page fifty times its size
_MAX_MARKS = 500
# a browser shapes such a run anew for each of its lines: 20,000 characters took it half a minute
_LONG_RUN = re.compile(r"\S{400,}")
_BREAK_EACH = 100
# what a page shows of a text before it asks for the rest
SHOWN_CHARACTERS = 20_000


def reveal(text: str) -> SafeString:
    """The text escaped, with each character that cannot be seen as a mark with its code and name.

    Past 500 of them in one text they are replaced by U+FFFD. A long run without a space gets places to break at.
    """
    marks = count(1)
    parts: list[str] = []
    place = 0
    for run in _LONG_RUN.finditer(text):
        parts.append(_shown(text[place : run.start()], marks))
        pieces = (text[at : min(at + _BREAK_EACH, run.end())] for at in range(run.start(), run.end(), _BREAK_EACH))
        parts.append("<wbr>".join(_shown(piece, marks) for piece in pieces))
        place = run.end()
    parts.append(_shown(text[place:], marks))
    return mark_safe("".join(parts))  # noqa: S308 (each part is escaped)


def light(text: str, spans: Iterable[tuple[int, int]]) -> SafeString:
    """The text like `reveal`, with these spans of characters (in order, apart from each other) in `<mark>`."""
    parts: list[str] = []
    place = 0
    for start, end in spans:
        parts += [reveal(text[place:start]), "<mark>", reveal(text[start:end]), "</mark>"]
        place = end
    parts.append(reveal(text[place:]))
    return mark_safe("".join(parts))  # noqa: S308 (each part is escaped)


def excerpt(text: str, span: tuple[int, int] | None, around: int) -> tuple[str, tuple[int, int] | None]:
    """The part of a text around a span, cut between words where there are any, and the span within it."""
    start, end = span or (0, 0)
    first = max(start - around, 0)
    last = min(end + around, len(text))
    if first:
        space = text.find(" ", first, start)
        first = space + 1 if space >= 0 else first
    if last < len(text):
        space = text.rfind(" ", end, last)
        last = space if space >= 0 else last
    before, after = "…" if first else "", "…" if last < len(text) else ""
    shown = f"{before}{text[first:last]}{after}"
    shift = len(before) - first
    return shown, (start + shift, end + shift) if span else None


def _shown(text: str, marks: Iterator[int]) -> str:
    escaped = str(escape(text))
    if not _UNSEEN.search(escaped):
        return escaped
    return _UNSEEN.sub(lambda match: str(_mark(match[0])) if next(marks) <= _MAX_MARKS else "\ufffd", escaped)


def _mark(character: str) -> SafeString:
    code = f"U+{ord(character):04X}"
    name = unicodedata.name(character, "control character").lower()
    return format_html('<span class="unseen" title="{} {}">{}</span>', code, name, code)
