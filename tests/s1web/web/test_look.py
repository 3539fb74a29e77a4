"""The colours: enough contrast for text in both themes, whatever surface it stands on."""

import re

import pytest

from tests.processes import ROOT

TOKENS = (ROOT / "s1web" / "static" / "css" / "tokens.css").read_text(encoding="utf-8")
THEMES = ("light", "dark")
SURFACES = ("surface", "surface-raised", "surface-sunken", "surface-hover")
MEANINGS = ("right", "wrong", "ungraded", "dropped", "running")
PAIRS = [
    *[(text, surface) for text in ("text", "text-muted", "accent", *MEANINGS) for surface in SURFACES],
    *[(meaning, f"{meaning}-surface") for meaning in MEANINGS],
    *[("text", f"{meaning}-surface") for meaning in MEANINGS],
    ("accent-strong", "accent-surface"),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("on-wrong", "wrong"),
]


def colour(name: str, theme: str) -> str:
    found = re.search(rf"--{name}: light-dark\((#[0-9a-f]{{6}}), (#[0-9a-f]{{6}})\);", TOKENS)
    assert found, f"--{name} is no pair of colours"
    return found[1 + THEMES.index(theme)]


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    bright, dim = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def test_contrast_is_computed_as_wcag_says():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("text", "surface"), PAIRS)
def test_text_has_enough_contrast(theme, text, surface):
    assert contrast(colour(text, theme), colour(surface, theme)) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("surface", SURFACES[:3])
def test_the_border_of_a_control_can_be_seen(theme, surface):
    assert contrast(colour("control-border", theme), colour(surface, theme)) >= 3
