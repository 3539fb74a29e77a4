"""The list of rows that could not be read: one JSON object a line with file, line, reason and the row's beginning."""

import json
import re
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from django.conf import settings

from curation.errors import S1WebError
from s1web.pool.tables import excerpt

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
            self.flush()
        if self._partial is None:
            return
        if kind is not None:
            self._partial.unlink(missing_ok=True)
            return
        final = self._folder / f"{self._name}.jsonl"
        try:
            self._partial.replace(final)
        except OSError as problem:
            self._partial.unlink(missing_ok=True)
            raise self._failure(problem) from None
        self.path = str(final)

    def add(self, name: str, line: int, reason: str, raw: object) -> None:
        """List one row; `raw` is the row, of which the beginning is shown, or that beginning (see `excerpt`)."""
        self.num_rows += 1
        self.first_reason = self.first_reason or f"line {line}: {reason}"
        shown = raw if isinstance(raw, str) else excerpt(raw)
        # ASCII, so that half a surrogate pair can be written too
        self._lines.append(json.dumps({"file": name, "line": line, "reason": reason, "row": shown}) + "\n")
        if len(self._lines) >= _BUFFERED:
            self.flush()

    def flush(self) -> None:
        """Write what is listed so far, so that a disk that is full stops the work before it counts as done.

        Raises:
            S1WebError: the list cannot be written.
        """
        if not self._lines:
            return
        try:
            if self._partial is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._partial = self._folder / f".{self._name}-{time.time_ns()}.partial"
            with self._partial.open("a", encoding="utf-8", newline="\n") as file:
                file.writelines(self._lines)
        except OSError as error:
            raise self._failure(error) from None
        self._lines.clear()

    def _failure(self, error: OSError) -> S1WebError:
        return S1WebError(
            f"{self._folder}: the list of rejected rows cannot be written: {error.strerror or error}; "
            "make room or give rights there, or set ARTIFACT_DIR to another folder"
        )
