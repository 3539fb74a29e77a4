"""A preflight in a terminal, and as JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from training.preflight.check import Preflight
from training.preflight.lengths import Bar, Cuts
from training.preflight.memory import GIB, Memory

BAR_WIDTH = 40
MOST_ROW_NUMBERS = 20
LABELS = {
    "parameters": "parameters",
    "gradients": "gradients",
    "optimizer": "optimizer states",
    "copies": "weights to compute with",
    "activations": "activations",
    "head": "head and loss",
    "working": "of the layer at work",
}


def preflight_to_json(result: Preflight) -> dict[str, Any]:
    """Every figure, with the sums and the peak that a reader would have to work out."""
    row = asdict(result)
    row["cuts"] |= {"num_cut": result.cuts.num_cut, "lost_share": result.cuts.lost_share}
    if result.memory is not None:
        row["memory"] |= {
            "num_bytes": result.memory.num_bytes,
            "peak": {"name": result.memory.peak.name, "num_bytes": result.memory.peak.num_bytes},
        }
        for moment, shown in zip(result.memory.moments, row["memory"]["moments"], strict=True):
            shown["num_bytes"] = moment.num_bytes
    return row


def preflight_lines(result: Preflight) -> list[str]:
    """What is asked for first, in its order: lengths, steps, memory, hours; then what is wrong."""
    return [
        *_length_lines(result.cuts),
        "",
        *_step_lines(result),
        *(["", *_memory_lines(result, result.memory)] if result.memory is not None else []),
        *(["", *_cost_lines(result)] if result.cost is not None else []),
        *[f"warning: {text}" for text in result.warnings],
        *[f"problem: {text}" for text in result.problems],
    ]


def _length_lines(cuts: Cuts) -> Iterator[str]:
    yield (
        f"{cuts.num_rows:,} rows of {cuts.shortest:,} to {cuts.longest:,} tokens, median {cuts.median:,.0f}; block "
        f"size {cuts.block_size:,}"
    )
    most = max(bar.num_rows for bar in cuts.histogram)
    for bar in cuts.histogram:
        marks = "█" * -(-bar.num_rows * BAR_WIDTH // most)
        yield f"{_range(bar):>17}  {bar.num_rows:>7,}  {marks}{' cut' if bar.is_cut and bar.num_rows else ''}"
    if not cuts.num_cut:
        yield "no row is cut off"
        return
    numbers = ", ".join(str(number) for number in cuts.cut_rows[:MOST_ROW_NUMBERS])
    rest = f" and {cuts.num_cut - MOST_ROW_NUMBERS:,} more" if cuts.num_cut > MOST_ROW_NUMBERS else ""
    lost = f"{cuts.num_lost:,} tokens with loss ({cuts.lost_share:.1%})"
    yield f"cut off: {cuts.num_cut:,} rows, {lost}: {numbers}{rest}"


def _range(bar: Bar) -> str:
    return f"over {bar.above:,}" if bar.most is None else f"{bar.above + 1:,} to {bar.most:,}"


def _step_lines(result: Preflight) -> Iterator[str]:
    steps = result.steps
    yield f"{'steps':<24}{steps.num_steps:>12,}  {steps.per_epoch:,} an epoch, {steps.num_warmup:,} of warm-up"
    if steps.num_accumulated is not None:
        yield f"{'micro-batches a step':<24}{steps.num_accumulated:>12,}  on each of {_devices(result)}"
    yield f"{'tokens':<24}{steps.num_tokens:>12,}  {steps.tokens_per_epoch:,} an epoch"
    yield f"{'tokens with loss':<24}{steps.num_loss_tokens:>12,}  {steps.loss_tokens_per_epoch:,} an epoch"
    if result.num_parameters is not None and result.num_trained is not None:
        share = result.num_trained / result.num_parameters
        yield f"{'parameters':<24}{result.num_parameters:>12,}  {result.num_trained:,} trained ({share:.1%})"


def _memory_lines(result: Preflight, memory: Memory) -> Iterator[str]:
    yield f"memory of each device, at the fullest moment of a step ({memory.peak.name})"
    for line in memory.peak.lines:
        yield f"  {LABELS[line.name]:<24}{line.num_bytes / GIB:>10.2f} GiB"
    yield f"  {'reserve':<24}{memory.reserve_bytes / GIB:>10.2f} GiB"
    total = f"  {'together':<24}{memory.num_bytes / GIB:>10.2f} GiB"
    if result.device is None or result.verdict is None:
        yield f"{total}, on a device that is not known"
    else:
        yield f"{total} of {result.device.memory_gib:g} of a {result.device.names[0]}: {result.verdict}"


def _cost_lines(result: Preflight) -> Iterator[str]:
    cost = result.cost
    assert cost is not None
    yield (
        f"{'hours':<24}{cost.hours:>12,.2f}  {cost.device_hours:,.2f} device-hours on {_devices(result)}, "
        f"{cost.tokens_per_second:,.0f} tokens/s"
    )
    yield f"{'dollars':<24}{cost.dollars:>12,.2f}  at {cost.dollars_per_hour:g} a device and hour"
    yield (
        f"{'MFU':<24}{cost.mfu:>12.1%}  from {cost.assumed_mfu:.0%} assumed while a device computes; devices are "
        f"busy {cost.busy_share:.0%} of the time, {cost.padding_share:.0%} of the tokens are padding"
    )


def _devices(result: Preflight) -> str:
    name = result.device.names[0] if result.device is not None else "device"
    return f"{result.num_devices:,} {name}"
