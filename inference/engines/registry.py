"""Engines by name; each one's library is loaded when the engine is."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from curation.errors import ConfigError
from inference.delimiters import Tokenizer
from inference.engines.protocol import Engine

ENGINES = ("transformers", "vllm", "openai")
# what every run gives by itself
_GIVEN = ("model", "tokenizer")


def load_engine(
    name: str, model: str, options: Mapping[str, Any], tokenizer: Tokenizer, *, beside: Sequence[str] = ()
) -> Engine:
    """The engine of that name over a model.

    Args:
        options: of its `load` or `connect`, by name; `address` for an endpoint.
        beside: names that the caller takes in the same place; told where an option is unknown.

    Raises:
        ConfigError: the engine or an option is unknown or missing, or the model cannot be loaded.
    """
    options = dict(options)
    make: Callable[..., Engine]
    if name == "transformers":
        from inference.engines.transformers import TransformersEngine

        make = partial(TransformersEngine.load, model)
    elif name == "vllm":
        from inference.engines.vllm import VLLMEngine

        make = partial(VLLMEngine.load, model)
    elif name == "openai":
        from inference.engines.openai import OpenAIEngine

        if not isinstance(options.get("address"), str):
            raise ConfigError("engine openai needs the option address, such as http://127.0.0.1:8000/v1")
        make = partial(OpenAIEngine.connect, options.pop("address"), model=model, tokenizer=tokenizer)
    else:
        raise ConfigError(f"engine {name!r:.60} is unknown; allowed: {', '.join(ENGINES)}")
    allowed = [
        each.name
        for each in inspect.signature(make).parameters.values()
        if each.kind is inspect.Parameter.KEYWORD_ONLY and each.name not in _GIVEN
    ]
    unknown = sorted(set(options) - set(allowed))
    if unknown:
        raise ConfigError(
            f"engine {name} has no option {unknown[0]!r:.60}; allowed: {', '.join((*beside, *allowed))}"
        )
    return make(**options)
