"""The rows of an exported selection, in whatever layout: questions with the trace that is trained on."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from curation.errors import InputError, RowError
from curation.layouts import resolve
from curation.rows import RowReader

_READERS = {".parquet": "parquet", ".jsonl": "json", ".json": "json"}


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """A question with its trace; `number` counts the rows from 1."""

    number: int
    question: str
    thinking: str
    attempt: str


def read_rows(data: str | Path, *, generator: str = "", most: int | None = None) -> list[TrainingRow]:
    """The rows of a folder that `export_selection` wrote, or of one file, in their order.

    Args:
        generator: whose traces, where rows have several; "": the first with thinking.
        most: how many of the first rows are read; None: all.

    Raises:
        InputError: there is no such data, a row cannot be read, or rows have no trace.
    """
    path = Path(data)
    files = _files(path)
    rows: list[TrainingRow] = []
    without: list[int] = []
    for number, raw in enumerate(islice(_raw_rows(path, files), most), start=1):
        if number == 1:
            reader = RowReader(resolve(list(raw)))
        try:
            row = reader.read(number, raw)
        except RowError as error:
            raise InputError(f"{path}: row {number}: {error}") from None
        named = (trace for trace in row.traces if trace.thinking and generator in ("", trace.generator))
        trace = next(named, None)
        if trace is None:
            without.append(number)
        else:
            rows.append(TrainingRow(number, row.question, trace.thinking, trace.attempt))
    if without:
        by = f" by {generator!r:.60}" if generator else ""
        raise InputError(
            f"{path}: {len(without):,} of {len(without) + len(rows):,} rows have no trace{by} (row {without[0]} is "
            "the first); export a selection whose recipe asks for traces"
        )
    if not rows:
        raise InputError(f"{path}: no rows; export a selection that has some")
    return rows


def rows_sha256(rows: Sequence[TrainingRow]) -> str:
    """What is trained on, whatever file it came in: SHA-256 of its texts in their order, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps([row.question, row.thinking, row.attempt], ensure_ascii=False).encode())
        digest.update(b"\n")
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    if path.is_file():
        files = [path]
    elif path.is_dir():
        inner = path / "data"
        files = sorted(file for file in (inner if inner.is_dir() else path).iterdir() if file.suffix in _READERS)
    else:
        raise InputError(f"{path}: no such file or folder; give what export_selection wrote")
    kinds = {file.suffix for file in files}
    if len(kinds) != 1 or not kinds <= _READERS.keys():
        found = ", ".join(sorted(kinds)) or "none"
        raise InputError(f"{path}: files of one kind are needed, {' or '.join(_READERS)}; found: {found}")
    return files


def _raw_rows(path: Path, files: Sequence[Path]) -> Iterator[dict[str, Any]]:
    import datasets

    # the library knows no table without a row
    names = [str(file) for file in files if file.stat().st_size]
    if not names:
        return
    try:
        yield from datasets.load_dataset(_READERS[files[0].suffix], data_files=names, split="train", streaming=True)
    except (OSError, ValueError, datasets.exceptions.DatasetGenerationError) as error:
        raise InputError(f"{path}: cannot be read: {str(error).splitlines()[0]:.200}") from None
