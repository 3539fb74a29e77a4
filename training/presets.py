"""Runs that are known by name; what they leave open (model, data) is the user's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curation.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings of a run, and an honest word on what to expect of it."""

    settings: Mapping[str, Any]
    note: str


PRESETS: Mapping[str, Preset] = {
    "s1": Preset(
        {"sharding": "full"},
        "The paper's run: Qwen2.5-32B-Instruct on s1K, 315 steps, 26 minutes on 16 H100. Other models of 7B and more "
        "learn the format and think longer; how much they gain depends on what they know already.",
    ),
    "s1.1": Preset(
        {"sharding": "full", "block_size": 20_000},
        "As s1 with traces of DeepSeek-R1 (layout s1k-1.1), and a block size that keeps 80 GB devices from running "
        "out of memory: the longest traces are cut off, and then lack their answers.",
    ),
    "59k-full": Preset(
        {"sharding": "full"},
        "Every question of the pool: 394 H100-hours in the paper, for AIME24 53.3, MATH500 92.8, GPQA Diamond 58.1 "
        "against s1K's 50.0, 93.0, 57.6.",
    ),
    "small": Preset(
        {"learning_rate": 2e-5, "block_size": 8_192, "micro_batch_size": 1, "checkpoints_gradients": True},
        "Models of 0.5B to 3B on one device. They learn to write long thinking and gain little by it: 1,000 rows "
        "show a way to think, and knowledge has to be there before.",
    ),
    "lora": Preset(
        {"learning_rate": 1e-4, "lora": {"rank": 32, "alpha": 64}, "checkpoints_gradients": True},
        "Adapters of rank 32 on every linear layer: a 7B model fits one device. Not the paper's recipe, which trains "
        "all parameters; compare before you trust it.",
    ),
}


def find_preset(name: object) -> Mapping[str, Any]:
    """The settings of that name.

    Raises:
        ConfigError: there is none.
    """
    if not isinstance(name, str) or name not in PRESETS:
        raise ConfigError(f"preset={name!r:.60} is unknown; allowed: {', '.join(PRESETS)}")
    return PRESETS[name].settings
