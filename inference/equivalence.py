"""Whether an answer is the reference answer: right, wrong, or not graded (s1 §4.1).

The rules run in this order, and the first that is sure decides: equal text, integers, choices, bases, words; then
math-verify in a process of its own (`inference.math_verifier`); then a judge, where there is one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

NO_ANSWER = "no_answer"
NO_REFERENCE = "no_reference"
UNDECIDED = "undecided"
JUDGE = "judge"

_SPACES = re.compile(r"\\[!,;: ]|~|\\q?quad\b|\s+")
_TEXT = re.compile(r"\\(?:text|textbf|textit|textrm|mbox|mathrm|mathbf|operatorname)\s*\{([^{}]*)\}")
_INTEGER = re.compile(r"([+-]?)(\d+|\d{1,3}(?:,\d{3})+)", re.ASCII)
_THOUSANDS = re.compile(r",\\!\s*|\{,\}")
_BASE = re.compile(r"([+-]?[0-9A-Za-z]+)_(?:\{(\d{1,2})\}|(\d{1,2}))", re.ASCII)
_LETTER = re.compile(r"\(?\s*([A-Za-z])\s*\)?[.:]?")
# behind a letter, what shows that it names an option and does not begin a sentence: C) C. C: (C) C - C, or its end
_LEADING_LETTER = re.compile(r"(?:(?i:option|choice)\s+)?(?:\(\s*([A-Za-z])\s*\)|([A-Z])(?=\s*[).:,]|\s+[-–—]|\s*$))")
_WORDS = re.compile(r"[^\W\d_]+(?:[ '\-][^\W\d_]+)*")
# shorter ones are products of variables at least as often as words
_MIN_WORD = 4


@dataclass(frozen=True, slots=True)
class Grade:
    """Attributes:
    is_right: None where nothing could decide, which is not wrong.
    rule: what decided: text, integer, choice, base, words, math_verify, judge, no_answer; where nothing could,
        why: no_reference; choice.unclear, base.unclear and words.unclear, where mathematics could only mislead;
        undecided, where it was not asked; math_verify.timeout, .memory, .crashed, .unreadable, .too_long.
    """

    is_right: bool | None
    rule: str


@dataclass(frozen=True, slots=True)
class Item:
    """What is to be graded.

    Attributes:
        answer: as `answers.extract_answer` found it; None for no answer.
        reference: the benchmark's answer; for a multiple choice its letter or its text.
        problem: the question's text, for a judge.
        choices: the options in the order they were shown; empty otherwise.
    """

    answer: str | None
    reference: str
    problem: str = ""
    choices: tuple[str, ...] = ()


class Verifier(Protocol):
    """Compares pairs (reference, answer) as mathematics."""

    def verify(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Grade]:
        """One grade a pair, in their order."""


class Judge(Protocol):
    """Decides what no rule could; a model, or a person."""

    def __call__(self, item: Item) -> bool | None:
        """None where the judge cannot tell either."""


def grade_by_rules(item: Item) -> Grade:
    """What the rules say that need neither mathematics nor a judge; rule `undecided` where they say nothing.

    No answer is wrong, as in the paper's accuracy, under a rule of its own; no reference is not graded.
    """
    reference = item.reference.strip()
    if not reference:
        return Grade(None, NO_REFERENCE)
    if item.answer is None or not item.answer.strip():
        return Grade(False, NO_ANSWER)
    answer = item.answer.strip()
    if item.choices:
        return _grade_choice(answer, reference, item.choices)
    plain = plain_text(reference), plain_text(answer)
    if plain[0] == plain[1]:
        return Grade(True, "text")
    integers = _integer(reference), _integer(answer)
    if integers[0] and integers[1]:
        return Grade(integers[0] == integers[1], "integer")
    for rule in (_grade_lone_letter, _grade_base, _grade_words):
        grade = rule(answer, reference)
        if grade:
            return grade
    return Grade(None, UNDECIDED)


def grade_many(
    items: Sequence[Item],
    verifier: Verifier | None = None,
    judge: Judge | None = None,
    *,
    judge_sees_wrong: bool = False,
) -> list[Grade]:
    """Grade each item by the first that is sure: rules, mathematics, judge.

    Args:
        verifier: without one, mathematics stays undecided.
        judge: asked about what is left; its None leaves the grade as it was.
        judge_sees_wrong: the judge is asked about what math-verify calls wrong, too; it misses some equal forms
            (an inequality against a union of intervals, an angle in degrees against radians).
    """
    grades = [grade_by_rules(item) for item in items]
    if verifier is not None:
        open_places = [place for place, grade in enumerate(grades) if grade.rule == UNDECIDED]
        pairs = [(items[place].reference, items[place].answer or "") for place in open_places]
        for place, grade in zip(open_places, verifier.verify(pairs), strict=True):
            grades[place] = grade
    if judge is not None:
        for place, grade in enumerate(grades):
            is_open = grade.is_right is None and grade.rule != NO_REFERENCE
            if is_open or (judge_sees_wrong and grade == Grade(False, "math_verify")):
                opinion = judge(items[place])
                grades[place] = grade if opinion is None else Grade(opinion, JUDGE)
    return grades


def group_answers(answers: Sequence[str | None], verifier: Verifier | None = None) -> list[int]:
    """Which answers of one problem are the same answer, for voting.

    Args:
        answers: the samples' answers; None where a sample has none.
        verifier: compares what differs as text; without one, `1/2` and `0.5` are two answers.

    Returns:
        A group each, numbered from 0 in the order of their first answers; -1 for no answer, which has no vote. An
        answer joins the first group whose first answer it equals; what is not sure to be equal stays apart.
    """
    groups: list[int] = []
    seen: dict[str, int] = {}
    representatives: list[str] = []
    for answer in answers:
        if answer is None or not answer.strip():
            groups.append(-1)
            continue
        integer = _integer(answer)
        key = "".join(integer) if integer else plain_text(answer)
        if key not in seen:
            items = [Item(answer, representative) for representative in representatives]
            equal = [place for place, grade in enumerate(grade_many(items, verifier)) if grade.is_right]
            seen[key] = equal[0] if equal else len(representatives)
            if not equal:
                representatives.append(answer)
        groups.append(seen[key])
    return groups


def plain_text(text: str) -> str:
    r"""The text without what changes no value: spaces, dollar signs around it, \left and \right, \text, \dfrac."""
    value = text.strip()
    while len(value) > 1 and value[0] == value[-1] == "$":
        value = value[1:-1].strip()
    value = _TEXT.sub(r"\1", value)
    value = re.sub(r"\\left(?![a-z])|\\right(?![a-z])", "", value)
    value = re.sub(r"\\[dt]frac", r"\\frac", value)
    value = _SPACES.sub("", value).replace("{,}", ",").replace("^{\\circ}", "^\\circ").replace("−", "-")
    return value[:-1] if value.endswith(".") else value


def _integer(text: str) -> tuple[str, str] | None:
    """Sign and digits; as text, since a model may write more digits than int() takes."""
    value = _THOUSANDS.sub(",", text.strip())
    match = _INTEGER.fullmatch(plain_text(value))
    # 203, 204 are two numbers, 203,204 is one
    if not match or re.search(r",\s", value):
        return None
    digits = match[2].replace(",", "").lstrip("0") or "0"
    return "-" if match[1] == "-" and digits != "0" else "", digits


def _grade_choice(answer: str, reference: str, choices: Sequence[str]) -> Grade:
    wanted, given = _choice(reference, choices), _choice(answer, choices)
    if wanted is None:
        return Grade(None, NO_REFERENCE)
    return Grade(None, "choice.unclear") if given is None else Grade(given == wanted, "choice")


def _choice(text: str, choices: Sequence[str]) -> str | None:
    """The option that a text names, by its letter or its own text; None where it names none."""
    letters = [chr(ord("A") + place) for place in range(len(choices))]
    value = _TEXT.sub(r"\1", text).strip().strip("$*").strip()
    alone = _LETTER.fullmatch(value)
    if alone:
        return alone[1].upper()
    texts = [plain_text(choice) for choice in choices]
    if texts.count(plain_text(value)) == 1:
        return letters[texts.index(plain_text(value))]
    leading = _LEADING_LETTER.match(value)
    return (leading[1] or leading[2]).upper() if leading else None


def _grade_lone_letter(answer: str, reference: str) -> Grade | None:
    r"""A reference such as \text{(C)}, whose options stand in the problem's text; C alone may be a variable."""
    unwrapped = _TEXT.sub(r"\1", reference).strip().strip("$").strip()
    wanted = re.fullmatch(r"\(\s*([A-Za-z])\s*\)", unwrapped)
    if not wanted:
        return None
    value = _TEXT.sub(r"\1", answer).strip().strip("$").strip()
    given = _LETTER.fullmatch(value) or _LEADING_LETTER.match(value)
    if not given:
        # it may be the option's value, which is not known here
        return Grade(None, "choice.unclear")
    letter = next(group for group in given.groups() if group)
    return Grade(letter.upper() == wanted[1].upper(), "choice")


