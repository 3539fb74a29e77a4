"""Typed readers of environment variables: one clear line where a value cannot be used."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def text(name: str, *, default: str) -> str:
    """The variable as it stands; an empty one counts as not set."""
    return os.environ.get(name) or default


def integer(name: str, *, default: int, minimum: int = 0) -> int:
    """A whole number.

    Raises:
        ImproperlyConfigured: not a whole number, or less than the minimum.
    """
    value = text(name, default=str(default))
    try:
        number = int(value)
    except ValueError:
        number = minimum - 1
    if number < minimum:
        raise ImproperlyConfigured(f"{name}={value!r} is not a whole number from {minimum}; unset it for {default}")
    return number


def switch(name: str, *, default: bool) -> bool:
    """On or off.

    Raises:
        ImproperlyConfigured: neither.
    """
    value = text(name, default="on" if default else "off")
    if value.lower() not in _SWITCH:
        raise ImproperlyConfigured(f"{name}={value!r} is neither on nor off; give one of {', '.join(_SWITCH)}")
    return _SWITCH[value.lower()]


def choice(name: str, *, default: str, choices: tuple[str, ...]) -> str:
    """One of a few words.

    Raises:
        ImproperlyConfigured: none of them.
    """
    value = text(name, default=default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r} is unknown; give one of {', '.join(choices)}")
    return value


def words(name: str, *, default: str) -> list[str]:
    """What stands between commas."""
    return [word.strip() for word in text(name, default=default).split(",") if word.strip()]


def path(name: str, *, default: Path) -> Path:
    """A file or folder; a relative one counts from the working directory."""
    return Path(text(name, default=str(default))).expanduser().absolute()
