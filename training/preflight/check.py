"""`preflight`: a run under its settings, checked before it starts, fast enough for a page that follows typing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from curation.errors import ConfigError
from training.config import TrainingConfig
from training.devices import Device
from training.preflight.cost import USUAL_MFU, Cost, check_rates, estimate_cost
from training.preflight.lengths import Cuts, RowLengths, cut_at
from training.preflight.memory import GIB, Calibration, Memory, MicroBatch, estimate_memory
from training.preflight.shape import ModelShape

Verdict = Literal["fits", "tight", "too large"]
# the estimate is meant to hold to 15%
TOLERANCE = 0.15


@dataclass(frozen=True, slots=True)
class Steps:
    """How often the optimizer steps, on how much.

    Attributes:
        num_steps, per_epoch: optimizer steps, in all and of a pass over the rows.
        num_warmup: of all, at the beginning.
        num_accumulated: micro-batches that each device computes for a step; None: they cannot be shared out.
        tokens_per_epoch, loss_tokens_per_epoch: of the rows after cutting, without padding.
        num_tokens, num_loss_tokens: of the whole run; where it ends within an epoch, in proportion.
    """

    num_steps: int
    per_epoch: int
    num_warmup: int
    num_accumulated: int | None
    tokens_per_epoch: int
    loss_tokens_per_epoch: int
    num_tokens: int
    num_loss_tokens: int


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a run will do.

    Attributes:
        cuts: lengths, and what the block size cuts off.
        steps: of the optimizer.
        num_parameters, num_trained: of the model; and those that are trained. None: the model's family is not known.
        device: that it was asked about; None: none, or one that is not known.
        num_devices: that share a step.
        memory: of each device; None: as with num_parameters, or the batch cannot be shared out.
        verdict: fits: with 15% to spare, which is what the estimate may be off; tight: with less; too large: not.
            None: memory or device is None.
        cost: None: memory or device is None.
        problems: for which the run will be refused or end; one line each.
        warnings: what it will do that may not be meant; the caller's first.
    """

    cuts: Cuts
    steps: Steps
    num_parameters: int | None
    num_trained: int | None
    device: Device | None
    num_devices: int
    memory: Memory | None
    verdict: Verdict | None
    cost: Cost | None
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def preflight(
    config: TrainingConfig,
    lengths: RowLengths,
    shape: ModelShape | None,
    device: Device | None,
    num_devices: int = 1,
    *,
    mfu: float = USUAL_MFU,
    dollars_per_hour: float | None = None,
    warnings: Sequence[str] = (),
    calibration: Calibration | None = None,
) -> Preflight:
    """Tell what a run will do, by arithmetic alone.

    Args:
        lengths: of the rows before cutting, under this model's tokenizer and this run's format.
        shape: of the model; None: not known, and memory and cost stay open.
        device: None: its memory and speed are not known, and verdict and cost stay open.
        num_devices: that share a step.
        mfu: share of its peak that a device reaches while it computes.
        dollars_per_hour: of one device; None: the device's usual price.
        warnings: what the caller knows of the rows, such as how many are contaminated or not reviewed.
        calibration: from measuring; None: none.

    Raises:
        ConfigError: the number of devices, mfu or price is no such thing. What is wrong with the run itself is told
            in `problems` instead.
    """
    check_options(num_devices, mfu, dollars_per_hour)
    cuts = cut_at(lengths, config.block_size)
    problems = list(_row_problems(config, lengths, cuts))
    accumulated: int | None = None
    try:
        accumulated = config.num_accumulated(num_devices)
    except ConfigError as error:
        problems.append(str(error))
    memory, verdict, cost = None, None, None
    if shape is not None and accumulated is not None:
        batch = largest_micro_batch(config, lengths)
        memory = estimate_memory(config, shape, batch, num_devices=num_devices, calibration=calibration)
        if device is not None and config.device != "cpu":
            verdict = _verdict(memory, device)
            cost = estimate_cost(
                config,
                shape,
                np.minimum(lengths.totals, config.block_size),
                device,
                num_devices=num_devices,
                mfu=mfu,
                dollars_per_hour=dollars_per_hour,
            )
            if verdict == "too large":
                problems.append(_too_large(config, lengths, shape, device, num_devices, memory, calibration))
    trained = None
    if shape is not None:
        trained = shape.num_adapter_parameters(config.lora.rank) if config.lora.rank else shape.num_parameters
    return Preflight(
        cuts=cuts,
        steps=_steps(config, cuts, accumulated),
        num_parameters=None if shape is None else shape.num_parameters,
        num_trained=trained,
        device=device,
        num_devices=num_devices,
        memory=memory,
        verdict=verdict,
        cost=cost,
        problems=tuple(problems),
        warnings=(*warnings, *_warnings(config, cuts, shape, device, num_devices, verdict, memory)),
    )


def check_options(num_devices: int, mfu: float, dollars_per_hour: float | None) -> None:
    """Refuse what no run has, before rows are read.

    Raises:
        ConfigError: the number of devices, mfu or price is no such thing.
    """
    if type(num_devices) is not int or num_devices < 1:
        raise ConfigError(f"devices={num_devices!r:.60}; a whole number of 1 or more is needed")
    check_rates(mfu, dollars_per_hour)


