"""The paper's own runs (s1 §4.1, appendix C; spec section 4), as a check of the estimator.

Published are devices, steps, hours, and of lengths two things: 74% of s1K's rows are longer than 4,096 tokens, and
the 59K's traces have 3.6K tokens on average. How far lengths spread is not published; SPREAD is ours, and decides how
long devices wait for each other. So the check tells whether the estimate is of the right size, not more.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from training.config import TrainingConfig
from training.devices import DEVICES
from training.preflight.check import Preflight, preflight
from training.preflight.cost import USUAL_MFU
from training.preflight.lengths import RowLengths
from training.preflight.shape import ModelShape

QWEN_32B = ModelShape(
    family="qwen2",
    num_layers=64,
    hidden=5_120,
    intermediate=27_648,
    num_heads=40,
    num_kv_heads=8,
    head_dim=128,
    vocabulary=152_064,
    is_tied=False,
    has_qkv_bias=True,
    context_tokens=32_768,
)
# standard deviation of the logarithm of a row's length
SPREAD = 0.3
# of a row, beside its trace: question, answer, template
OTHER_TOKENS = 800


@dataclass(frozen=True, slots=True)
class PaperRun:
    """A run of the paper.

    Attributes:
        median_tokens: of a row, from what is published.
        device_hours: on H100, as published.
    """

    name: str
    num_rows: int
    median_tokens: float
    num_devices: int
    device_hours: float


def _median_from_share(tokens: int, share_longer: float, spread: float) -> float:
    return tokens * math.exp(spread * NormalDist().inv_cdf(share_longer))


def paper_runs(spread: float = SPREAD) -> tuple[PaperRun, PaperRun]:
    """s1K's 26 minutes on 16 H100, and the 59K's 394 H100-hours, on rows of lengths with that spread."""
    s1k = _median_from_share(4_096, 0.74, spread)
    full = (3_600 + OTHER_TOKENS) / math.exp(spread**2 / 2)  # a mean, made a median
    return PaperRun("s1K", 1_000, s1k, 16, 16 * 26 / 60), PaperRun("59K-full", 59_029, full, 16, 394.0)


def check_run(run: PaperRun, *, spread: float = SPREAD, mfu: float = USUAL_MFU) -> Preflight:
    """What the estimator says of a run of the paper, with gradient checkpointing, without which it fits no H100."""
    places = (np.arange(run.num_rows) + 0.5) / run.num_rows
    normal = NormalDist()
    scores = np.array([normal.inv_cdf(place) for place in places])
    # no sample was cut off at 32,768
    totals = np.minimum(run.median_tokens * np.exp(spread * scores), 32_768).astype(np.int64)
    lengths = RowLengths(
        numbers=range(1, run.num_rows + 1),
        totals=totals.tolist(),
        firsts=np.minimum(200, totals // 4).tolist(),
        lasts=totals.tolist(),
        answers=np.minimum(400, totals // 4).tolist(),
    )
    config = TrainingConfig("Qwen/Qwen2.5-32B-Instruct", "s1K", sharding="full", checkpoints_gradients=True)
    return preflight(config, lengths, QWEN_32B, DEVICES["H100"], run.num_devices, mfu=mfu)
