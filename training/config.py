"""What a training run is: everything that decides the model it gives, frozen, as JSON."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from curation.errors import ConfigError
from curation.json_files import read_json
from inference.methods.options import check_keys
from training.formatting import TextFormat

DTYPES = ("bfloat16", "float32")
SCHEDULES = ("cosine", "linear", "constant")
SHARDINGS = ("none", "full")
DEVICES = ("auto", "cpu")


@dataclass(frozen=True, slots=True)
class Lora:
    """Adapters in place of full fine-tuning.

    Attributes:
        rank: of each adapter; 0: none, all parameters are trained.
        alpha: adapters are scaled by alpha / rank.
    """

    rank: int = 0
    alpha: int = 32


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """A training run. The defaults are the paper's (spec section 4).

    Attributes:
        model: a folder, or a name on the Hub.
        data: an exported selection: its folder, or a file of JSON lines or parquet with question and trace.
        generator: whose traces, where rows have several; "": the first.
        format: how a row becomes text.
        pad_token: fills rows up; None: `<|fim_pad|>` where the tokenizer has it, else its own.
        block_size: tokens of a row at most; what is longer is cut off behind.
        epochs: passes over the rows.
        max_steps: optimizer steps at most; None: as many as the epochs have.
        batch_size: rows of an optimizer step, over all devices.
        micro_batch_size: rows that a device computes at once.
        is_padding_free: the rows of a micro-batch as one long row instead of filled up; same loss.
        learning_rate, warmup_share, schedule: linear warm-up over that share of the steps, then down to 0.
        beta1, beta2, weight_decay, max_grad_norm: of AdamW, and where gradients are clipped; 0: nowhere.
        dtype: bfloat16 computes in it and keeps float32 weights where weights are not sharded.
        sharding: full: FSDP shards parameters, gradients and optimizer over the devices, by decoder layer.
        checkpoints_gradients: activations are computed twice instead of kept.
        attention: transformers' implementation; None: its choice.
        lora: adapters in place of full fine-tuning.
        seed: of the rows' order and of whatever else is drawn.
        save_every: optimizer steps between checkpoints; None: one an epoch.
        keep_checkpoints: the newest that stay.
        device: auto: a GPU where there is one.
        allows_remote_code: whether the model's own code may run.
    """

    model: str
    data: str
    generator: str = ""
    format: TextFormat = field(default_factory=TextFormat)
    pad_token: str | None = None
    block_size: int = 32_768
    epochs: float = 5.0
    max_steps: int | None = None
    batch_size: int = 16
    micro_batch_size: int = 1
    is_padding_free: bool = False
    learning_rate: float = 1e-5
    warmup_share: float = 0.05
    schedule: str = "cosine"
    beta1: float = 0.9
    beta2: float = 0.95
    weight_decay: float = 1e-4
    max_grad_norm: float = 1.0
    dtype: str = "bfloat16"
    sharding: str = "none"
    checkpoints_gradients: bool = False
    attention: str | None = None
    lora: Lora = field(default_factory=Lora)
    seed: int = 0
    save_every: int | None = None
    keep_checkpoints: int = 2
    device: str = "auto"
    allows_remote_code: bool = False

    def __post_init__(self) -> None:
        for name in ("model", "data"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                raise ConfigError(f"{name}={value!r:.60}; a name or a path is needed")
        for name in ("generator", "attention", "pad_token"):
            value = getattr(self, name)
            if not isinstance(value, str) and (value is not None or name == "generator"):
                raise ConfigError(f"{name}={value!r:.60}; a text is needed")
        for name in ("block_size", "batch_size", "micro_batch_size", "keep_checkpoints"):
            _check_whole(name, getattr(self, name), 1)
        for name in ("max_steps", "save_every"):
            if getattr(self, name) is not None:
                _check_whole(name, getattr(self, name), 1)
        _check_whole("seed", self.seed, 0)
        _check_whole("lora.rank", self.lora.rank, 0)
        _check_whole("lora.alpha", self.lora.alpha, 1)
        for name, low, high, has_low in (
            ("epochs", 0.0, 10_000.0, False),
            ("learning_rate", 0.0, 10.0, False),
            ("warmup_share", 0.0, 1.0, True),
            ("beta1", 0.0, 1.0, True),
            ("beta2", 0.0, 1.0, True),
            ("weight_decay", 0.0, 10.0, True),
            ("max_grad_norm", 0.0, math.inf, True),
        ):
            _check_number(name, getattr(self, name), low, high, has_low=has_low)
        for name, allowed in (
            ("schedule", SCHEDULES),
            ("dtype", DTYPES),
            ("sharding", SHARDINGS),
            ("device", DEVICES),
        ):
            if getattr(self, name) not in allowed:
                raise ConfigError(f"{name}={getattr(self, name)!r:.60}; {' or '.join(allowed)} is allowed")
        for name in ("is_padding_free", "checkpoints_gradients", "allows_remote_code"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"{name}={getattr(self, name)!r:.60}; true or false is needed")
        if self.batch_size % self.micro_batch_size:
            raise ConfigError(
                f"micro_batch_size={self.micro_batch_size} does not divide batch_size={self.batch_size}; give a "
                "divisor"
            )

    def num_accumulated(self, num_processes: int) -> int:
        """Micro-batches that a process computes for an optimizer step.

        Raises:
            ConfigError: they do not share the batch out evenly.
        """
        rest = self.batch_size % (self.micro_batch_size * num_processes)
        if rest:
            raise ConfigError(
                f"batch_size={self.batch_size} cannot be shared out to {num_processes} processes of micro_batch_size="
                f"{self.micro_batch_size}; give a multiple of {self.micro_batch_size * num_processes}"
            )
        return self.batch_size // (self.micro_batch_size * num_processes)

    def num_steps(self, num_rows: int) -> int:
        """Optimizer steps of the run: each epoch's last batch may be smaller, as in the paper's 315 of 1,000 rows."""
        steps = math.ceil(math.ceil(num_rows / self.batch_size) * self.epochs - 1e-9)
        return min(steps, self.max_steps) if self.max_steps is not None else steps


def _check_whole(name: str, value: Any, least: int) -> None:
    if type(value) is not int or value < least:
        raise ConfigError(f"{name}={value!r:.60}; a whole number of {least} or more is needed")


def _check_number(name: str, value: Any, low: float, high: float, *, has_low: bool) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
    if not is_number or value > high or value < low or (value == low and not has_low):
        most = "" if high == math.inf else f", {high:g} at most"
        raise ConfigError(f"{name}={value!r:.60}; a number {'from' if has_low else 'above'} {low:g}{most} is needed")


def read_config(path: Path) -> TrainingConfig:
    """The run that a JSON file describes.

    Raises:
        InputError: there is no such file, or it is no JSON.
        ConfigError: a key is unknown or missing, or a value cannot be used.
    """
    return config_from_json(read_json(path, "a run"))


def read_config_with(path: Path, settings: Sequence[str]) -> TrainingConfig:
    """The run that a JSON file describes, with settings of a command line in place of its own.

    Args:
        settings: each `KEY=VALUE`.

    Raises:
        InputError: there is no such file, or it is no JSON.
        ConfigError: a key is unknown or missing, or a value cannot be used.
    """
    values = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--set {text!r:.60} is no KEY=VALUE")
        values[key] = value
    config = read_config(path)
    return config_from_json(with_settings(config_to_json(config), values)) if values else config


def config_from_json(row: object) -> TrainingConfig:
    """The run as JSON describes it: the attributes of TrainingConfig, each with its default; or a preset's.

    Raises:
        ConfigError: a key is unknown or missing, or a value cannot be used.
    """
    from training.presets import find_preset

    values = dict(check_keys("the run", row, (*(each.name for each in fields(TrainingConfig)), "preset")))
    values = dict(find_preset(values.pop("preset"))) | values if "preset" in values else values
    for name in ("model", "data"):
        if name not in values:
            raise ConfigError(f"the run has no {name}; give it")
    for name, kind in (("format", TextFormat), ("lora", Lora)):
        if name in values:
            known = tuple(each.name for each in fields(kind))
            values[name] = kind(**check_keys(name, values[name], known))
    return TrainingConfig(**values)


def config_to_json(config: TrainingConfig) -> dict[str, Any]:
    """The run with every value, as `config_from_json` reads it."""
    row: dict[str, Any] = {each.name: getattr(config, each.name) for each in fields(config)}
    for name in ("format", "lora"):
        row[name] = {each.name: getattr(row[name], each.name) for each in fields(row[name])}
    return row


def with_settings(config: Mapping[str, Any], settings: Mapping[str, str]) -> dict[str, Any]:
    """A run's JSON with `key=value` settings of a command line; `format.variant` reaches into an object.

    Raises:
        ConfigError: a key is unknown, or a value is not of its kind.
    """
    row: dict[str, Any] = json.loads(json.dumps(dict(config)))
    defaults = config_to_json(TrainingConfig("m", "d"))
    for key, text in settings.items():
        outer, _, inner = key.partition(".")
        known, target, name = defaults, row, key
        if isinstance(defaults.get(outer), dict):
            known, target, name = defaults[outer], row.setdefault(outer, {}), inner
        if name not in known or isinstance(known[name], dict):
            raise ConfigError(f"setting {key!r:.60} is unknown; allowed: {', '.join(_names(defaults))}")
        target[name] = _value(key, text, known[name])
    return row


def _names(defaults: Mapping[str, Any]) -> Iterator[str]:
    for name, value in defaults.items():
        yield from (f"{name}.{inner}" for inner in value) if isinstance(value, dict) else (name,)


_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false"}


def _value(key: str, text: str, default: Any) -> Any:
    if key in ("max_steps", "save_every"):
        default = 0
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(default, int):
            return int(text)
        if isinstance(default, float):
            return float(text)
    except (KeyError, ValueError):
        raise ConfigError(f"{key}={text!r:.60}; {_KINDS[type(default).__name__]} is needed") from None
    return text