def _grade_base(answer: str, reference: str) -> Grade | None:
    """A reference such as 52_8: math-verify ignores the base."""
    wanted = _BASE.fullmatch(plain_text(reference))
    if not wanted:
        return None
    plain = plain_text(answer)
    given = _BASE.fullmatch(plain)
    digits = given[1] if given else plain
    if not given and not re.fullmatch(r"[+-]?[0-9A-Za-z]+", plain):
        return Grade(None, "base.unclear")
    if given and (given[2] or given[3]) != (wanted[2] or wanted[3]):
        # the same number in another base is not what was asked for, and not simply wrong either
        return Grade(None, "base.unclear")
    # the problem names the base, so that an answer may leave it out
    return Grade(digits.upper().lstrip("+0") == wanted[1].upper().lstrip("+0"), "base")


def _grade_words(answer: str, reference: str) -> Grade | None:
    r"""A reference that is a word, such as \text{even}: math-verify takes even and neve for the same product."""
    wanted = _words(reference)
    if wanted is None:
        return None
    given = _words(answer)
    if given is not None and (given == wanted or len(given.split()) == len(wanted.split())):
        return Grade(given == wanted, "words")
    longer = " ".join(_WORDS.findall(_TEXT.sub(r"\1", answer).casefold()))
    # "it is not even" holds the word; only a reader can tell
    return Grade(None, "words.unclear") if f" {wanted} " in f" {longer} " else Grade(False, "words")


def _words(text: str) -> str | None:
    unwrapped = _TEXT.sub(r"\1", text.strip().strip("$"))
    is_marked = unwrapped != text.strip().strip("$")
    value = " ".join(unwrapped.strip().strip(".*\"'").split())
    if not _WORDS.fullmatch(value) or len(value) < (2 if is_marked else _MIN_WORD):
        return None
    return value.casefold()
