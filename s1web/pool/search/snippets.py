"""Where a search hit: a few words around it with the hits marked, for the rows that are shown and no others."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models.functions import Substr

from s1web.pool.models import Question
from s1web.pool.search.query import Term
from s1web.pool.search.words import FIELDS, fold

# how much of a text is looked at: a hit further down is found but not shown
MAX_CHARACTERS = 200_000
# words before the hit are few, so that it is seen in a narrow column; those behind it fill the line
_BEFORE, _AROUND = 16, 30
_LENGTH = 220


@dataclass(frozen=True)
class Snippet:
    """A piece of one field's text.

    Attributes:
        field: question, solution or trace.
        parts: (text, whether it is a hit), which together are the piece.
        is_cut_before, is_cut_after: the text goes on there.
    """

    field: str
    parts: tuple[tuple[str, bool], ...]
    is_cut_before: bool
    is_cut_after: bool


def snippets(pks: Sequence[int], terms: Iterable[Term]) -> dict[int, Snippet]:
    """Question's key -> its snippet, in one query; none where nothing is to be marked in what is looked at."""
    wanted = [term for term in terms if not term.is_excluded]
    patterns = {field: [re.compile(_pattern(term)) for term in wanted if field in term.fields] for field in FIELDS}
    if not wanted:
        return {}
    texts = Question.objects.filter(pk__in=pks).values_list(
        "pk",
        *(Substr(name, 1, MAX_CHARACTERS) for name in ("text", "solution", "trace__thinking", "trace__attempt")),
    )
    found: dict[int, Snippet] = {}
    for pk, question, solution, thinking, attempt in texts:
        trace = f"{thinking or ''}\n{attempt or ''}"
        for field, text in zip(FIELDS, (question, solution, trace), strict=True):
            snippet = _snippet(field, text, patterns[field])
            if snippet is not None:
                found[pk] = snippet
                break
    return found


def _pattern(term: Term) -> str:
    r"""The term in a folded text: its words with whatever is no letter or digit between them.

    That no letter stands before is asked behind the first word: a pattern that begins with a plain word is looked for
    many times faster.
    """
    first, *others = (re.escape(fold(word)) for word in term.words)
    words = r"[\W_]+".join([rf"{first}(?<![^\W_]{first})", *others])
    rest = r"[^\W_]*" if term.is_prefix else ""
    return rf"{words}{rest}(?![^\W_])"


def _snippet(field: str, text: str, patterns: Sequence[re.Pattern[str]]) -> Snippet | None:
    lowered = text.lower()
    first = _first(lowered, patterns) if len(lowered) == len(text) else None
    if first is None and not text.isascii():
        # hits with accents are seldom, and taking all accents off costs more than looking twice
        first = _first(fold(text), patterns)
    if first is None:
        return None
    start = _word_start(text, max(first.start() - _BEFORE, 0), first.start())
    stop = min(max(start + _LENGTH, min(first.end(), start + 2 * _LENGTH)), len(text))
    parts: list[tuple[str, bool]] = []
    last = start
    # a little more than is shown, so that the last word is seen whole
    shown = fold(text[start : stop + _AROUND])
    hits = sorted({hit.span() for pattern in patterns for hit in pattern.finditer(shown)})
    for begin, end in ((start + begin, start + end) for begin, end in hits):
        if last <= begin and end <= stop:  # of hits that overlap the first is marked
            parts += [(text[last:begin], False), (text[begin:end], True)]
            last = end
    parts.append((text[last:stop], False))
    return Snippet(field, tuple(part for part in parts if part[0]), start > 0, stop < len(text))


def _first(searched: str, patterns: Sequence[re.Pattern[str]]) -> re.Match[str] | None:
    hits = [hit for pattern in patterns if (hit := pattern.search(searched)) is not None]
    return min(hits, key=lambda hit: hit.start(), default=None)


def _word_start(text: str, start: int, latest: int) -> int:
    """The first place from `start` on where no word is cut."""
    if start == 0:
        return 0
    blank = text.find(" ", start, latest)
    return blank + 1 if blank >= 0 else start
