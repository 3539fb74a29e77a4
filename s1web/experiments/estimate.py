"""The most that a trial can take, said before a model is loaded."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.evaluation.config import RunConfig
from inference.methods.registry import method_to_json


@dataclass(frozen=True, slots=True)
class Most:
    """Upper bounds of one trial.

    Attributes:
        requests: generations.
        tokens: drawn by the model; None where neither a cap nor the model's context is known.
    """

    requests: int
    tokens: int | None


def most_of_a_trial(config: RunConfig) -> Most:
    """By the method's options and the model's context, as far as its files are on this machine."""
    method = method_to_json(config.method)
    forcing = method.get("forcing") or {}
    answer = method.get("max_answer_tokens", forcing.get("max_answer_tokens"))
    context = _context_tokens(config)
    thinking = method.get("max_thinking_tokens", forcing.get("max_thinking_tokens"))
    if thinking is None and method.get("forcing") is not None and method["name"] == "token_conditional":
        thinking = method["num_tokens"]
    whole = _least(None if thinking is None or answer is None else thinking + answer, context)
    if method["name"] == "rejection_sampling":
        last = _least(answer, context)
        attempts = method["max_attempts"]
        return Most(attempts + 1, None if last is None else attempts * thinking + last)
    samples = method.get("num_samples", 1)
    if method["name"] == "rebase":
        steps, last = method["max_steps"], _least(answer, context)
        tokens = None if last is None else samples * (steps * method["max_step_tokens"] + last)
        return Most(samples * (steps + 1), tokens)
    return Most(samples, None if whole is None else samples * whole)


def _least(*numbers: int | None) -> int | None:
    known = [number for number in numbers if number is not None]
    return min(known) if known else None


def _context_tokens(config: RunConfig) -> int | None:
    """What is set, else what the model's own settings say."""
    given = config.engine_options.get("context_tokens")
    if isinstance(given, int):
        return given
    try:
        row: Any = json.loads((Path(config.model) / "config.json").read_text(encoding="utf-8"))
        most = row["max_position_embeddings"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return most if isinstance(most, int) else None
