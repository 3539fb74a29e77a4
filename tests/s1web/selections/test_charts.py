"""Charts: heights, ticks and tables that say the same figures."""

import pytest

from curation.spread import LENGTH_EDGES
from s1web.selections.charts import bar_chart, length_chart

LABELS = ["a", "b", "c"]


def heights(chart, series=1):
    return [bar.height for bar in chart.bars if bar.series == series]


def test_bars_are_as_high_as_their_counts_and_stand_on_the_axis():
    chart = bar_chart(LABELS, [("Questions", [10, 20, 40])], x_title="x", ticks=[])
    low, middle, high = heights(chart)
    assert (middle / low, high / low) == (pytest.approx(2), pytest.approx(4))
    assert all(bar.y + bar.height == pytest.approx(chart.bottom, abs=0.02) for bar in chart.bars)
    assert chart.rows == (("a", (10,)), ("b", (20,)), ("c", (40,)))
    assert [bar.title for bar in chart.bars] == ["a: 10", "b: 20", "c: 40"]


def test_several_series_are_drawn_as_shares_of_each_and_listed_as_counts():
    chart = bar_chart(LABELS, [("A", [1, 1, 2]), ("B", [1_000, 1_000, 2_000])], x_title="x", ticks=[])
    assert heights(chart, 1) == heights(chart, 2)
    assert chart.y_title == "Share of the selection"
    assert chart.y_ticks[-1].label == "60%"
    assert chart.rows[2] == ("c", (2, 2_000))
    assert chart.bars[-1].title == "c: 2,000 of 4,000 (B)"


@pytest.mark.parametrize(
    ("most", "labels"),
    [
        (0, ["0", "1"]),
        (1, ["0", "1"]),
        (7, ["0", "2", "4", "6", "8"]),
        (169, ["0", "50", "100", "150", "200"]),
        (8_900, ["0", "5,000", "10,000"]),
        (53_076, ["0", "20,000", "40,000", "60,000"]),
    ],
)
def test_ticks_are_round_few_and_hold_the_highest(most, labels):
    chart = bar_chart(["a"], [("Questions", [most])], x_title="x", ticks=[])
    assert [tick.label for tick in chart.y_ticks] == labels
    assert chart.bars[0].y >= 0


def test_lengths_have_octaves_as_ticks_at_the_edge_of_their_bars():
    lengths = [0] * len(LENGTH_EDGES)
    for edge in (362, 512, 4096):
        lengths[LENGTH_EDGES.index(edge)] = 1
    chart = length_chart([("Questions", lengths)])
    assert chart is not None
    assert [tick.label for tick in chart.x_ticks] == ["512", "1k", "2k", "4k"]
    assert len(chart.rows) == LENGTH_EDGES.index(4096) - LENGTH_EDGES.index(362) + 1
    bar = next(bar for bar in chart.bars if bar.title == "512 to 723: 1")
    assert 0 < bar.x - chart.x_ticks[0].place < bar.width


def test_no_lengths_make_no_chart():
    assert length_chart([("Questions", [0] * len(LENGTH_EDGES))]) is None
