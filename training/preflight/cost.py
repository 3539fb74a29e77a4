"""How long a run takes, and what it costs: operations, what a device does of them a second, and who waits for whom.

A step is over when its slowest device is. With one row to a device, as in the paper's run, all wait for the longest
row of sixteen; that, not the sum of tokens, decides the time. So the run's own order of rows is gone through.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curation.errors import ConfigError
from training.config import TrainingConfig
from training.devices import Device, flops_per_token
from training.preflight.lengths import Counts
from training.preflight.shape import ModelShape

# Share of a device's peak while it computes. fms-fsdp (PyTorch FSDP, 96 H100, 4,096 tokens) reports 7,500 tokens/s a
# device for a 7B model, which is 33% of 989 TFLOP/s, and 1,550 for a 34B model with full checkpointing, which is 43%
USUAL_MFU = 0.40


@dataclass(frozen=True, slots=True)
class Cost:
    """Time and price of a whole run.

    Attributes:
        hours: from the first step to the last; loading, checkpoints and the model's writing come on top.
        device_hours: of all devices together.
        dollars: of all devices together.
        dollars_per_hour: of one device.
        tokens_per_second: of all devices together, padding not counted.
        assumed_mfu: share of its peak that a device was assumed to reach while it computes.
        mfu: what comes out of it as model's operations over peak, with waiting, padding and recomputing; what the
            metrics of the run call mfu.
        busy_share: of the devices' time; the rest they wait for the one with the longest rows.
        padding_share: of all tokens that are computed.
        flops: of the model, forward and backward, over the whole run.
    """

    hours: float
    device_hours: float
    dollars: float
    dollars_per_hour: float
    tokens_per_second: float
    assumed_mfu: float
    mfu: float
    busy_share: float
    padding_share: float
    flops: float


@dataclass(frozen=True, slots=True)
class Pace:
    """Operations of an epoch.

    Attributes:
        num_steps: that it was taken over.
        num_tokens, num_padded: tokens of the rows; and with padding.
        flops: of the model.
        done: of all devices: with padding, and what checkpointing computes twice.
        critical: of the slowest device of each step, which the others wait for.
    """

    num_steps: int
    num_tokens: int
    num_padded: int
    flops: float
    done: float
    critical: float


def step_rows(totals: Counts, *, batch_size: int, num_steps: int, seed: int) -> Counts:
    """Lengths of the first epoch's steps in the run's order: `training.order.order_rows` in arrays.

    Args:
        totals: tokens of each row, after cutting.

    Returns:
        Shape (steps, batch_size), each step's longest first, 0 where an epoch's last step has no row.
    """
    of_epoch = -(-len(totals) // batch_size)
    filled = np.zeros(of_epoch * batch_size, dtype=np.int64)
    filled[: len(totals)] = totals[np.random.Generator(np.random.PCG64([seed, 0])).permutation(len(totals))]
    steps: Counts = -np.sort(-filled.reshape(of_epoch, batch_size)[:num_steps], axis=1)
    return steps


def measure_pace(config: TrainingConfig, shape: ModelShape, totals: Counts, *, num_devices: int) -> Pace:
    """The operations of an epoch, or of the run where that is shorter.

    Raises:
        ConfigError: the batch cannot be shared out to the devices.
    """
    accumulated = config.num_accumulated(num_devices)
    num_steps = min(config.num_steps(len(totals)), -(-len(totals) // config.batch_size))
    steps = step_rows(totals, batch_size=config.batch_size, num_steps=num_steps, seed=config.seed)
    # a micro-batch is a run of neighbours, dealt out to the devices in turn
    micro = steps.reshape(num_steps, accumulated, num_devices, config.micro_batch_size)
    padded = micro if config.is_padding_free else np.broadcast_to(micro.max(axis=3, keepdims=True), micro.shape)
    of_model, of_device = _Operations(config, shape, is_done=False), _Operations(config, shape, is_done=True)
    done = of_device(padded).sum(axis=3)
    # sharded, each layer's weights come from all, so nobody runs ahead; else they meet once a step, with gradients
    slowest = done.max(axis=2) if config.sharding == "full" else done.sum(axis=1).max(axis=1)
    return Pace(
        num_steps=num_steps,
        num_tokens=int(steps.sum()),
        num_padded=int(padded.sum()),
        flops=float(of_model(steps).sum()),
        done=float(done.sum()),
        critical=float(slowest.sum()),
    )


class _Operations:
    """Floating-point operations of a row, by its length."""

    def __init__(self, config: TrainingConfig, shape: ModelShape, *, is_done: bool) -> None:
        """
        Args:
            is_done: count what the device does, less and more than the model's own: frozen weights need no gradients,
                and checkpointing computes layers twice.
        """
        sizes = {"num_layers": shape.num_layers, "hidden": shape.query_width}
        self.of_token = flops_per_token(shape.num_parameters, **sizes, mean_context=0.0)
        # a token looks back at half of its row on average
        self.of_pair = (flops_per_token(shape.num_parameters, **sizes, mean_context=1.0) - self.of_token) / 2
        if is_done and config.lora.rank:
            self.of_token += 6.0 * shape.num_adapter_parameters(config.lora.rank) - 2.0 * shape.num_parameters
        if is_done and config.checkpoints_gradients:
            self.of_token += 2.0 * shape.num_layers * shape.num_layer_parameters
            self.of_pair += self.of_pair / 3

    def __call__(self, lengths: Counts) -> npt.NDArray[np.float64]:
        return self.of_token * lengths + self.of_pair * lengths.astype(np.float64) ** 2


def check_rates(mfu: float, dollars_per_hour: float | None) -> None:
    """
    Raises:
        ConfigError: mfu or the price is no such thing.
    """
    if not 0.0 < mfu <= 1.0:
        raise ConfigError(f"mfu={mfu:g}; a share of the peak above 0, 1 at most, is needed, such as {USUAL_MFU}")
    if dollars_per_hour is not None and not 0.0 <= dollars_per_hour < math.inf:
        raise ConfigError(f"dollars_per_hour={dollars_per_hour:g}; a number from 0 is needed")


def estimate_cost(
    config: TrainingConfig,
    shape: ModelShape,
    totals: Counts,
    device: Device,
    *,
    num_devices: int = 1,
    mfu: float = USUAL_MFU,
    dollars_per_hour: float | None = None,
) -> Cost:
    """Hours and dollars of a run.

    Args:
        totals: tokens of each row, after cutting; shape (rows,).
        mfu: share of its peak that a device reaches while it computes.
        dollars_per_hour: of one device; None: the device's usual price.

    Raises:
        ConfigError: mfu or the price is no such thing, or the batch cannot be shared out to the devices.
    """
    check_rates(mfu, dollars_per_hour)
    price = device.dollars_per_hour if dollars_per_hour is None else dollars_per_hour
    pace = measure_pace(config, shape, totals, num_devices=num_devices)
    peak = device.peak_tflops * 1e12
    epochs = config.num_steps(len(totals)) / pace.num_steps
    seconds = epochs * pace.critical / (peak * mfu)
    device_hours = seconds * num_devices / 3600
    return Cost(
        hours=seconds / 3600,
        device_hours=device_hours,
        dollars=device_hours * price,
        dollars_per_hour=price,
        tokens_per_second=epochs * pace.num_tokens / seconds,
        assumed_mfu=mfu,
        mfu=epochs * pace.flops / (seconds * num_devices * peak),
        busy_share=pace.done / (num_devices * pace.critical),
        padding_share=1 - pace.num_tokens / pace.num_padded,
        flops=epochs * pace.flops,
    )
