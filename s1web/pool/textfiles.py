"""JSON lines and CSV, packed or not, as batches of raw rows."""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from curation.errors import InputError, RowError
from s1web.pool.tables import MAX_COLUMNS, Limits, RawRow, Table, check_names, one_line, readable

# a compressed file is a bomb only where its content is large in itself
_SMALL = 64 * 2**20
_CHUNK = 2**20
# the csv module keeps a cell in four bytes a character
_MAX_CSV_CELL = 16 * 2**20


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
        line = self._lines.pop()
        if len(line) > self.limits.line_bytes:
            raise self._too_long(len(line))
        return line

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
                parts.clear()
                self._skip_line(length)

    def _skip_line(self, length: int) -> None:
        """Read past a line that is too long without keeping it, then say so."""
        self._rest = b""
        while chunk := self._read():
            end = chunk.find(b"\n")
            if end >= 0:
                length += end + 1
                self._rest = chunk[end + 1 :]
                break
            length += len(chunk)
        self.line += 1
        raise self._too_long(length)

    def _too_long(self, length: int) -> RowError:
        return RowError(f"the line has {length:,} bytes; at most {self.limits.line_bytes:,} are allowed")

    def _read(self) -> bytes:
        try:
            chunk: bytes = self._stream.read(_CHUNK)
        except OSError as error:
            if not self._is_compressed or error.errno is not None:
                raise
            raise InputError(
                f"{self.name}: cannot be unpacked: {one_line(error)}; the file is damaged or cut off"
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


# --- JSON lines -------------------------------------------------------------------------------------------------


def open_json_lines(name: str, path: Path, key: str, limits: Limits) -> Table:
    """Open a file of one JSON object a line.

    Raises:
        InputError: no rows, or none in the first batch that is an object.
    """
    names: list[str] = []
    seen: set[str] = set()

    def parse(line: int, data: bytes) -> RawRow | None:
        if data.isspace():
            return None
        raw = _parse_object(data, is_first=line == 1)
        if isinstance(raw, dict) and not seen.issuperset(raw):
            for column in raw:
                if column not in seen:
                    seen.add(column)
                    names.append(column)
            if len(names) > MAX_COLUMNS:
                raise InputError(
                    f"{name}: its rows up to line {line} have more than {MAX_COLUMNS:,} different fields; "
                    "put what differs from row to row into one, metadata"
                )
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
        with readable(name):
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
        line, raw = first[0]
        reason = raw if isinstance(raw, RowError) else "an object without fields"
        raise InputError(f"{name}: none of its first {len(first):,} lines is a row; line {line}: {reason}")
    return table


def _parse_object(data: bytes, *, is_first: bool) -> dict[str, Any] | RowError:
    try:
        raw = _DECODER.decode(data.decode("utf-8-sig" if is_first else "utf-8"))
    except UnicodeDecodeError as error:
        return RowError(f"not valid UTF-8 at byte {error.start} of the line; save the file as UTF-8")
    except RecursionError:
        return RowError("the JSON is nested too deeply")
    except ValueError as error:
        return RowError(f"not JSON: {one_line(error)}")
    if not isinstance(raw, dict):
        return RowError(f"a JSON {type(raw).__name__} is not a row; an object with named fields is allowed")
    return raw


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"field {twice[:60]!r} is there twice in one object")
    return fields


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


# --- CSV --------------------------------------------------------------------------------------------------------


class _DecodedLines:
    """The file's lines as text; bytes that are not UTF-8 stay recognisable as lone surrogates.

    Attributes:
        has_invalid: such bytes came since it was last set to False.
    """

    def __init__(self, lines: _Lines) -> None:
        self.lines = lines
        self.has_invalid = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        data = next(self.lines)
        encoding = "utf-8-sig" if self.lines.line == 1 else "utf-8"
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            self.has_invalid = True
            return data.decode(encoding, errors="surrogateescape")


def open_csv(name: str, path: Path, key: str, limits: Limits) -> Table:
    """Open a CSV file whose first line names the columns.

    Raises:
        InputError: no rows, or a first line that names no columns.
    """
    limits = replace(limits, line_bytes=min(limits.line_bytes, _MAX_CSV_CELL))
    csv.field_size_limit(limits.line_bytes)
    header = _csv_header(name, path, limits)

    def batches(wanted: frozenset[str] | None) -> Iterator[list[RawRow]]:
        with readable(name):
            lines = _Lines(name, path, limits)
            try:
                body = _csv_rows(name, lines, header)
                yield from _batched(lines, body, limits, lambda: setattr(table, "done", lines.position()))
            finally:
                lines.close()

    table = Table(name, key, header, batches, total=path.stat().st_size, unit="bytes")
    if next(batches(None), None) is None:
        raise InputError(f"{name}: the file holds no rows below its header; a pool file has at least one")
    table.done = 0
    return table


def _csv_header(name: str, path: Path, limits: Limits) -> list[str]:
    lines = _Lines(name, path, limits)
    try:
        header = next(csv.reader(_DecodedLines(lines), strict=True), None)
        if not header:
            raise InputError(f"{name}: its first line is empty; the first line of a CSV file names the columns")
        "".join(header).encode()
    except (RowError, csv.Error) as error:
        raise InputError(f"{name}: its first line does not name columns: {error}") from None
    except UnicodeEncodeError:
        raise InputError(f"{name}: its first line is not valid UTF-8; save the file as UTF-8") from None
    finally:
        lines.close()
    check_names(name, header)
    return header


def _csv_rows(name: str, lines: _Lines, header: list[str]) -> Iterator[RawRow | None]:
    text = _DecodedLines(lines)
    reader = csv.reader(text, strict=True)
    next(reader)
    while True:
        line = lines.line + 1
        text.has_invalid = False
        try:
            values = next(reader)
        except StopIteration:
            return
        except RowError as error:
            yield lines.line, error
            continue
        except csv.Error as error:
            if "end of data" in str(error) or "field limit" in str(error):
                raise InputError(
                    f"{name}: line {line}: {error}; is a quote opened here and never closed? "
                    'a quote inside a quoted field is written twice ("")'
                ) from None
            where = f"lines {line} to {lines.line}" if lines.line > line else "the line"
            yield line, RowError(f'{where}: {error}; a quote inside a quoted field is written twice ("")')
            continue
        yield (line, _csv_row(header, values, text.has_invalid)) if values else None


def _csv_row(header: list[str], values: list[str], has_invalid: bool) -> dict[str, Any] | RowError:
    if len(values) != len(header):
        return RowError(f"{len(values)} fields where the header has {len(header)}; is a quote or a comma astray?")
    for column, value in zip(header, values, strict=True) if has_invalid else ():
        try:
            value.encode()
        except UnicodeEncodeError:
            return RowError(f"{column} is not valid UTF-8; save the file as UTF-8")
    return {column: value or None for column, value in zip(header, values, strict=True)}
