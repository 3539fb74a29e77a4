"""How much of a selection is the recipe's doing and how much the seed's: the same recipe drawn with many seeds."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations

import numpy as np

from curation.pipeline import NOT_DRAWN, RULES, SELECTED, curate
from curation.presets import Recipe
from curation.records import PoolColumns
from curation.spread import measure_spread

# these draw nothing, so that every seed gives the same
WITHOUT_DRAWS = ("longest", "full")


@dataclass(frozen=True, slots=True)
class SeedOutcome:
    """One seed's selection: its size, domains, and trace lengths in tokens (None where no length is known)."""

    seed: int
    size: int
    num_domains: int
    mean_tokens: float | None
    quartiles: tuple[float, float, float] | None
    sha256: str


@dataclass(frozen=True, slots=True)
class DomainRange:
    """Questions of a domain in one selection: least, mean and most over the seeds."""

    domain: str
    least: int
    mean: float
    most: int


@dataclass(frozen=True, slots=True)
class Stability:
    """Attributes:
    outcomes: seed by seed.
    overlap: (mean, least, most) Jaccard similarity over all pairs of seeds; None for a single seed.
    num_pairs: of seeds.
    times_drawn: the i-th is the number of candidates that i of the seeds selected, from 0 to all.
    always: hashes of the questions that every seed selected, sorted.
    num_whole: questions taken whole, which no seed changes.
    domains: by domain, the most frequent first.
    """

    outcomes: tuple[SeedOutcome, ...]
    overlap: tuple[float, float, float] | None
    num_pairs: int
    times_drawn: tuple[int, ...]
    always: tuple[str, ...]
    num_whole: int
    domains: tuple[DomainRange, ...]

    @property
    def num_candidates(self) -> int:
        """Questions that passed every rule before the selection."""
        return sum(self.times_drawn)

    @property
    def num_never(self) -> int:
        return self.times_drawn[0]

    def to_json(self) -> dict[str, object]:
        derived = {"num_candidates": self.num_candidates, "num_never": self.num_never, "num_always": len(self.always)}
        return asdict(self) | derived


def measure_stability(
    columns: PoolColumns,
    recipe: Recipe,
    seeds: Sequence[int],
    near_duplicates: np.ndarray | None = None,
    *,
    on_seed: Callable[[int], None] = lambda _done: None,
) -> Stability:
    """Draw the recipe once with each of the seeds, in place of its own, and compare what comes out.

    Args:
        near_duplicates: as `pipeline.curate` takes them.
        on_seed: called with the number of seeds done.

    Raises:
        ValueError: no seed, or one given twice.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds={list(seeds)}; give at least one, and each once")
    is_in = np.zeros((len(seeds), len(columns)), dtype=bool)
    outcomes = []
    by_domain = np.zeros((len(seeds), len(columns.domain_names)), dtype=np.int64)
    for place, seed in enumerate(seeds):
        result = curate(columns, replace(recipe, seed=seed), near_duplicates)
        rows = result.selected
        is_in[place, rows] = True
        spread = measure_spread(columns.trace_tokens[rows], columns.domain[rows], columns.domain_names)
        by_domain[place] = [spread.domains.get(name, 0) for name in columns.domain_names]
        outcomes.append(
            SeedOutcome(seed, len(rows), len(spread.domains), spread.mean_tokens, spread.quartiles, result.sha256)
        )
        on_seed(place + 1)
    # who reaches the selection, and who is taken whole, is the same for every seed
    candidates = (result.fates == SELECTED) | (result.fates == RULES.index(NOT_DRAWN))
    times = is_in.sum(axis=0)
    overlaps = [_jaccard(is_in[a], is_in[b]) for a, b in combinations(range(len(seeds)), 2)]
    return Stability(
        outcomes=tuple(outcomes),
        overlap=(sum(overlaps) / len(overlaps), min(overlaps), max(overlaps)) if overlaps else None,
        num_pairs=len(overlaps),
        times_drawn=tuple(np.bincount(times[candidates], minlength=len(seeds) + 1).tolist()),
        always=tuple(sorted(value.decode() for value in columns.hashes[times == len(seeds)].tolist())),
        num_whole=result.num_whole,
        domains=_domain_ranges(columns.domain_names, by_domain),
    )


def _domain_ranges(names: Sequence[str], counts: np.ndarray) -> tuple[DomainRange, ...]:
    ranges = [
        DomainRange(name, int(column.min()), float(column.mean()), int(column.max()))
        for name, column in zip(names, counts.T, strict=True)
        if column.any()
    ]
    return tuple(sorted(ranges, key=lambda item: (-item.mean, item.domain)))


def _jaccard(a: np.ndarray, b: np.ndarray) -> float:
    either = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / either if either else 1.0
