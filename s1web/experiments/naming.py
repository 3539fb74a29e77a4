"""Names of runs: of their own, or made of what they are."""

import hashlib
import json
import re
from typing import Any

from curation.errors import ConfigError
from inference.evaluation.config import RunConfig, config_from_json, config_to_json

MAX_NAME = 120
_MOST_OF_A_PART = 40
# what tells runs of a method apart, as words of a name
_NUMBERS = {
    "num_tokens": "tokens",
    "num_steps": "steps",
    "length": "",
    "num_samples": "n",
    "max_thinking_tokens": "cap",
    "num_ignore": "wait",
}


def check_name(name: str) -> None:
    """Refuse what cannot name a run and its folder.

    Raises:
        ConfigError: empty or too long, a slash, or a dot in front.
    """
    if not 1 <= len(name) <= MAX_NAME or not re.fullmatch(r"[\w+=@,-][\w+=@,. -]*", name) or name.endswith(" "):
        raise ConfigError(
            f"--name {name!r:.140} names no run; give 1 to {MAX_NAME} letters, digits, spaces or any of "
            "_ + = @ , . - that begin with no dot"
        )


def default_name(config: RunConfig) -> str:
    """Model, benchmark, method, budget and seed in a line; a few digits of a hash where a run is more than these.

    The same config has the same name everywhere; the folder, not the name, decides whether it is the same run.
    """
    row = config_to_json(config)
    method, forcing = row["method"], row["method"].get("forcing") or {}
    told = {name: method[name] for name in _NUMBERS if method.get(name)}
    told_forcing = {name: forcing[name] for name in _NUMBERS if forcing.get(name) and name not in told}
    # a cap of 0 is one
    for place, values in ((method, told), (forcing, told_forcing)):
        if place.get("max_thinking_tokens") == 0:
            values["max_thinking_tokens"] = 0
    words = [_part(config.model), _part(config.benchmark), method["name"]]
    words += [f"{_NUMBERS[name]}{value}" for name, value in {**told, **told_forcing}.items()]
    words.append(f"seed{config.seed}")
    plain: dict[str, Any] = {"name": method["name"], **told}
    if told_forcing:
        plain["forcing"] = told_forcing
    common = {"model": config.model, "benchmark": config.benchmark, "method": plain, "seed": config.seed}
    digits = hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:6]
    if config_from_json(common) != config:
        words.append(digits)
    name = "-".join(words)
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 7]}-{digits}"


def _part(name_or_path: str) -> str:
    """The last part of a path or of a name on the Hub, without its ending where it is a file's."""
    last = name_or_path.rstrip("/").rsplit("/", 1)[-1].removesuffix(".jsonl").removesuffix(".json")
    return re.sub(r"[^\w.-]+", "_", last).strip("._-")[:_MOST_OF_A_PART] or "run"
