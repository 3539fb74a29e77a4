"""Charts as figures that a template draws as SVG: no script, and readable as a table too."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from curation.spread import LENGTH_EDGES
from s1web.selections.comparing import length_label

WIDTH, HEIGHT = 640, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 8, 12, 44
_NUM_TICKS = 4


@dataclass(frozen=True)
class Bar:
    """`series` counts from 1; `title` is what hovering says."""

    x: float
    y: float
    width: float
    height: float
    series: int
    title: str


@dataclass(frozen=True)
class Tick:
    place: float
    label: str


@dataclass(frozen=True)
class Chart:
    """Bars over one axis.

    Attributes:
        names: of the series, in their order.
        rows: (label, one value for each series): the table of the same figures.
    """

    bars: tuple[Bar, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_title: str
    y_title: str
    names: tuple[str, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def bottom(self) -> int:
        return self.height - _BOTTOM

    @property
    def left(self) -> int:
        return _LEFT

    @property
    def right(self) -> int:
        return self.width - _RIGHT


def bar_chart(
    labels: Sequence[str],
    series: Sequence[tuple[str, Sequence[int]]],
    *,
    x_title: str,
    ticks: Sequence[tuple[float, str]],
) -> Chart:
    """Bars side by side for each label: counts of one series, shares of several, whose sizes may be far apart.

    Args:
        ticks: (place, text); place 0 is the left edge of the first label's bars, 1 that of the second's.
    """
    has_shares = len(series) > 1
    heights = [[_share(count, values) if has_shares else count for count in values] for _, values in series]
    top, step = _scale(max((height for own in heights for height in own), default=0))
    slot = (WIDTH - _LEFT - _RIGHT) / max(len(labels), 1)
    room = HEIGHT - _TOP - _BOTTOM
    width = slot * 0.86 / max(len(series), 1)
    bars = []
    for number, (name, values) in enumerate(series):
        for place, (count, height) in enumerate(zip(values, heights[number], strict=True)):
            x, drawn = _LEFT + slot * (place + 0.07) + width * number, room * height / top
            title = f"{labels[place]}: {count:,}" + (f" of {sum(values):,} ({name})" if has_shares else "")
            y = round(_TOP + room - drawn, 2)
            bars.append(Bar(round(x, 2), y, round(width, 2), round(drawn, 2), number + 1, title))
    return Chart(
        bars=tuple(bars),
        x_ticks=tuple(Tick(round(_LEFT + slot * place, 2), label) for place, label in ticks),
        y_ticks=tuple(
            Tick(round(_TOP + room * (1 - value / top), 2), f"{value:,}{'%' if has_shares else ''}")
            for value in range(0, top + 1, step)
        ),
        x_title=x_title,
        y_title="Share of the selection" if has_shares else "Questions",
        names=tuple(name for name, _ in series),
        rows=tuple((label, tuple(values[place] for _, values in series)) for place, label in enumerate(labels)),
    )


def length_chart(series: Sequence[tuple[str, Sequence[int]]]) -> Chart | None:
    """Questions by trace length on a log2 axis; None where none has a length."""
    used = [place for place in range(len(LENGTH_EDGES)) if any(values[place] for _, values in series)]
    if not used:
        return None
    places = range(used[0], used[-1] + 1)
    octaves = [place for place in places if LENGTH_EDGES[place] >= 512 and _is_power(LENGTH_EDGES[place])]
    return bar_chart(
        [length_label(place) for place in places],
        [(name, [values[place] for place in places]) for name, values in series],
        x_title="Trace length, tokens (log2)",
        ticks=[(place - used[0], _tokens(LENGTH_EDGES[place])) for place in octaves],
    )


def _share(count: int, values: Sequence[int]) -> float:
    """In percent of all."""
    return 100 * count / (sum(values) or 1)


def _scale(most: float) -> tuple[int, int]:
    """(top of the axis, distance of its ticks): 1, 2 or 5 with zeros, up to four ticks."""
    step, factors = 1, itertools.cycle((2, 2.5, 2))
    while step * _NUM_TICKS < most:
        step = round(step * next(factors))
    return max(step * math.ceil(most / step), step), step


def _is_power(count: int) -> bool:
    return math.log2(count).is_integer()


def _tokens(count: int) -> str:
    return f"{count // 1024}k" if count >= 1024 else str(count)
