"""Parquet files as batches of raw rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import InputError, RowError
from s1web.pool.tables import Limits, RawRow, Table, check_names, one_line, readable

_BUFFER = 2**20
# rows of a file that are looked at before the size of a row is known: a page may hold far more than its metadata
# says, as repeated values are stored once
_FIRST_ROWS = 64


def open_parquet(name: str, path: Path, key: str, limits: Limits) -> Table:
    """Open a parquet file; it is closed again until its rows are asked for, so that a folder may hold thousands.

    Raises:
        InputError: no rows, or columns that cannot be used.
    """
    with _open(path) as file:
        names = list(file.schema_arrow.names)
        num_rows = file.metadata.num_rows
    check_names(name, names)
    if not num_rows:
        raise InputError(f"{name}: the file holds no rows; a pool file has at least one")

    def batches(wanted: frozenset[str] | None) -> Iterator[list[RawRow]]:
        columns = [column for column in names if wanted is None or column in wanted]
        line = 1
        with readable(name), _open(path) as file:
            for batch in _record_batches(file, columns, limits):
                rows = _rows(batch, line)
                line += batch.num_rows
                table.done += batch.num_rows
                yield rows

    table = Table(name, key, names, batches, total=num_rows)
    return table


def _open(path: Path) -> pq.ParquetFile:
    return pq.ParquetFile(
        path, memory_map=False, pre_buffer=False, buffer_size=_BUFFER, page_checksum_verification=True
    )


def _record_batches(file: pq.ParquetFile, columns: list[str], limits: Limits) -> Iterator[pa.RecordBatch]:
    """Batches within the limits, by the size that the rows before them had once they were unpacked."""
    num_rows, num_bytes = 0, 0
    rows = min(_FIRST_ROWS, limits.batch_rows)
    for batch in file.iter_batches(batch_size=rows, row_groups=[0], columns=columns, use_threads=False):
        num_rows, num_bytes = batch.num_rows, batch.nbytes
        break
    for groups in _groups_of_rows(file, limits.batch_rows):
        row_bytes = max(1, num_bytes // max(1, num_rows), _stored_row_bytes(file, groups))
        rows = max(1, min(limits.batch_rows, limits.batch_bytes // row_bytes))
        for batch in file.iter_batches(batch_size=rows, row_groups=groups, columns=columns, use_threads=False):
            num_rows, num_bytes = num_rows + batch.num_rows, num_bytes + batch.nbytes
            yield batch


def _groups_of_rows(file: pq.ParquetFile, batch_rows: int) -> Iterator[list[int]]:
    """Row groups one by one, small ones together, so that they do not make small batches."""
    groups: list[int] = []
    num_rows = 0
    for group in range(file.metadata.num_row_groups):
        groups.append(group)
        num_rows += file.metadata.row_group(group).num_rows
        if num_rows >= 4 * batch_rows:
            yield groups
            groups, num_rows = [], 0
    if groups:
        yield groups


def _stored_row_bytes(file: pq.ParquetFile, groups: list[int]) -> int:
    parts = [file.metadata.row_group(group) for group in groups]
    return int(sum(part.total_byte_size for part in parts) // max(1, sum(part.num_rows for part in parts)))


def _rows(batch: pa.RecordBatch, line: int) -> list[RawRow]:
    errors: dict[int, RowError] = {}
    names = batch.schema.names
    columns: list[list[Any]] = []
    for name, column in zip(names, batch.columns, strict=True):
        try:
            columns.append(_values(column))
        except (ValueError, OverflowError, ArithmeticError, pa.ArrowException):
            # bytes that are not UTF-8, or a date beyond Python's range: only these cells are affected
            columns.append([_cell(column, place, name, errors) for place in range(len(column))])
    rows: list[RawRow] = []
    for place in range(batch.num_rows):
        values = (column[place] for column in columns)
        rows.append((line + place, errors.get(place) or dict(zip(names, values, strict=True))))
    return rows


def _values(column: Any) -> list[Any]:
    if not pa.types.is_dictionary(column.type):
        return list(column.to_pylist())
    # a repeated text stays one object
    values = column.dictionary.to_pylist()
    return [None if index is None else values[index] for index in column.indices.to_pylist()]


def _cell(column: Any, place: int, name: str, errors: dict[int, RowError]) -> Any:
    try:
        return column[place].as_py()
    except UnicodeDecodeError as error:
        errors[place] = RowError(f"{name} is not valid UTF-8 at byte {error.start}; save the text as UTF-8")
    except (ValueError, OverflowError, ArithmeticError, pa.ArrowException) as error:
        errors[place] = RowError(f"{name} cannot be read: {one_line(error)}")
    return None
