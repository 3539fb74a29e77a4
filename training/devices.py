"""What is known of accelerators: memory, peak speed, and what an hour of one costs."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Device:
    """An accelerator.

    Attributes:
        names: parts of the name that drivers give it, the first one ours.
        memory_gib: that a program can use.
        peak_tflops: dense bf16 floating-point operations per second, in 10**12, as its maker states them.
        dollars_per_hour: a usual price to rent one; the user's own counts more.
    """

    names: tuple[str, ...]
    memory_gib: float
    peak_tflops: float
    dollars_per_hour: float


DEVICES: Mapping[str, Device] = {
    device.names[0]: device
    for device in (
        Device(("H200",), 139.0, 989.0, 3.5),
        Device(("H100",), 79.0, 989.0, 2.5),
        Device(("A100-80GB", "A100-SXM4-80GB", "A100 80GB"), 79.0, 312.0, 1.6),
        Device(("A100-40GB", "A100-SXM4-40GB"), 39.0, 312.0, 1.2),
        Device(("L40S",), 44.0, 362.0, 1.0),
        Device(("RTX 4090",), 23.5, 165.2, 0.4),
    )
}


def find_device(name: str) -> Device | None:
    """The device of that name, ours or a driver's; None where it is not known."""
    return next((device for device in DEVICES.values() if any(known in name for known in device.names)), None)


def flops_per_token(num_parameters: int, *, num_layers: int, hidden: int, mean_context: float) -> float:
    """Floating-point operations to train on one token: forward and backward, without what checkpointing repeats.

    6 for each parameter, and 12 for each layer, hidden unit and token looked back at (the PaLM paper's appendix B;
    causal attention looks at half of its row on average).

    Args:
        mean_context: tokens that a token looks back at, on average.
    """
    return 6.0 * num_parameters + 12.0 * num_layers * hidden * mean_context
