"""Drawing the next id of many rows at once on a device; `inference.sampling.draw` does it for one row in numpy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.sampling import Sampling

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class RowDraw:
    """How one row draws.

    Attributes:
        number: the row's own random number in [0, 1); not used where it is greedy.
        forbidden: ids that may not come.
        counts: how often each id was generated, for the frequency penalty.
    """

    sampling: Sampling
    number: float
    forbidden: frozenset[int]
    counts: Mapping[int, int]


def draw_rows(logits: "torch.Tensor", rows: Sequence[RowDraw]) -> list[int]:
    """One id for each row.

    Args:
        logits: shape (len(rows), vocabulary), any float dtype, -inf where an id does not exist.
    """
    import torch

    scores = _masked_and_penalised(logits.float(), rows)
    ids = scores.argmax(dim=1)
    drawn = [place for place, row in enumerate(rows) if row.sampling.temperature > 0]
    if drawn:
        places = torch.tensor(drawn, device=scores.device)
        ids[places] = _draw(scores[places], [rows[place] for place in drawn])
    chosen: list[int] = ids.tolist()
    return chosen


def _masked_and_penalised(scores: "torch.Tensor", rows: Sequence[RowDraw]) -> "torch.Tensor":
    import torch

    changes: dict[tuple[int, int], float] = {}
    for place, row in enumerate(rows):
        if row.sampling.frequency_penalty:
            for id_, count in row.counts.items():
                changes[place, id_] = -row.sampling.frequency_penalty * count
        for id_ in row.forbidden:
            changes[place, id_] = float("-inf")
    if changes:
        scores = scores.clone()  # they may be the caller's own
        places, ids = (torch.tensor(part, device=scores.device) for part in zip(*changes, strict=True))
        amounts = torch.tensor(list(changes.values()), dtype=scores.dtype, device=scores.device)
        scores[places, ids] += amounts
    return scores


def _draw(scores: "torch.Tensor", rows: Sequence[RowDraw]) -> "torch.Tensor":
    """Ids by the inverse of the cumulative distribution, in float64: 32 bits lose the rare ids of a vocabulary."""
    import torch

    def column(values: list[float]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float64, device=scores.device)[:, None]

    shares = torch.softmax(scores.double() / column([row.sampling.temperature for row in rows]), dim=1)
    cut = [place for place, row in enumerate(rows) if row.sampling.top_k or row.sampling.top_p < 1]
    if cut:
        places = torch.tensor(cut, device=scores.device)
        shares[places] = _truncate(shares[places], [rows[place].sampling for place in cut])
    cumulative = shares.cumsum(dim=1)
    numbers = column([row.number for row in rows]) * cumulative[:, -1:]
    found = torch.searchsorted(cumulative, numbers, right=True)
    # rounding can carry a number to the very end, where ids without a share may stand
    last = shares.shape[1] - 1 - (shares > 0).flip(1).int().argmax(dim=1, keepdim=True)
    return torch.minimum(found, last)[:, 0]


def _truncate(shares: "torch.Tensor", samplings: Sequence[Sampling]) -> "torch.Tensor":
    import torch

    ranked, order = shares.sort(dim=1, descending=True, stable=True)
    width = shares.shape[1]
    top_k = torch.tensor([[sampling.top_k or width] for sampling in samplings], device=shares.device)
    top_p = torch.tensor([[sampling.top_p] for sampling in samplings], dtype=shares.dtype, device=shares.device)
    kept = torch.arange(width, device=shares.device) < top_k
    ranked = torch.where(kept, ranked, 0.0)
    within = ranked / ranked.sum(dim=1, keepdim=True)
    kept &= within.cumsum(dim=1) - within < top_p
    return torch.zeros_like(shares).scatter(1, order, torch.where(kept, ranked, 0.0))
