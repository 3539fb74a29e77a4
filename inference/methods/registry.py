"""Methods by name, and their way to JSON and back."""

from dataclasses import MISSING, fields
from typing import Any

from curation.errors import ConfigError
from inference.forcing_plan import BudgetForcing
from inference.methods.base import Method
from inference.methods.options import check_keys, forcing_from_json, forcing_to_json
from inference.methods.parallel import BestOfN, MajorityVoting
from inference.methods.rebase import Rebase
from inference.methods.rejection import RejectionSampling
from inference.methods.single import BudgetForced, ClassConditional, NoControl, StepConditional, TokenConditional

METHODS: dict[str, type[Any]] = {
    method.name: method
    for method in (
        NoControl,
        BudgetForced,
        TokenConditional,
        StepConditional,
        ClassConditional,
        RejectionSampling,
        MajorityVoting,
        BestOfN,
        Rebase,
    )
}


def find_method(name: object) -> type[Any]:
    """The method of that name.

    Raises:
        ConfigError: there is none.
    """
    if not isinstance(name, str) or name not in METHODS:
        raise ConfigError(f"method {name!r:.60} is unknown; allowed: {', '.join(METHODS)}")
    return METHODS[name]


def method_from_json(row: object) -> Method:
    """The method that an object names: `{"name": "budget_forcing", "forcing": {"max_thinking_tokens": 8000}}`.

    Raises:
        ConfigError: the method or an option is unknown, or an option has a wrong value.
    """
    name = row.get("name") if isinstance(row, dict) else row
    method = find_method(name)
    options = {each.name for each in fields(method)}
    values = dict(check_keys(f"method {name}", row, ("name", *sorted(options)))) if isinstance(row, dict) else {}
    values.pop("name", None)
    for each in fields(method):
        if each.default is MISSING and each.default_factory is MISSING and each.name not in values:
            raise ConfigError(f"method {name} needs {each.name}; give it")
        if each.name == "forcing" and each.name in values and not (values["forcing"] is None is each.default):
            values["forcing"] = forcing_from_json(values["forcing"])
    built: Method = method(**values)
    return built


def method_to_json(method: Method) -> dict[str, Any]:
    """The method as JSON holds it, every option with its value; `method_from_json` reads it."""
    row: dict[str, Any] = {"name": method.name}
    for each in fields(method):  # type: ignore[arg-type]  # every method is a dataclass
        value = getattr(method, each.name)
        row[each.name] = forcing_to_json(value) if isinstance(value, BudgetForcing) else value
    return row
