"""The list of rows that could not be read: one JSON object a line with file, line, reason and the row's beginning."""

import json
import re
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from django.conf import settings

_EXCERPT = 200
_BUFFERED = 1_000


class RejectedRows:
    """Writes the list as rows come; the file appears under its name only when the work has ended well.

    Args:
        name: what the file is named after.
    """

    def __init__(self, name: str) -> None:
        self._folder = Path(settings.ARTIFACT_DIR) / "rejected"
        self._name = re.sub(r"[^\w.-]+", "_", name)[:80]
        self._lines: list[str] = []
        self._partial: Path | None = None
        self.num_rows = 0
        self.first_reason = ""
        self.path: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        if self._partial is None:
            return
        if kind is not None:
            self._partial.unlink(missing_ok=True)
            return
        final = self._folder / f"{self._name}.jsonl"
        self._partial.replace(final)
        self.path = str(final)

    def add(self, name: str, line: int, reason: str, raw: object) -> None:
        """List one row; `raw` is shown shortened."""
        self.num_rows += 1
        self.first_reason = self.first_reason or f"line {line}: {reason}"
        shown = "" if isinstance(raw, Exception) else repr(_excerpt(raw))[:_EXCERPT]
        # ASCII, so that half a surrogate pair can be written too
        self._lines.append(json.dumps({"file": name, "line": line, "reason": reason, "row": shown}) + "\n")
        if len(self._lines) >= _BUFFERED:
            self._flush()

    def _flush(self) -> None:
        if not self._lines:
            return
        if self._partial is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._partial = self._folder / f".{self._name}-{time.time_ns()}.partial"
        with self._partial.open("a", encoding="utf-8", newline="\n") as file:
            file.writelines(self._lines)
        self._lines.clear()


def _excerpt(raw: object) -> object:
    """The row with long values cut, so that showing it costs nothing."""
    if isinstance(raw, dict):
        return {str(key)[:40]: _excerpt(value) for key, value in list(raw.items())[:12] if value is not None}
    return raw[:60] if isinstance(raw, str | list | bytes) else raw
