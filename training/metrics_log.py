"""metrics.jsonl: a line for each optimizer step, and none twice, whatever was killed in between."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

METRICS = "metrics.jsonl"


class MetricsLog:
    """Appends lines, each with its `step`, and drops those behind the checkpoint that a run goes on from."""

    def __init__(self, folder: Path, *, from_step: int) -> None:
        """
        Args:
            from_step: of the checkpoint, 0 for a new run; later lines are dropped, as their steps come again.
        """
        path = folder / METRICS
        kept = [line for line in read_metrics(folder) if line["step"] <= from_step]
        new = path.with_suffix(".new")
        new.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        os.replace(new, path)
        self._file = path.open("a", encoding="utf-8")

    def add(self, line: dict[str, Any]) -> None:
        """Write a line, whole and at once."""
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Nothing more is written."""
        self._file.close()


def read_metrics(folder: Path) -> Iterator[dict[str, Any]]:
    """The lines of a run's folder by step; a last line that was cut off by a kill is left out."""
    path = folder / METRICS
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for text in file:
            if text.endswith("\n"):
                yield json.loads(text)
