"""What lm-eval hands over (`--model_args`, a task's `generation_kwargs`), checked and in our terms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from curation.errors import ConfigError
from inference.delimiters import DelimiterProfile, find_profile, profile_from_json
from inference.engines.registry import ENGINES
from inference.forcing_plan import BudgetForcing
from inference.methods.options import check_choice, check_count, forcing_from_json
from inference.sampling import Sampling

_FORCING = tuple(each.name for each in fields(BudgetForcing))
_OWN = ("tokenizer", "seed", "samples_log", "engine")
# what `--model_args` may hold beside the engine's options
ARGUMENTS = ("pretrained", "profile", *_OWN, *_FORCING)
# a request's length under each name that lm-eval's own models take, the first one given counts
_LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
_SAMPLING = ("temperature", "top_p", "top_k", "frequency_penalty")


@dataclass(frozen=True, slots=True)
class ModelArguments:
    """`--model_args`.

    Attributes:
        pretrained: a folder, or a name on the Hub; for an endpoint the name it serves.
        engine, engine_options, tokenizer, profile, seed: as in `evaluation.config.RunConfig`.
        forcing: what holds for every request that names nothing else.
        samples_log: a file of JSON lines, one for each request with its ids, events and thinking; None: none.
    """

    pretrained: str
    engine: str = "transformers"
    engine_options: Mapping[str, Any] = field(default_factory=dict)
    tokenizer: str | None = None
    profile: DelimiterProfile = field(default_factory=lambda: find_profile("s1"))
    forcing: BudgetForcing = field(default_factory=BudgetForcing)
    seed: int = 0
    samples_log: str | None = None


def model_arguments(values: Mapping[str, Any]) -> ModelArguments:
    """The arguments as lm-eval gives them: ours, options of budget forcing and of the engine, side by side.

    Raises:
        ConfigError: one is missing or cannot be used; the engine says which options of its own it has.
    """
    rest = dict(values)
    for name in ("batch_size", "max_batch_size"):
        # lm-eval gives 1 where the user gives nothing, so 1 cannot be told from no wish
        if str(rest.pop(name, None) or 1) not in ("1", "auto"):
            raise ConfigError(f"{name}={values[name]!r:.60} is not used; give max_rows in --model_args instead")
    profile = rest.pop("profile", "s1")
    forcing = {name: rest.pop(name) for name in _FORCING if name in rest}
    own = {name: rest.pop(name) for name in _OWN if name in rest}
    pretrained = rest.pop("pretrained", None)
    named = {"pretrained": pretrained} | {name: own.get(name) for name in ("tokenizer", "samples_log")}
    for name, value in named.items():
        # lm-eval reads an argument that looks like a number as one
        if not isinstance(value, str) and (name == "pretrained" or value is not None):
            raise ConfigError(f"{name}={value!r:.60}; --model_args needs {name}=NAME or {name}=PATH")
    arguments = ModelArguments(
        pretrained=str(pretrained),
        profile=profile_from_json(profile) if isinstance(profile, Mapping) else find_profile(profile),
        forcing=_forcing(BudgetForcing(), forcing),
        engine_options=rest,
        **own,
    )
    check_choice("engine", arguments.engine, ENGINES)
    check_count("seed", arguments.seed, at_least=0)
    return arguments


@dataclass(frozen=True, slots=True)
class Generation:
    """A request's `generation_kwargs`.

    Attributes:
        until: each of them ends the answer; never the thinking.
        sampling: its seed is not set yet.
    """

    forcing: BudgetForcing
    sampling: Sampling
    until: tuple[str, ...]


def generation_arguments(values: Mapping[str, Any], default: BudgetForcing) -> Generation:
    """A request's arguments; options of budget forcing among them hold instead of the model's own.

    Raises:
        ConfigError: one is unknown, or cannot be used.
    """
    rest = dict(values)
    until = rest.pop("until", None) or []
    until = [until] if isinstance(until, str) else until
    if not isinstance(until, list | tuple) or not all(isinstance(text, str) for text in until):
        raise ConfigError(f"until={until!r:.60}; a text or a list of texts is allowed")
    lengths = [rest.pop(name) for name in _LENGTHS if rest.get(name) is not None]
    forcing = {name: rest.pop(name) for name in _FORCING if name in rest}
    if lengths:
        forcing.setdefault("max_answer_tokens", lengths[0])
    do_sample = rest.pop("do_sample", None)
    sampling = {name: rest.pop(name) for name in _SAMPLING if rest.get(name) is not None}
    if do_sample and "temperature" not in sampling:
        # lm-eval's own models take 1 here or 0
        raise ConfigError("do_sample=True without a temperature; give both, as in --gen_kwargs temperature=1.0")
    if do_sample is False:
        sampling["temperature"] = 0.0
    unknown = sorted(name for name in rest if name not in (*_LENGTHS, *_SAMPLING))
    if unknown:
        allowed = ("until", "do_sample", *_LENGTHS, *_SAMPLING, *_FORCING)
        raise ConfigError(
            f"generation_kwargs has the unknown option {unknown[0]!r:.60}; allowed: {', '.join(allowed)}"
        )
    return Generation(_forcing(default, forcing), _sampling(sampling), tuple(text for text in until if text))


def _forcing(default: BudgetForcing, values: Mapping[str, Any]) -> BudgetForcing:
    changed = dict(values)
    if isinstance(changed.get("ignore_strings"), str):
        changed["ignore_strings"] = [changed["ignore_strings"]]
    checked = forcing_from_json(changed)
    return replace(default, **{name: getattr(checked, name) for name in changed})


def _sampling(values: Mapping[str, Any]) -> Sampling:
    for name, value in values.items():
        is_number = isinstance(value, int if name == "top_k" else int | float) and not isinstance(value, bool)
        if not is_number:
            raise ConfigError(f"{name}={value!r:.60}; a {'whole ' if name == 'top_k' else ''}number is needed")
    return Sampling(**values)


def first_stop(text: str, until: Sequence[str]) -> str:
    """The text before the first of the stops."""
    return text[: min((place for stop in until if (place := text.find(stop)) >= 0), default=len(text))]
