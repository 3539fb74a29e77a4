"""Numbers, durations and times as a reader wants them; what is missing is a dash, never a zero."""

import math
from datetime import UTC, datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from s1web.icons import ICONS

register = template.Library()
MISSING = "–"
_VERDICTS = {
    True: SafeString('<span class="badge badge--done">right</span>'),
    False: SafeString('<span class="badge badge--failed">wrong</span>'),
    None: SafeString('<span class="badge badge--cancelled">not graded</span>'),
}
_MARKS = {
    grade: SafeString(
        str(badge)
        .replace('">', f' badge--mark" title="{word}"><span class="visually-hidden">', 1)
        .replace("</span>", "</span></span>")
    )
    for (grade, badge), word in zip(_VERDICTS.items(), ("right", "wrong", "not graded"), strict=True)
}
_BYTE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


@register.filter
def thousands(number: float | None) -> str:
    """57629 -> "57,629"; a fraction keeps what is written of it, up to three digits."""
    if not _is_number(number):
        return MISSING
    assert number is not None
    if isinstance(number, int):
        return f"{number:,}"
    whole, _, fraction = f"{number:,.3f}".partition(".")
    return f"{whole}.{fraction.rstrip('0')}".removesuffix(".")


@register.filter
def duration(seconds: float | None) -> str:
    """252 -> "4 m 12 s"; two units at most, and tenths below ten seconds."""
    if not _is_number(seconds):
        return MISSING
    assert seconds is not None
    if seconds < 0:
        return f"-{duration(-seconds)}"
    # rounded before it is split, so that no 60 s is ever shown
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02d} s"
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} m"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24:02d} h"


@register.filter
def ago(when: datetime | None) -> str:
    """`<time>` with how long ago, and the exact time in UTC on hover."""
    if when is None:
        return MISSING
    seconds = (timezone.now() - when).total_seconds()
    exact = when.astimezone(UTC)
    text = _distance(abs(seconds))
    if text != "now":
        text = f"{text} ago" if seconds >= 0 else f"in {text}"
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        exact.isoformat(timespec="seconds").replace("+00:00", "Z"),
        f"{exact:%Y-%m-%d %H:%M:%S}",
        text,
    )


def _distance(seconds: float) -> str:
    if seconds < 5:
        return "now"
    for unit, length, limit in (("s", 1, 60), ("m", 60, 3600), ("h", 3600, 48 * 3600)):
        if seconds < limit:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds // (24 * 3600))} d"


@register.filter
def size(num_bytes: float | None) -> str:
    """1536 -> "1.5 KiB"."""
    if not _is_number(num_bytes):
        return MISSING
    assert num_bytes is not None
    value, unit = float(num_bytes), 0
    while round(abs(value), 1) >= 1024 and unit < len(_BYTE_UNITS) - 1:
        value /= 1024
        unit += 1
    return (
        f"{value:,.0f} {_BYTE_UNITS[unit]}" if unit == 0 or abs(value) >= 100 else f"{value:,.1f} {_BYTE_UNITS[unit]}"
    )


@register.filter
def percent(share: float | None) -> str:
    """0.1234 -> "12.3%"; what is not quite nothing, or not quite all, is not shown as such."""
    if not _is_number(share):
        return MISSING
    assert share is not None
    if 0 < share < 0.0005:
        return "<0.1%"
    if 0.9995 <= share < 1:
        return ">99.9%"
    return f"{share * 100:.1f}%" if share not in (0, 1) else f"{share * 100:.0f}%"


@register.filter
def verdict(grade: bool | None) -> SafeString:
    """A grade by shape, colour and word; missing is not wrong."""
    return _VERDICTS[grade]


def verdict_mark(grade: bool | None) -> SafeString:
    """The same for tables: the word is there for those who do not see the shape, and on hover."""
    return _MARKS[grade]


@register.simple_tag
def icon(name: str) -> SafeString:
    """An icon for the eye alone: the text beside it says the same."""
    drawing = mark_safe(ICONS[name])  # noqa: S308 (our own drawings)
    return format_html('<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">{}</svg>', drawing)


def _is_number(value: Any) -> bool:
    """Templates hand over whatever stands there, the empty string for what does not exist."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
