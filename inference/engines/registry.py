"""Engines by name; each one's library is loaded when the engine is."""

import inspect
from collections.abc import Mapping
from typing import Any

from curation.errors import ConfigError
from inference.engines.protocol import Engine


def load_engine(name: str, model: str, options: Mapping[str, Any]) -> Engine:
    """The engine of that name over a model.

    Args:
        options: of its `load`, by name.

    Raises:
        ConfigError: the engine or an option is unknown, or the model cannot be loaded.
    """
    load = _loader(name)
    allowed = [
        each.name
        for each in inspect.signature(load).parameters.values()
        if each.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    unknown = sorted(set(options) - set(allowed))
    if unknown:
        raise ConfigError(f"engine {name} has no option {unknown[0]!r:.60}; allowed: {', '.join(allowed)}")
    try:
        engine: Engine = load(model, **options)
    except TypeError as error:
        raise ConfigError(f"engine {name}: {error}; see its options: {', '.join(allowed)}") from None
    return engine


def _loader(name: str) -> Any:
    if name == "transformers":
        from inference.engines.transformers import TransformersEngine

        return TransformersEngine.load
    raise ConfigError(f"engine {name!r:.60} is unknown; allowed: transformers")
