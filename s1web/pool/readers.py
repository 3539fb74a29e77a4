"""Pool files as batches of raw rows: parquet, JSON lines (.gz, .zst), CSV, a data set of the Hub.

Every reader streams: memory is one batch, whatever the size of the file. A row that cannot be read is a `RowError`
in its place; a file that cannot be read at all raises `InputError`.
"""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import InputError, RowError

_TEXTS = (".jsonl", ".json", ".csv")
SUFFIXES = (".parquet", *_TEXTS, *(text + packed for text in _TEXTS for packed in (".gz", ".zst")))
# a compressed file is a bomb only where its content is large in itself
_SMALL = 64 * 2**20
_CHUNK = 2**20

RawRow = tuple[int, dict[str, Any] | RowError]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a reader takes before it refuses.

    Attributes:
        line_bytes: a longer line of JSON or CSV is a rejected row.
        expansion: a compressed file whose content is more than so many times its size is refused.
        batch_rows, batch_bytes: a batch ends at whichever comes first.
    """

    line_bytes: int = 128 * 2**20
    expansion: int = 200
    batch_rows: int = 2_000
    batch_bytes: int = 24 * 2**20


@dataclass
class Table:
    """An opened file.

    Attributes:
        name: the path or address as the user gave it.
        key: SHA-256 of its content (of a data set of the Hub: its address with revision).
        names: its columns; of JSON lines those of the first batch, and `names` grows as further ones appear.
        total, done: size and progress in `unit` (rows or bytes); total 0 is unknown.
        batches: called with the columns that are wanted (None: all), yields batches of (line, raw row or error).
    """

    name: str
    key: str
    names: list[str]
    batches: Callable[[frozenset[str] | None], Iterator[list[RawRow]]]
    total: int = 0
    done: int = 0
    unit: str = "rows"


def open_table(name: str, limits: Limits | None = None) -> Table:
    """Open a file by its name's ending, or a data set of the Hub by `hf://owner/name@revision`.

    Raises:
        InputError: not there, not readable, empty, or not what its name says.
    """
    limits = limits or Limits()
    if name.startswith("hf://"):
        from s1web.pool.hub import open_hub

        return open_hub(name, limits)
    path = Path(name)
    with _readable(name):
        if not path.exists():
            raise InputError(f"{name}: no such file; give a path, or hf://owner/name@revision")
        if path.is_dir():
            raise InputError(f"{name}: is a folder; give its files")
        if not path.stat().st_size:
            raise InputError(f"{name}: the file is empty; a pool file has at least one row")
        lowered = path.name.lower()
        if not lowered.endswith(SUFFIXES):
            raise InputError(f"{name}: not a known kind of file; give one of {', '.join(SUFFIXES)}")
        with path.open("rb") as file:
            key = hashlib.file_digest(file, "sha256").hexdigest()
        if lowered.endswith(".parquet"):
            return _open_parquet(name, path, key, limits)
        opener = _open_csv if ".csv" in lowered[-8:] else _open_json_lines
        return opener(name, path, key, limits)


def expand_paths(names: list[str]) -> list[str]:
    """Folders become the pool files in them, sorted by name; everything else stays as it is.

    Raises:
        InputError: a folder without pool files.
    """
    found: list[str] = []
    for name in names:
        if name.startswith("hf://") or not Path(name).is_dir():
            found.append(name)
            continue
        inside = sorted(str(path) for path in Path(name).iterdir() if path.name.lower().endswith(SUFFIXES))
        if not inside:
            raise InputError(f"{name}: the folder holds no pool file; a pool file ends in {', '.join(SUFFIXES)}")
        found += inside
    return found


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Turn what the operating system and the format libraries raise into one line about the file."""
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowException) as error:
        reason = _one_line(error)
        raise InputError(f"{name}: cannot be read: {reason}; the file is damaged or not of its kind") from None
    except OSError as error:
        reason = error.strerror or _one_line(error)
        raise InputError(f"{name}: cannot be read: {reason}; check the file and its rights") from None


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:297] + "..."


# --- parquet ----------------------------------------------------------------------------------------------------


