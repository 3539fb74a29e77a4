"""How a set of questions spreads over domains and trace lengths."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# half octaves: s1's traces lie within three whole ones
LENGTH_EDGES = (0, *(round(2 ** (half / 2)) for half in range(16, 31)))


@dataclass(frozen=True, slots=True)
class Spread:
    """Attributes:
    size: questions.
    domains: domain -> questions, the most frequent first, of equals by name; those without one are left out.
    num_without_domain, num_without_length: questions that lack the annotation.
    lengths: questions by trace length; the i-th has LENGTH_EDGES[i] tokens or more, and fewer than the next edge.
    quartiles: 25%, 50% and 75% of the trace lengths in tokens; None where there is none.
    mean_tokens: of the trace lengths.
    """

    size: int
    domains: dict[str, int]
    num_without_domain: int
    num_without_length: int
    lengths: tuple[int, ...]
    quartiles: tuple[float, float, float] | None
    mean_tokens: float | None

    @property
    def median_tokens(self) -> float | None:
        return None if self.quartiles is None else self.quartiles[1]


def measure_spread(tokens: np.ndarray, domain: np.ndarray, domain_names: Sequence[str]) -> Spread:
    """The spread of questions, one place each in both arrays.

    Args:
        tokens: trace lengths; -1 is missing.
        domain: places in `domain_names`; -1 is missing.
    """
    counts = np.bincount(domain[domain >= 0], minlength=len(domain_names)).tolist()
    named = [(domain_names[code], count) for code, count in enumerate(counts) if count]
    known = tokens[tokens >= 0]
    bins = np.searchsorted(LENGTH_EDGES, known, side="right") - 1
    low, middle, high = np.percentile(known, (25, 50, 75)).tolist() if len(known) else (0.0, 0.0, 0.0)
    return Spread(
        size=len(tokens),
        domains=dict(sorted(named, key=lambda item: (-item[1], item[0]))),
        num_without_domain=int((domain < 0).sum()),
        num_without_length=len(tokens) - len(known),
        lengths=tuple(np.bincount(bins, minlength=len(LENGTH_EDGES)).tolist()),
        quartiles=(low, middle, high) if len(known) else None,
        mean_tokens=float(known.mean()) if len(known) else None,
    )
