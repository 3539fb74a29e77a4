"""Drawing an id from logits: greedy, or by temperature, top-k and top-p with a seed of the request's own.

A draw uses one number of the request's generator and the inverse of the cumulative distribution, so one seed gives
one sequence of ids, whatever else is in the batch and on whichever engine the logits are equal. This is the numpy
form; `inference.engines.torch_sampling` draws for a whole batch on a device and is tested against it.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from curation.errors import ConfigError
from inference.forcing_plan import SamplingOverride


@dataclass(frozen=True, slots=True)
class Sampling:
    """How ids are drawn.

    Attributes:
        temperature: 0 is greedy, as in the paper's evaluations.
        top_p: the smallest set of ids that has this share; 1 is all.
        top_k: so many of the likeliest ids; 0 is all.
        frequency_penalty: taken off an id's logit once for each time it was generated.
        seed: of the request; repeats of a problem need different ones.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    frequency_penalty: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf:
            raise ConfigError(f"temperature={self.temperature}; 0 (greedy) or a positive number is allowed")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p={self.top_p}; a number above 0, up to 1 (all) is allowed")
        if self.top_k < 0:
            raise ConfigError(f"top_k={self.top_k}; 0 (all) or a positive number is allowed")
        if not -2 <= self.frequency_penalty <= 2:
            raise ConfigError(f"frequency_penalty={self.frequency_penalty}; -2 to 2 is allowed")
        if self.seed < 0:
            raise ConfigError(f"seed={self.seed}; 0 or a positive number is allowed")

    def under(self, override: SamplingOverride | None) -> "Sampling":
        """These options with what the override names in their place."""
        if override is None:
            return self
        changed = replace(self)
        if override.temperature is not None:
            changed = replace(changed, temperature=override.temperature)
        if override.frequency_penalty is not None:
            changed = replace(changed, frequency_penalty=override.frequency_penalty)
        return changed


def make_rng(seed: int) -> np.random.Generator:
    """The generator of a request."""
    return np.random.Generator(np.random.PCG64(seed))


def draw(
    logits: np.ndarray,
    sampling: Sampling,
    rng: np.random.Generator,
    *,
    forbidden: Iterable[int] = (),
    counts: Mapping[int, int] | None = None,
) -> int:
    """One id.

    Args:
        logits: shape (vocabulary,), float; -inf where an id does not exist. It is not changed.
        forbidden: ids that may not come.
        counts: how often each id was generated, for the frequency penalty.
    """
    scores = logits.astype(np.float64)
    scores[list(forbidden)] = -np.inf
    if sampling.frequency_penalty and counts:
        ids = list(counts)
        scores[ids] -= sampling.frequency_penalty * np.array([counts[id_] for id_ in ids])
    if sampling.temperature == 0:
        return int(np.argmax(scores))
    scores /= sampling.temperature
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    if sampling.top_k or sampling.top_p < 1:
        shares = _truncate(shares, sampling)
    cumulative = np.cumsum(shares)
    place = np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right")
    # rounding can carry the number to the very end, where ids without a share may stand
    return int(min(place, np.flatnonzero(shares)[-1]))


def _truncate(shares: np.ndarray, sampling: Sampling) -> np.ndarray:
    order = np.argsort(-shares, kind="stable")
    kept = np.ones(len(shares), dtype=bool)
    if sampling.top_k:
        kept[sampling.top_k :] = False
    ranked = np.where(kept, shares[order], 0.0)
    ranked /= ranked.sum()
    # an id stays where those before it have not reached top_p yet; the likeliest always does
    kept &= np.cumsum(ranked) - ranked < sampling.top_p
    truncated = np.zeros_like(shares)
    truncated[order[kept]] = shares[order[kept]]
    return truncated
