"""How far a job is, in its own unit."""

from django import template

from s1web.templatetags.s1web_format import size, thousands

register = template.Library()


@register.filter
def amount(number: float | None, unit: str | None) -> str:
    """57629 in "rows" -> "57,629 rows"; bytes as MiB and the like."""
    if number is None:
        return thousands(None)
    if unit == "bytes":
        return size(number)
    if unit and number == 1 and unit.endswith("s"):
        unit = unit[:-1]
    return f"{thousands(number)} {unit}" if unit else thousands(number)


@register.filter
def pace(rate: float | None, unit: str | None) -> str:
    """4012.3 in "rows" -> "4,012 rows/s"; below ten with a digit behind the point. Nothing where it stands still."""
    if not rate or rate < 0.05:
        return ""
    if unit == "bytes":
        return f"{size(rate)}/s"
    shown = f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}".removesuffix(".0")
    return f"{shown} {unit or ''}".strip() + "/s"


@register.filter
def done_of(job, unit: str | None) -> str:  # type: ignore[no-untyped-def]
    """ "12,000 of 57,629 rows"; without a total what is done alone."""
    if not job.total:
        return amount(job.done, unit)
    total = amount(job.total, unit)
    return f"{size(job.done)} of {total}" if unit == "bytes" else f"{thousands(job.done)} of {total}"
