"""Evaluation sets as records: AIME24, MATH500, GPQA Diamond and one's own (s1 §4.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curation.errors import RowError
from curation.hashing import question_hash

MAX_KEY = 200


@dataclass(frozen=True, slots=True)
class Problem:
    """One evaluation question.

    Attributes:
        key: its id in the benchmark; the question's hash where the file gives none.
        choices: the options of a multiple-choice question, in the order they are shown; empty otherwise.
        order: which of the source's options each of them is, where they were shuffled; empty otherwise.
    """

    key: str
    text: str
    answer: str
    choices: tuple[str, ...] = ()
    order: tuple[int, ...] = ()


def read_problem(raw: Mapping[str, Any]) -> Problem:
    """A row of a benchmark file: id, problem (or question), answer, optional choices.

    Raises:
        RowError: problem or answer is missing, or a value of the wrong kind.
    """
    text = raw.get("problem", raw.get("question"))
    if not isinstance(text, str) or not text.strip():
        raise RowError(f"problem holds {text!r:.60}; a text is needed")
    answer = raw.get("answer")
    if isinstance(answer, bool) or not isinstance(answer, str | int | float):
        raise RowError(f"answer holds {answer!r:.60}; a text or a number is needed")
    key = raw.get("id")
    if key is not None and (isinstance(key, bool) or not isinstance(key, str | int) or not str(key)):
        raise RowError(f"id holds {key!r:.60}; a text or a number is allowed")
    if len(str(key)) > MAX_KEY:
        raise RowError(f"id has {len(str(key))} characters; at most {MAX_KEY} are allowed")
    choices = raw.get("choices") or []
    if not isinstance(choices, list) or not all(isinstance(choice, str) for choice in choices):
        raise RowError(f"choices holds {choices!r:.60}; a list of texts is allowed")
    everything = "".join((text, str(answer), str(key), *choices))
    if "\0" in everything:
        raise RowError("a text holds a NUL character (U+0000), which a database text cannot hold; remove it")
    try:
        everything.encode()
    except UnicodeEncodeError:
        raise RowError("a text holds half a surrogate pair, which no UTF-8 text can hold; repair the text") from None
    identity = question_hash(text) if key is None else str(key)
    return Problem(key=identity, text=text, answer=str(answer), choices=tuple(choices))
