"""What s1 published about its own selections, to stand beside one's own figures."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class PublishedFunnel:
    """Questions left after each stage, as far as they were published; `num_whole` of them were taken whole."""

    title: str
    source: str
    left: Mapping[str, int]
    num_whole: int


@dataclass(frozen=True, slots=True)
class PublishedScore:
    """Accuracy in percent of the model trained on a selection.

    `low` and `high` are the 95% interval of its difference to s1K in points; None for s1K itself.
    """

    benchmark: str
    accuracy: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class PublishedSelection:
    """A selection of the paper under its name there."""

    title: str
    scores: tuple[PublishedScore, ...]


@cache
def published_funnels() -> dict[str, PublishedFunnel]:
    """Preset -> what was published of it: `paper` and `released`."""
    return {
        name: PublishedFunnel(item["title"], item["source"], item["left"], item["whole"])
        for name, item in _document()["funnels"].items()
    }


@cache
def published_selections() -> dict[str, PublishedSelection]:
    """Preset -> the paper's selection of that kind and its scores (s1 table 2)."""
    scores = _document()["scores"]
    found = {}
    for name, item in scores["trained_on"].items():
        intervals = item["interval"] or [(None, None)] * len(scores["benchmarks"])
        rows = zip(scores["benchmarks"], item["accuracy"], intervals, strict=True)
        found[name] = PublishedSelection(
            item["title"], tuple(PublishedScore(benchmark, value, *ends) for benchmark, value, ends in rows)
        )
    return found


def _document() -> dict[str, Any]:
    return tomllib.loads((resources.files("curation") / "data" / "published.toml").read_text(encoding="utf-8"))
