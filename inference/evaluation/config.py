"""What a run is: everything that decides its samples, frozen, as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from curation.errors import ConfigError
from curation.json_files import read_json
from inference.delimiters import DelimiterProfile, find_profile, profile_from_json
from inference.engines.registry import ENGINES
from inference.methods.base import Method
from inference.methods.options import check_choice, check_count, check_keys
from inference.methods.registry import method_from_json, method_to_json
from inference.sampling import Sampling


@dataclass(frozen=True, slots=True)
class Grading:
    """How answers are judged.

    Attributes:
        allow_bare: a single short line is an answer without a mark; see `answers.extract_answer`.
        math_verify: whether mathematics is compared by math-verify; else such answers stay ungraded.
        timeout_seconds: processor time that one comparison may take.
    """

    allow_bare: bool = False
    math_verify: bool = True
    timeout_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class RunConfig:
    """An evaluation run.

    Attributes:
        model: a folder, or a name on the Hub; for an endpoint the name it serves.
        benchmark: a known name, or a file of JSON lines.
        method: how test-time compute is spent.
        engine: one of `engines.registry.ENGINES`.
        engine_options: as `engines.registry.load_engine` takes them.
        tokenizer: a folder, or a name on the Hub; None: the model's.
        profile: delimiters of the model's family.
        sampling: its seed is not used; `seed` is.
        repeats: samples of each problem, each with a seed of its own.
        limit: the benchmark's first problems alone; None: all.
        shuffle_seed: see `benchmark_sources.load_benchmark`.
        template, system: see `prompts.PromptBuilder`.
        reward_model: a folder, or a name on the Hub, for best-of-N and REBASE.
    """

    model: str
    benchmark: str
    method: Method
    engine: str = "transformers"
    engine_options: Mapping[str, Any] = field(default_factory=dict)
    tokenizer: str | None = None
    profile: DelimiterProfile = field(default_factory=lambda: find_profile("s1"))
    sampling: Sampling = field(default_factory=Sampling)
    repeats: int = 1
    seed: int = 0
    limit: int | None = None
    shuffle_seed: int | None = None
    template: str | None = None
    system: str = ""
    grading: Grading = field(default_factory=Grading)
    reward_model: str | None = None

    def __post_init__(self) -> None:
        for name in ("model", "benchmark"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                raise ConfigError(f"{name}={value!r:.60}; a name or a path is needed")
        check_choice("engine", self.engine, ENGINES)
        check_count("repeats", self.repeats, at_least=1)
        check_count("seed", self.seed, at_least=0)
        if self.limit is not None:
            check_count("limit", self.limit, at_least=1)
        if self.shuffle_seed is not None:
            check_count("shuffle_seed", self.shuffle_seed, at_least=0)
        for name in ("tokenizer", "template", "reward_model"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise ConfigError(f"{name}={value!r:.60}; a text or null is allowed")
        if not isinstance(self.system, str):
            raise ConfigError(f"system={self.system!r:.60}; a text is needed")
        if not isinstance(self.engine_options, Mapping):
            raise ConfigError(
                f"engine_options={self.engine_options!r:.60}; an object with the engine's options is needed"
            )
        if self.sampling.seed:
            raise ConfigError(f"sampling has seed={self.sampling.seed}; give the run's seed beside it")

    @property
    def greedy_repeats(self) -> bool:
        """Whether the repeats cannot differ: several samples, none of which is drawn."""
        return self.repeats > 1 and self.sampling.temperature == 0 and not hasattr(self.method, "temperature")


def read_config(path: Path) -> RunConfig:
    """The run that a JSON file describes.

    Raises:
        InputError: there is no such file, or it is no JSON.
        ConfigError: a key is unknown or missing, or a value cannot be used.
    """
    return config_from_json(read_json(path, "a run"))


def config_from_json(row: object) -> RunConfig:
    """The run as JSON describes it: the attributes of RunConfig, each with its default.

    Raises:
        ConfigError: a key is unknown or missing, or a value cannot be used.
    """
    values = dict(check_keys("the run", row, tuple(each.name for each in fields(RunConfig))))
    for name in ("model", "benchmark", "method"):
        if name not in values:
            raise ConfigError(f"the run has no {name}; give it")
    values["method"] = method_from_json(values["method"])
    if "profile" in values:
        profile = values["profile"]
        values["profile"] = profile_from_json(profile) if isinstance(profile, dict) else find_profile(profile)
    for name, kind in (("sampling", Sampling), ("grading", Grading)):
        if name in values:
            values[name] = _options(name, values[name], kind)
    return RunConfig(**values)


def config_to_json(config: RunConfig) -> dict[str, Any]:
    """The run with every value, as `config_from_json` reads it."""
    row: dict[str, Any] = {each.name: getattr(config, each.name) for each in fields(config)}
    row["method"] = method_to_json(config.method)
    row["engine_options"] = dict(config.engine_options)
    for name in ("profile", "sampling", "grading"):
        row[name] = {each.name: _plain(getattr(row[name], each.name)) for each in fields(row[name])}
    return row


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _options(name: str, row: object, kind: type[Any]) -> Any:
    """A dataclass of plain values from JSON, each of its default's kind."""
    options = kind()
    values = check_keys(name, row, tuple(each.name for each in fields(options)))
    for key, value in values.items():
        default = getattr(options, key)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        fits = is_number if isinstance(default, float) else type(value) is type(default)
        if not fits:
            kinds = {bool: "true or false", int: "a whole number", float: "a number"}
            raise ConfigError(f"{name}.{key}={value!r:.60}; {kinds[type(default)]} is needed")
    return replace(options, **values)
