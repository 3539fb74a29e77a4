"""A run's config from what is written on a command line: a file's values, and options over them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from curation.errors import ConfigError, InputError
from inference.benchmark_sources import SOURCES
from inference.evaluation.config import RunConfig, config_from_json
from inference.methods.registry import find_method
from s1web.experiments.work import ENDPOINTS
from s1web.pool.models import Benchmark

# option of the command -> key of the run
_PLAIN = (
    *("model", "tokenizer", "benchmark", "engine", "repeats", "seed", "limit", "profile", "template"),
    "reward_model",
)
# option of the command -> option of budget forcing
_FORCING = {"num_ignore": "num_ignore", "ignore_string": "ignore_strings"}
_PATHS = ("model", "tokenizer", "reward_model")


def config_from_options(options: Mapping[str, Any]) -> RunConfig:
    """The run, checked; paths are absolute.

    Args:
        options: of `manage.py evaluate`, None or empty where not given.

    Raises:
        InputError: the file of --config is not there, or no JSON.
        ConfigError: an option is missing, unknown or has a wrong value, or the method does not take it.
    """
    row = _read(options["config"]) if options["config"] else {}
    for name in _PLAIN:
        if options[name] is not None:
            row[name] = options[name]
    row |= {"engine_options": _merged(row, "engine_options", _pairs("--engine-option", options["engine_option"]))}
    row["method"] = _method(row, options)
    if options["temperature"] is not None:
        _set_temperature(row, options["temperature"])
    for name in ("model", "benchmark"):
        if not row.get(name):
            raise ConfigError(f"no {name} is given; give --{name}, or a --config that has one")
    for name in _PATHS:
        if name == "model" and row.get("engine") in ENDPOINTS:
            continue  # a name that a server knows, whatever lies here under it
        if row.get(name) and Path(str(row[name])).expanduser().exists():
            row[name] = str(Path(str(row[name])).expanduser().absolute())
    row["benchmark"] = _benchmark(row["benchmark"])
    return config_from_json(row)


def _read(path: str) -> dict[str, Any]:
    try:
        row = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; give a JSON file that describes a run") from None
    except ValueError as error:
        raise InputError(f"{path}: no JSON ({error}); give a JSON file that describes a run") from None
    if not isinstance(row, dict):
        raise InputError(f"{path}: no JSON object; give a JSON file that describes a run")
    return row


def _method(row: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The method as JSON, with the options that go into it."""
    stored = row.get("method")
    method = {"name": stored} if isinstance(stored, str) else dict(stored or {})
    given = options["method"]
    if given is not None and given != method.get("name"):
        # options of another method say nothing of this one
        method = {"name": given}
    if not method.get("name"):
        raise ConfigError("no method is given; give --method, or a --config that has one")
    allowed = {each.name for each in fields(find_method(method["name"]))}
    for key, value in _pairs("--set", options["set"]).items():
        _set_deep(method, key, value)
    forcing = {key: options[name] for name, key in _FORCING.items() if options[name] not in (None, [])}
    if options["max_thinking_tokens"] is not None:
        target = method if "max_thinking_tokens" in allowed else forcing
        target["max_thinking_tokens"] = options["max_thinking_tokens"]
    if forcing and "forcing" not in allowed:
        taken = {"max_thinking_tokens": "max_thinking_tokens"} | {key: name for name, key in _FORCING.items()}
        option = "--" + next(name for key, name in taken.items() if key in forcing).replace("_", "-")
        raise ConfigError(f"method {method['name']} takes no {option}; leave it out, or give another --method")
    if forcing:
        method["forcing"] = _merged(method, "forcing", forcing)
    return method


def _set_temperature(row: dict[str, Any], temperature: float) -> None:
    """Where a method draws by a temperature of its own, that is the one."""
    if "temperature" in {each.name for each in fields(find_method(row["method"]["name"]))}:
        row["method"]["temperature"] = temperature
    else:
        row["sampling"] = _merged(row, "sampling", {"temperature": temperature})


def _benchmark(name: str) -> str:
    """A name as it stands where there is one, else an absolute path."""
    if Benchmark.objects.filter(name=name).exists() or name in SOURCES:
        return name
    path = Path(name).expanduser()
    return str(path.absolute()) if path.exists() else name


def _pairs(option: str, pairs: Sequence[str]) -> dict[str, Any]:
    """`key=value` as a user writes them; a value that is no JSON is a text."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, sign, text = pair.partition("=")
        if not sign or not key.strip():
            raise ConfigError(f"{option} {pair!r:.80} cannot be read; write KEY=VALUE")
        try:
            found[key.strip()] = json.loads(text)
        except ValueError:
            found[key.strip()] = text
    return found


def _set_deep(row: dict[str, Any], key: str, value: Any) -> None:
    """`forcing.answer_reserve` is the option of that name within `forcing`."""
    first, _, rest = key.partition(".")
    if not rest:
        row[first] = value
        return
    inner = row.get(first)
    row[first] = dict(inner) if isinstance(inner, Mapping) else {}
    _set_deep(row[first], rest, value)


def _merged(row: Mapping[str, Any], key: str, values: Mapping[str, Any]) -> Any:
    """What stands under a key with values over it; what is no object stays, for its own check to refuse."""
    stored = row.get(key)
    if stored is None:
        return dict(values)
    return {**stored, **values} if isinstance(stored, Mapping) else stored