def _open_parquet(name: str, path: Path, key: str, limits: Limits) -> Table:
    file = pq.ParquetFile(path, memory_map=False, pre_buffer=False, buffer_size=_CHUNK)
    names = list(file.schema_arrow.names)
    repeated = sorted({column for column in names if names.count(column) > 1})
    if repeated:
        raise InputError(f"{name}: column {repeated[0]!r} is there twice; name the columns apart")
    metadata = file.metadata
    if not metadata.num_rows:
        raise InputError(f"{name}: the file holds no rows; a pool file has at least one")
    size = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    row_bytes = max(1, size // metadata.num_rows)
    batch_rows = max(1, min(limits.batch_rows, limits.batch_bytes // row_bytes))

    def batches(wanted: frozenset[str] | None) -> Iterator[list[RawRow]]:
        columns = [column for column in names if wanted is None or column in wanted]
        line = 1
        with _readable(name):
            for batch in file.iter_batches(batch_size=batch_rows, columns=columns, use_threads=False):
                rows = _parquet_rows(batch, line)
                line += batch.num_rows
                table.done += batch.num_rows
                yield rows

    table = Table(name, key, names, batches, total=metadata.num_rows)
    return table


def _parquet_rows(batch: pa.RecordBatch, line: int) -> list[RawRow]:
    errors: dict[int, RowError] = {}
    columns: list[list[Any]] = []
    for column_name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            columns.append(column.to_pylist())
        except UnicodeDecodeError:
            columns.append([_cell(column, place, column_name, errors) for place in range(len(column))])
        except (ValueError, OverflowError, ArithmeticError, pa.ArrowException):
            # a date beyond Python's range, say: only this column is affected, cell by cell
            columns.append([_cell(column, place, column_name, errors) for place in range(len(column))])
    names = batch.schema.names
    rows: list[RawRow] = []
    for place, values in enumerate(zip(*columns, strict=True)):
        rows.append((line + place, errors.get(place) or dict(zip(names, values, strict=True))))
    return rows


def _cell(column: Any, place: int, name: str, errors: dict[int, RowError]) -> Any:
    try:
        return column[place].as_py()
    except UnicodeDecodeError as error:
        errors[place] = RowError(f"{name} is not valid UTF-8 at byte {error.start}; save the text as UTF-8")
    except (ValueError, OverflowError, ArithmeticError, pa.ArrowException) as error:
        errors[place] = RowError(f"{name} cannot be read: {_one_line(error)}")
    return None


# --- lines ------------------------------------------------------------------------------------------------------


class _Lines:
    r"""Lines of a text file as bytes, split on \n alone (U+2028 and the like stay inside), each with its end.

    An iterator class rather than a generator, as it goes on after a line that is too long has raised `RowError`.
    """

    def __init__(self, name: str, path: Path, limits: Limits) -> None:
        self.name = name
        self.limits = limits
        self.line = 0
        self.size = path.stat().st_size
        self.bytes_read = 0
        self._file: BinaryIO = path.open("rb")
        compression: Any = {".gz": "gzip", ".zst": "zstd"}.get(path.suffix.lower())
        self._is_compressed = compression is not None
        self._stream: Any = pa.CompressedInputStream(self._file, compression) if compression else self._file
        self._lines: list[bytes] = []
        self._rest = b""
        self._at_end = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._lines and not self._fill():
            raise StopIteration
        self.line += 1
        return self._lines.pop()

    def position(self) -> int:
        """Bytes of the file taken so far, compressed ones where it is compressed."""
        return self.size if self._at_end else self._file.tell()

    def close(self) -> None:
        self._file.close()

    def _fill(self) -> bool:
        """Read until at least one whole line is there; False at the end."""
        parts = [self._rest]
        length = len(self._rest)
        while True:
            chunk = self._read()
            if not chunk:
                self._rest = b""
                last = b"".join(parts)
                self._lines = [last] if last else []
                return bool(last)
            parts.append(chunk)
            length += len(chunk)
            if b"\n" in chunk:
                lines = b"".join(parts).split(b"\n")
                self._rest = lines.pop()
                lines.reverse()
                self._lines = [line + b"\n" for line in lines]
                return True
            if length > self.limits.line_bytes:
                self._skip_line(length)

    def _skip_line(self, length: int) -> None:
        """Read past a line that is too long without keeping it, then say so."""
        while True:
            chunk = self._read()
            end = chunk.find(b"\n")
            if not chunk or end >= 0:
                length += end + 1 if chunk else 0
                self._rest = chunk[end + 1 :] if chunk else b""
                break
            length += len(chunk)
        self.line += 1
        raise RowError(f"the line has {length:,} bytes; at most {self.limits.line_bytes:,} are allowed")

    def _read(self) -> bytes:
        try:
            chunk: bytes = self._stream.read(_CHUNK)
        except OSError as error:
            if not self._is_compressed:
                raise
            raise InputError(
                f"{self.name}: cannot be unpacked: {_one_line(error)}; the file is damaged or cut off"
            ) from None
        self._at_end = not chunk
        self.bytes_read += len(chunk)
        if self._is_compressed and self.bytes_read > max(_SMALL, self.limits.expansion * self.size):
            raise InputError(
                f"{self.name}: unpacks to more than {self.limits.expansion} times its {self.size:,} bytes; "
                "unpack it yourself if you trust it, or raise POOL_MAX_EXPANSION"
            )
        return chunk


def _batched(
    lines: _Lines, rows: Iterator[RawRow | None], limits: Limits, on_batch: Callable[[], None]
) -> Iterator[list[RawRow]]:
    """Group rows into batches by number and bytes read; None is a blank line."""
    batch: list[RawRow] = []
    start = lines.bytes_read
    for row in rows:
        if row is not None:
            batch.append(row)
        if len(batch) >= limits.batch_rows or (batch and lines.bytes_read - start >= limits.batch_bytes):
            on_batch()
            yield batch
            batch, start = [], lines.bytes_read
    if batch:
        on_batch()
        yield batch


def _open_json_lines(name: str, path: Path, key: str, limits: Limits) -> Table:
    names: list[str] = []
    seen: set[str] = set()

    def parse(line: int, data: bytes) -> RawRow | None:
        if data.isspace():
            return None
        try:
            text = data.decode("utf-8-sig" if line == 1 else "utf-8")
            raw = json.loads(text)
        except UnicodeDecodeError as error:
            return line, RowError(f"not valid UTF-8 at byte {error.start} of the line; save the file as UTF-8")
        except RecursionError:
            return line, RowError("the JSON is nested too deeply")
        except ValueError as error:
            return line, RowError(f"not JSON: {_one_line(error)}")
        if not isinstance(raw, dict):
            return line, RowError(f"a JSON {type(raw).__name__} is not a row; an object with named fields is allowed")
        if not seen.issuperset(raw):
            for column in raw:
                if column not in seen:
                    seen.add(column)
                    names.append(column)
        return line, raw

    def rows(lines: _Lines) -> Iterator[RawRow | None]:
        while True:
            try:
                data = next(lines)
            except StopIteration:
                return
            except RowError as error:
                yield lines.line, error
                continue
            yield parse(lines.line, data)

    def batches(wanted: frozenset[str] | None) -> Iterator[list[RawRow]]:
        with _readable(name):
            lines = _Lines(name, path, limits)
            try:
                yield from _batched(lines, rows(lines), limits, lambda: setattr(table, "done", lines.position()))
            finally:
                lines.close()

    table = Table(name, key, names, batches, total=path.stat().st_size, unit="bytes")
    first = next(batches(None), [])
    table.done = 0
    if not first:
        raise InputError(f"{name}: the file holds no rows; a pool file has at least one")
    if not names:
        line, reason = first[0]
        raise InputError(f"{name}: none of its first {len(first):,} lines is a row; line {line}: {reason}")
    return table


def _open_csv(name: str, path: Path, key: str, limits: Limits) -> Table:
    csv.field_size_limit(limits.line_bytes)

    class Decoded:
        """The file's lines as text; bytes that are not UTF-8 stay recognisable as lone surrogates."""

        def __init__(self, lines: _Lines) -> None:
            self.lines = lines

        def __iter__(self) -> Iterator[str]:
            return self

        def __next__(self) -> str:
            data = next(self.lines)
            return data.decode("utf-8-sig" if self.lines.line == 1 else "utf-8", errors="surrogateescape")

    def rows(lines: _Lines) -> Iterator[RawRow | None]:
        reader = csv.reader(Decoded(lines), strict=True)
        header: list[str] | None = None
        while True:
            line = lines.line + 1
            try:
                values = next(reader)
            except StopIteration:
                return
            except RowError as error:
                yield lines.line, error
                continue
            except csv.Error as error:
                if header is None or "end of data" in str(error) or "field limit" in str(error):
                    raise InputError(
                        f"{name}: line {line}: {error}; is a quote opened here and never closed? "
                        'a quote inside a quoted field is written twice ("")'
                    ) from None
                where = f"lines {line} to {lines.line}" if lines.line > line else "the line"
                yield line, RowError(f'{where}: {error}; a quote inside a quoted field is written twice ("")')
                continue
            if header is None:
                header = values
                yield line, dict.fromkeys(values)
            elif not values:
                yield None
            else:
                yield line, _csv_row(header, values)

    def batches(wanted: frozenset[str] | None) -> Iterator[list[RawRow]]:
        with _readable(name):
            lines = _Lines(name, path, limits)
            try:
                body = rows(lines)
                next(body, None)
                yield from _batched(lines, body, limits, lambda: setattr(table, "done", lines.position()))
            finally:
                lines.close()

    lines = _Lines(name, path, limits)
    try:
        first = next(rows(lines), None)
    finally:
        lines.close()
    if first is None or isinstance(first[1], RowError):
        raise InputError(f"{name}: its first line does not name columns: {first[1] if first else 'it is empty'}")
    names = list(first[1])
    table = Table(name, key, names, batches, total=path.stat().st_size, unit="bytes")
    if next(batches(None), None) is None:
        raise InputError(f"{name}: the file holds no rows below its header; a pool file has at least one")
    table.done = 0
    return table


def _csv_row(header: list[str], values: list[str]) -> dict[str, Any] | RowError:
    if len(values) != len(header):
        return RowError(f"{len(values)} fields where the header has {len(header)}; is a quote or a comma astray?")
    for column, value in zip(header, values, strict=True):
        try:
            value.encode()
        except UnicodeEncodeError:
            return RowError(f"{column} is not valid UTF-8; save the file as UTF-8")
    return {column: value or None for column, value in zip(header, values, strict=True)}
