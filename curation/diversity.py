"""The draws that fill a selection (s1 §2.2, step diversity), so that another program can replay them.

Every draw takes the hard pool as `PoolColumns`, the rows that may be drawn and a seed, and returns rows in draw
order. One seed is one `numpy.random.Generator(numpy.random.PCG64(seed))`.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from curation.records import PoolColumns

# given the domains left (sorted by code) and u, the place of the domain that is drawn
DomainChoice = Callable[[Sequence[str], float], int]
# given the number n of a domain's remaining questions and v, the rank that is drawn
RankChoice = Callable[[int, float], int]


def make_rng(seed: int) -> np.random.Generator:
    """The generator of a run."""
    return np.random.Generator(np.random.PCG64(seed))


def by_length(columns: PoolColumns, rows: np.ndarray) -> np.ndarray:
    """The rows sorted by (-trace_tokens, question_hash); those without a length come last."""
    order = np.lexsort((columns.hashes[rows], -columns.trace_tokens[rows].astype(np.int64)))
    ordered: np.ndarray = rows[order]
    return ordered


def by_hash(columns: PoolColumns, rows: np.ndarray) -> np.ndarray:
    """The rows sorted by question_hash."""
    return rows[np.argsort(columns.hashes[rows], kind="stable")]


def uniform_domain(domains: Sequence[str], u: float) -> int:
    """Uniformly at random among the domains left (paper)."""
    return math.floor(u * len(domains))


def weighted_domain(weights: dict[str, int]) -> DomainChoice:
    """By the benchmarks' own domain distribution (released notebook); uniform where no weight is left."""

    def choose(domains: Sequence[str], u: float) -> int:
        w = np.array([weights.get(domain, 0) for domain in domains], dtype=np.float64)
        if not w.sum():
            return uniform_domain(domains, u)
        place = np.searchsorted(np.cumsum(w / w.sum()), u, side="right")
        return min(int(place), len(domains) - 1)

    return choose


def benchmark_weights(gpqa: dict[str, int], aime: dict[str, int]) -> dict[str, int]:
    """Domain weights from the counts of GPQA's and AIME's domains in the hard pool (released notebook).

    GPQA's counts are scaled by 0.5 * (AIME total) / (GPQA total) and floored, in exact integers.
    """
    gpqa_total, aime_total = sum(gpqa.values()), sum(aime.values())
    weights = dict(aime)
    for domain, count in gpqa.items():
        weights[domain] = weights.get(domain, 0) + count * aime_total // (2 * gpqa_total)
    return weights


def long_trace_rank(n: int, v: float) -> int:
    """Rank with probability proportional to 2**-rank, the longest trace being rank 0."""
    return min(n - 1, math.floor(-math.log2(1 - v * (1 - 2.0**-n))))


def uniform_rank(n: int, v: float) -> int:
    """Every remaining question alike."""
    return math.floor(v * n)


def draw_by_domain(
    columns: PoolColumns,
    rows: np.ndarray,
    *,
    num_draws: int,
    rng: np.random.Generator,
    choose_rank: RankChoice,
    choose_domain: Callable[[int], DomainChoice],
) -> list[int]:
    """Draw a domain, then one of its questions, without replacement, until enough are drawn or none is left.

    Args:
        rows: candidates; those without a domain cannot be drawn.
        choose_rank: rank in the domain's remaining questions, sorted by `by_length`.
        choose_domain: how the domain is drawn once so many questions have been drawn.

    Returns:
        Rows in draw order; shorter than `num_draws` where the candidates run out.
    """
    remaining: dict[str, list[int]] = {}
    for row in by_length(columns, rows).tolist():
        code = columns.domain[row]
        if code >= 0:
            remaining.setdefault(columns.domain_names[code], []).append(row)
    domains = sorted(remaining)
    drawn: list[int] = []
    while domains and len(drawn) < num_draws:
        u, v = rng.random(), rng.random()
        place = choose_domain(len(drawn))(domains, u)
        questions = remaining[domains[place]]
        drawn.append(questions.pop(choose_rank(len(questions), v)))
        if not questions:
            del domains[place]
    return drawn


def draw_uniformly(columns: PoolColumns, rows: np.ndarray, *, num_draws: int, rng: np.random.Generator) -> list[int]:
    """Every candidate alike: each hash, in sorted order, gets a key `rng.random()`; the smallest are taken."""
    ordered = by_hash(columns, rows)
    keys = np.array([rng.random() for _ in range(len(ordered))])
    chosen: list[int] = ordered[np.argsort(keys, kind="stable")[:num_draws]].tolist()
    return chosen
