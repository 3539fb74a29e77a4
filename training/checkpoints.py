"""Checkpoints of a run: only whole ones count."""

import json
import shutil
from pathlib import Path

CHECKPOINTS = "checkpoints"
_DONE = "complete.json"


def mark_complete(checkpoint: Path, step: int) -> None:
    """Called once everything of it is on the disk."""
    (checkpoint / _DONE).write_text(json.dumps({"step": step}), encoding="utf-8")


def newest_checkpoint(folder: Path) -> tuple[Path, int] | None:
    """The newest whole checkpoint of a run's folder and its step; what a kill left half-written is taken away."""
    found: list[tuple[Path, int]] = []
    root = folder / CHECKPOINTS
    for path in root.iterdir() if root.is_dir() else ():
        if (path / _DONE).exists():
            found.append((path, json.loads((path / _DONE).read_text(encoding="utf-8"))["step"]))
        else:
            shutil.rmtree(path, ignore_errors=True)
    return max(found, key=lambda item: item[1], default=None)
