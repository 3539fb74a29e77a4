"""Domains without a judge: the domain whose description lies nearest to the question, and how far methods agree.

A weak method, named as what it is wherever it is shown: descriptions are made from the classification's names alone.
"""

import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from curation.domains import domain_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

METHOD = "nearest description"
_BLOCK_ROWS = 16_384


def descriptions() -> dict[str, str]:
    """Two-digit code -> the text that stands for the domain."""
    return {code: f"A problem in {name.lower()}" for code, name in domain_names().items()}


def nearest_descriptions(
    questions: "NDArray[np.float32]", described: "NDArray[np.float32]"
) -> tuple["NDArray[np.int64]", "NDArray[np.float32]"]:
    """The nearest description of each question.

    Args:
        questions, described: vectors of length 1, of one model; `described` in the order of `descriptions()`.

    Returns:
        (places among the descriptions, cosines).
    """
    places = np.empty(len(questions), np.int64)
    cosines = np.empty(len(questions), np.float32)
    for start in range(0, len(questions), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        scores = questions[block] @ described.T
        places[block] = scores.argmax(axis=1)
        cosines[block] = np.take_along_axis(scores, places[block][:, None], axis=1)[:, 0]
    return places, cosines


@cache
def codes_of_label(label: str) -> frozenset[str]:
    """The domains that a label may mean: a code means itself, a known subject a few, any other nothing known."""
    if label in domain_names():
        return frozenset({label})
    return _subjects().get(label.strip().lower(), frozenset())


@cache
def _subjects() -> dict[str, frozenset[str]]:
    text = (resources.files("curation") / "data" / "subjects.toml").read_text(encoding="utf-8")
    return {label: frozenset(codes) for label, codes in tomllib.loads(text)["subjects"].items()}


@dataclass(frozen=True)
class Agreement:
    """How far two methods agree on the questions that both have labelled.

    Attributes:
        compared: questions where both labels can be compared.
        unknown: questions where one of them is no code and no subject known here.
        agreed: compared questions whose labels may mean the same.
        disagreements: (first label, second label, questions), the most frequent first.
    """

    compared: int
    unknown: int
    agreed: int
    disagreements: list[tuple[str, str, int]]

    @property
    def share(self) -> float | None:
        """None where nothing could be compared."""
        return self.agreed / self.compared if self.compared else None

    def to_json(self) -> dict[str, Any]:
        share = None if self.share is None else round(self.share, 4)
        return {
            "compared": self.compared,
            "unknown": self.unknown,
            "agreed": self.agreed,
            "share": share,
            "disagreements": [
                {"first": first, "second": second, "questions": count} for first, second, count in self.disagreements
            ],
        }


def agreement(pairs: Iterable[tuple[str, str, int]], *, most: int = 10) -> Agreement:
    """Compare two methods.

    Args:
        pairs: (label of the first, label of the second, number of questions).
        most: how many disagreements to list.
    """
    compared = unknown = agreed = 0
    apart: Counter[tuple[str, str]] = Counter()
    for first, second, count in pairs:
        codes, others = codes_of_label(first), codes_of_label(second)
        if not codes or not others:
            unknown += count
            continue
        compared += count
        if codes & others:
            agreed += count
        else:
            apart[first, second] += count
    ranked = sorted(apart.items(), key=lambda item: (-item[1], item[0]))
    return Agreement(compared, unknown, agreed, [(*labels, count) for labels, count in ranked[:most]])
