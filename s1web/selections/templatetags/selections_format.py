"""Figures of runs and selections as a reader wants them."""

from functools import cache
from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse

from s1web.templatetags.s1web_format import MISSING, thousands

register = template.Library()
_MEASURES = {
    "decontamination": "the fewest words shared; those that stay, by hash",
    "deduplication": "by hash, as similarity has no order among those that stay",
    "annotation": "one annotation missing before several; of those that stay, the shortest traces",
    "formatting": "one rule hit before several; of those that stay, those that a rule hits that does not count",
    "difficulty": "solved by one model before both, the longest trace first; of those that stay, the shortest traces",
    "selection": "what the same seed would draw next, and what it drew last",
}
_ANY = "0" * 16


@register.filter
def whole(number: Any) -> str:
    """4521.5 -> "4,522"."""
    return MISSING if number in (None, "") else thousands(round(number))


@register.filter
def decimals(number: Any, places: int = 3) -> str:
    """0.83333 -> "0.833": all digits, so that figures stand below each other."""
    return MISSING if number in (None, "") else f"{number:,.{places}f}"


@register.filter
def signed(number: Any) -> str:
    """12 -> "+12", -3 -> "−3", 0 -> "0"."""
    if number in (None, ""):
        return MISSING
    return "0" if not number else f"{'+' if number > 0 else '−'}{abs(number):,}"


@register.filter
def share(part: float | None, whole: float | None) -> str:
    """The width of a bar out of 100."""
    return "0" if not part or not whole else f"{100 * part / whole:.2f}"


@register.filter
def milliseconds(seconds: float) -> str:
    """0.1234 -> "123 ms"."""
    return f"{round(seconds * 1000):,} ms"


@register.filter
def border_measure(stage: str) -> str:
    """What is close to the border of a stage, in words."""
    return _MEASURES.get(stage, "by hash")


@register.filter
def question_url(question_hash: str) -> str:
    """The page of a question."""
    return _pattern().replace(_ANY, question_hash)


@cache
def _pattern() -> str:
    # looked up once: a page has a hundred of them
    try:
        return reverse("questions:detail", args=[_ANY])
    except NoReverseMatch:
        return f"#{_ANY}"


@register.filter
def less(number: float, other: float) -> float:
    """The difference of two figures."""
    return number - other