def largest_micro_batch(config: TrainingConfig, lengths: RowLengths) -> MicroBatch:
    """The longest rows that a device may have to compute at once."""
    count = min(config.micro_batch_size, len(lengths))
    totals = np.minimum(lengths.totals, config.block_size)
    longest = np.argsort(-totals, kind="stable")[:count]
    with_loss = np.minimum(lengths.lasts[longest], config.block_size) - lengths.firsts[longest]
    most, tokens = int(totals[longest[0]]), int(totals[longest].sum())
    is_flat = config.is_padding_free
    return MicroBatch(
        num_rows=1 if is_flat else count,
        num_tokens=tokens if is_flat else most * count,
        longest=tokens if is_flat else most,
        num_loss_tokens=int(np.maximum(with_loss, 0).sum()),
    )


def _steps(config: TrainingConfig, cuts: Cuts, accumulated: int | None) -> Steps:
    num_steps, per_epoch = config.num_steps(cuts.num_rows), -(-cuts.num_rows // config.batch_size)
    epochs = num_steps / per_epoch
    return Steps(
        num_steps=num_steps,
        per_epoch=per_epoch,
        num_warmup=int(-(-config.warmup_share * num_steps // 1)),
        num_accumulated=accumulated,
        tokens_per_epoch=cuts.num_tokens,
        loss_tokens_per_epoch=cuts.num_loss_tokens,
        num_tokens=round(cuts.num_tokens * epochs),
        num_loss_tokens=round(cuts.num_loss_tokens * epochs),
    )


def _row_problems(config: TrainingConfig, lengths: RowLengths, cuts: Cuts) -> Iterator[str]:
    if cuts.longest_answer > config.block_size:
        yield (
            f"block_size={config.block_size} is below the longest answer ({cuts.longest_answer} tokens); give "
            f"{cuts.longest_answer} at least, far more to keep thinking with it"
        )
    if cuts.num_empty:
        first = int(lengths.numbers[int(np.argmax(lengths.firsts >= config.block_size))])
        yield (
            f"block_size={config.block_size} leaves nothing of {cuts.num_empty:,} rows to learn (row {first} is the "
            "first): the question alone is as long; give a larger one"
        )


def _verdict(memory: Memory, device: Device) -> Verdict:
    room = device.memory_gib * GIB
    if memory.num_bytes > room:
        return "too large"
    return "fits" if memory.num_bytes * (1 + TOLERANCE) <= room else "tight"


def _too_large(
    config: TrainingConfig,
    lengths: RowLengths,
    shape: ModelShape,
    device: Device,
    num_devices: int,
    memory: Memory,
    calibration: Calibration | None,
) -> str:
    """What is missing, and which changes would do, each tried."""
    fits: list[str] = []
    for change, other, count in _changes(config, num_devices):
        try:
            batch = largest_micro_batch(other, lengths)
            needed = estimate_memory(other, shape, batch, num_devices=count, calibration=calibration)
        except ConfigError:
            continue
        if needed.num_bytes <= device.memory_gib * GIB:
            fits.append(change)
    what = f"memory: {memory.num_bytes / GIB:.1f} GiB are needed of {device.memory_gib:g} of a {device.names[0]}"
    if fits:
        return f"{what}; it fits with {', or with '.join(fits[:3])}"
    return f"{what}; shard over more devices, or choose a smaller model"


def _changes(config: TrainingConfig, num_devices: int) -> Iterator[tuple[str, TrainingConfig, int]]:
    checked = replace(config, checkpoints_gradients=True)
    if not config.checkpoints_gradients:
        yield "checkpoints_gradients=true", checked, num_devices
    if config.micro_batch_size > 1:
        yield "micro_batch_size=1", replace(config, micro_batch_size=1), num_devices
        yield "checkpoints_gradients=true and micro_batch_size=1", replace(checked, micro_batch_size=1), num_devices
    sharded = replace(checked, sharding="full", micro_batch_size=1)
    count = max(num_devices, 2)
    while count <= config.batch_size:
        if count > num_devices or config.sharding != "full":
            yield f"sharding=full and checkpoints_gradients=true on {count} devices", sharded, count
        count *= 2


def _warnings(
    config: TrainingConfig,
    cuts: Cuts,
    shape: ModelShape | None,
    device: Device | None,
    num_devices: int,
    verdict: Verdict | None,
    memory: Memory | None,
) -> Iterator[str]:
    if cuts.num_cut:
        yield (
            f"{cuts.num_cut:,} of {cuts.num_rows:,} rows are cut at block_size={config.block_size}, and "
            f"{cuts.lost_share:.1%} of the tokens with loss with them; {cuts.num_without_answer:,} lose their whole "
            "answer. A model that is not shown ends thinks longer and scores lower (s1, sequence-length ablation)"
        )
    if shape is not None and shape.context_tokens and min(cuts.longest, config.block_size) > shape.context_tokens:
        yield (
            f"rows of up to {min(cuts.longest, config.block_size):,} tokens, and the model was made for "
            f"{shape.context_tokens:,}; choose another model, or block_size={shape.context_tokens}"
        )
    if config.sharding == "full" and num_devices == 1:
        yield "sharding=full shards nothing on one device: all of weights, gradients and optimizer are on it"
    if verdict == "tight" and memory is not None and device is not None:
        yield (
            f"memory: {memory.num_bytes / GIB:.1f} of {device.memory_gib:g} GiB, and the estimate may be off by "
            f"{TOLERANCE:.0%}"
        )
