"""Options of methods: checks with one line each, and the way to JSON and back."""

import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from curation.errors import ConfigError
from inference.forcing_plan import BudgetForcing, SamplingOverride


def check_count(name: str, value: object, *, at_least: int) -> None:
    """Refuse what is not a whole number of at least so many."""
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise ConfigError(f"{name}={value!r:.60}; a whole number of {at_least} or more is allowed")


def check_above_zero(name: str, value: object) -> None:
    """Refuse what is not a finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ConfigError(f"{name}={value!r:.60}; a number above 0 is allowed")


def check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Refuse what is none of the words."""
    if value not in allowed:
        raise ConfigError(f"{name}={value!r:.60} is unknown; allowed: {', '.join(allowed)}")


def check_keys(what: str, row: object, allowed: tuple[str, ...]) -> Mapping[str, Any]:
    """The row, which is an object with no other keys than these."""
    if not isinstance(row, Mapping):
        raise ConfigError(f"{what} is {row!r:.60}; an object with options is needed: {', '.join(allowed) or 'none'}")
    unknown = sorted(set(map(str, row)) - set(allowed))
    if unknown:
        raise ConfigError(
            f"{what} has the unknown option {unknown[0]!r:.60}; allowed: {', '.join(allowed) or 'none'}"
        )
    return row


def forcing_from_json(row: object) -> BudgetForcing:
    """Budget forcing's options from JSON: the attributes of BudgetForcing, each with its default.

    Raises:
        ConfigError: an option is unknown, of the wrong kind or out of range.
    """
    values = dict(check_keys("budget forcing", row, tuple(each.name for each in fields(BudgetForcing))))
    if "ignore_strings" in values:
        strings = values["ignore_strings"]
        if not isinstance(strings, list | tuple) or not all(isinstance(text, str) for text in strings):
            raise ConfigError(f'ignore_strings={strings!r:.60}; a list of texts is needed ("" puts in nothing)')
        values["ignore_strings"] = tuple(strings)
    if not isinstance(values.get("starts_thinking", True), bool):
        raise ConfigError(f"starts_thinking={values['starts_thinking']!r:.60}; true or false is allowed")
    if not isinstance(values.get("forced_answer", ""), str | None):
        raise ConfigError(f"forced_answer={values['forced_answer']!r:.60}; a text or null is allowed")
    if "overrides" in values:
        rows = values["overrides"]
        if not isinstance(rows, list | tuple):
            raise ConfigError(f"overrides={rows!r:.60}; a list of objects is needed")
        names = tuple(each.name for each in fields(SamplingOverride))
        checked = [dict(check_keys("override", each, names)) for each in rows]
        if not all("after" in each for each in checked):
            raise ConfigError("an override has no 'after'; give the number of suppressed ends before it holds")
        values["overrides"] = tuple(SamplingOverride(**each) for each in checked)
    return BudgetForcing(**values)


def forcing_to_json(options: BudgetForcing) -> dict[str, Any]:
    """The options as JSON holds them; `forcing_from_json` reads them."""
    row = asdict(options)
    row["ignore_strings"] = list(options.ignore_strings)
    row["overrides"] = [asdict(override) for override in options.overrides]
    return row
