"""What every launcher takes and gives back, and the log that every launch has, a failed one too.

A launch has a folder of its own beside the run's (`NAME.launch` beside `NAME`), as a run's folder holds its own files
alone. Whoever launched may go away: the folder says how to ask after the run, and how to stop it.
"""

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from curation.errors import ConfigError, S1WebError
from training.config import read_config_with
from training.work import RUN

State = Literal["waiting", "running", "done", "stopped", "failed", "unknown"]
# nothing changes any more
ENDED: frozenset[State] = frozenset(("done", "stopped", "failed"))


class LaunchError(S1WebError):
    """A launch that did not begin; the message names its log."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A run that is to be carried out.

    Attributes:
        run: the JSON file that describes it.
        out: the run's folder.
        settings: `KEY=VALUE` each, in place of the file's own.
        num_processes: on each node, one for each device.
        num_nodes: machines.
    """

    run: Path
    out: Path
    settings: tuple[str, ...] = ()
    num_processes: int = 1
    num_nodes: int = 1

    def __post_init__(self) -> None:
        for name in ("num_processes", "num_nodes"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ConfigError(f"{name}={value!r:.60}; a whole number of 1 or more is needed")

    @property
    def folder(self) -> Path:
        """Of the launch: logs, and how to ask after it."""
        return self.out.with_name(f"{self.out.name}.launch").absolute()

    def module(self) -> list[str]:
        """The command of one process behind `python`, with paths that hold wherever it is started."""
        settings = [word for setting in self.settings for word in ("--set", setting)]
        return ["-m", "training.sft", str(self.run.absolute()), "--out", str(self.out.absolute()), *settings]

    def check(self) -> None:
        """Find what would fail on every process.

        Raises:
            S1WebError: the run cannot be read, or its batch cannot be shared out.
        """
        read_config_with(self.run, self.settings).num_accumulated(self.num_processes * self.num_nodes)


class Handle(Protocol):
    """A launch that has begun."""

    @property
    def log(self) -> Path:
        """Everything that was written, by the launcher, by libraries and by the run."""

    def state(self) -> State:
        """How it stands, asked anew each time."""

    def stop(self, *, now: bool = False) -> None:
        """Ask it to end behind a checkpoint, and return at once.

        Args:
            now: end it without one; it goes on from the last.
        """


class Launcher(Protocol):
    """A way to carry runs out."""

    def written(self, launch: Launch) -> str:
        """What a user would type to do the same by hand; shell."""

    def start(self, launch: Launch) -> Handle:
        """Begin.

        Raises:
            LaunchError: it did not; its log says why, and the message where the log is.
            ConflictError: the run is being carried out already.
        """

    def find(self, launch: Launch) -> Handle | None:
        """The handle of a launch that was begun before, by this process or another; None: there is none."""


def open_log(path: Path, command: Sequence[str] | str) -> None:
    """Begin a launch's part of the log with its command; earlier launches' parts stay before it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    append_log(path, f"$ {command if isinstance(command, str) else shlex.join(command)}")


def append_log(path: Path, line: str) -> None:
    """Add a line of the launcher's own."""
    with path.open("a", encoding="utf-8", errors="replace") as file:
        file.write(line + "\n")


def failed(log: Path, reason: str) -> LaunchError:
    """The error of a launch that did not begin, written into its log too."""
    append_log(log, f"launch failed: {reason}")
    return LaunchError(f"{reason}; log: {log}")


def fingerprint(out: Path) -> int | None:
    """Changes whenever the run's record is written; None: there is none."""
    try:
        return (out / RUN).stat().st_mtime_ns
    except OSError:
        return None


def recorded_state(out: Path, before: int | None) -> str | None:
    """The state that the run itself wrote down since; None: it wrote nothing.

    Args:
        before: the record's fingerprint when it was launched, so that an earlier launch's end is not taken for this
            one's.
    """
    if fingerprint(out) in (None, before):
        return None
    try:
        state = json.loads((out / RUN).read_text(encoding="utf-8"))["state"]
    except (OSError, ValueError, KeyError):
        return None
    return str(state)


def ended_state(out: Path, before: int | None, *, is_asked_to_stop: bool) -> State:
    """The state of a run whose processes are gone."""
    recorded = recorded_state(out, before)
    if recorded == "done":
        return "done"
    if recorded == "stopped" or is_asked_to_stop:
        return "stopped"
    return "failed"


def save(path: Path, values: Mapping[str, Any]) -> None:
    """Keep a handle's values, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(values), encoding="utf-8")
    os.replace(new, path)


def saved(path: Path) -> dict[str, Any] | None:
    """A handle's values; None: there are none."""
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return values


def last_line(log: Path) -> str:
    """What a log ends with that says something."""
    try:
        with log.open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - 10_000, 0))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")
