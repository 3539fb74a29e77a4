"""Numbers, durations and times as templates show them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.contrib import messages
from django.contrib.messages.storage.base import Message
from django.template import Context, Template
from django.utils import timezone as django_timezone

from s1web.icons import ICONS

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def shown(expression: str, value: object) -> str:
    return Template("{{ value|" + expression + " }}").render(Context({"value": value}))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (57_629, "57,629"),
        (0, "0"),
        (-1_234, "-1,234"),
        (12.5, "12.5"),
        (1_234.56789, "1,234.568"),
        (3.0, "3"),
        (100.0, "100"),
        (None, "–"),
        ("", "–"),
        ("many", "–"),
        (True, "–"),
        (float("nan"), "–"),
        (float("inf"), "–"),
    ],
)
def test_a_number_has_separators_and_a_missing_one_is_a_dash(number, text):
    assert shown("thousands", number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.04, "0 s"),
        (0.84, "0.8 s"),
        (2.0, "2 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 m 00 s"),
        (252, "4 m 12 s"),
        (3_599.4, "59 m 59 s"),
        (3_599.6, "1 h 00 m"),
        (7_500, "2 h 05 m"),
        (86_399, "1 d 00 h"),
        (200_000, "2 d 08 h"),
        (-252, "-4 m 12 s"),
        (None, "–"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds, text):
    assert shown("duration", seconds) == text


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [
        (0, "0 B"),
        (1_023, "1,023 B"),
        (1_024, "1.0 KiB"),
        (1_536, "1.5 KiB"),
        (150 * 1_024, "150 KiB"),
        (1_024**2 - 1, "1.0 MiB"),
        (900 * 2**20, "900 MiB"),
        (3 * 2**40, "3.0 TiB"),
        (5_000 * 2**40, "5,000 TiB"),
        (None, "–"),
    ],
)
def test_a_size_is_in_the_unit_that_suits_it(num_bytes, text):
    assert shown("size", num_bytes) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0%"),
        (1, "100%"),
        (0.1234, "12.3%"),
        (0.5, "50.0%"),
        (0.0001, "&lt;0.1%"),
        (0.99999, "&gt;99.9%"),
        (1.5, "150.0%"),
        (None, "–"),
    ],
)
def test_a_share_that_is_not_all_or_nothing_is_not_shown_as_such(share, text):
    assert shown("percent", share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "now"),
        (4.9, "now"),
        (5, "5 s ago"),
        (59.9, "59 s ago"),
        (200, "3 m ago"),
        (3_600, "1 h ago"),
        (47 * 3_600, "47 h ago"),
        (48 * 3_600, "2 d ago"),
        (400 * 86_400, "400 d ago"),
        (-90, "in 1 m"),
    ],
)
def test_a_time_is_how_long_ago_with_the_exact_one_on_hover(monkeypatch, seconds, text):
    monkeypatch.setattr(django_timezone, "now", lambda: NOW)
    when = NOW - timedelta(seconds=seconds)
    title = f"{when:%Y-%m-%d %H:%M:%S} UTC"
    assert shown("ago", when) == f'<time datetime="{when:%Y-%m-%dT%H:%M:%SZ}" title="{title}">{text}</time>'


def test_a_time_of_another_zone_is_told_in_utc(monkeypatch):
    monkeypatch.setattr(django_timezone, "now", lambda: NOW)
    when = (NOW - timedelta(hours=1)).astimezone(timezone(timedelta(hours=9)))
    assert 'datetime="2026-11-21T11:00:00Z" title="2026-11-21 11:00:00 UTC">1 h ago<' in shown("ago", when)


def test_a_missing_time_is_a_dash():
    assert shown("ago", None) == "–"


def test_an_icon_is_for_the_eye_alone():
    drawn = Template('{% icon "jobs" %}').render(Context())
    assert drawn.startswith('<svg class="icon"')
    assert 'aria-hidden="true"' in drawn


@pytest.mark.parametrize(
    ("level", "kind", "role"),
    [
        (messages.INFO, "info", "status"),
        (messages.SUCCESS, "success", "status"),
        (messages.WARNING, "warn", "status"),
        (messages.ERROR, "error", "alert"),
    ],
)
def test_a_message_is_a_notice_with_the_shape_of_its_kind(level, kind, role):
    said = Message(level, "Dropped <b>3</b> questions.")
    drawn = Template('{% include "_messages.html" %}').render(Context({"messages": [said]}))
    assert f'<p class="notice notice--{kind}" role="{role}"><svg' in drawn
    assert ICONS[kind] in drawn
    assert "Dropped &lt;b&gt;3&lt;/b&gt; questions." in drawn


def test_an_icon_that_does_not_exist_is_an_error():
    with pytest.raises(KeyError, match="unicorn"):
        Template('{% icon "unicorn" %}').render(Context())
