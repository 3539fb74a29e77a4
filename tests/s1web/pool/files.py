"""Pool files for the tests of the import: good rows in every format, and ways to damage them."""

import csv
import gzip
import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

Row = dict[str, Any]
NUM_SEED_ROWS = 60


def seed_rows() -> list[Row]:
    """Rows whose annotations are missing in several ways, for other files to fill."""
    rows = []
    for place in range(NUM_SEED_ROWS):
        row = make_row(place)
        for column in ("isqwen7bcorrect", "isqwen32bcorrect", "isgeminicorrect", "domain", "gemini_length"):
            row[column] = row[column] if place % 3 == 0 else None
        row["thinking_trajectories"] = row["thinking_trajectories"] if place % 3 == 0 else []
        row["attempt"] = f"only an attempt {place}" if place % 3 == 1 else ""
        row["isgeminicorrect"] = True if place % 3 == 1 else row["isgeminicorrect"]
        rows.append(row | {"source_type": "seed/rows"})
    return rows


def make_row(place: int, num_words: int = 12) -> Row:
    """A row in s1's columns with every annotation; equal places give equal rows."""
    rng = random.Random(place)
    return {
        "question": f"Question {place}: how far do {rng.randrange(10**9)} steps of {rng.randrange(99)} units go?",
        "solution": f"By adding, {rng.randrange(10**6)}.",
        "cot_type": "math",
        "source_type": f"AI-MO/NuminaMath-CoT/{rng.choice(['olympiads', 'aops'])}",
        "metadata": json.dumps({"place": place}),
        "cot": None,
        "thinking_trajectories": [rng.randbytes(4 * num_words).hex(" ", 4)],
        "attempt": f"It is {rng.randrange(1000)}.",
        "isqwen7bcorrect": rng.choice([True, False, None]),
        "isqwen32bcorrect": rng.choice([True, False]),
        "isgeminicorrect": rng.choice([True, False]),
        "domain": f"{rng.randrange(99):02d}",
        "gemini_length": rng.randrange(1, 9000),
    }


def make_rows(count: int, num_words: int = 12) -> list[Row]:
    return [make_row(place, num_words) for place in range(count)]


def json_lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def write_jsonl(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_bytes(json_lines(rows))
    return path


def write_parquet(path: Path, rows: Sequence[Row], **options: Any) -> Path:
    pq.write_table(pa.Table.from_pylist(list(rows)), path, **({"row_group_size": 50} | options))
    return path


def write_csv(path: Path, rows: Sequence[Row], end: str = "\n") -> Path:
    """Lists as JSON, missing values as empty cells."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator=end)
        writer.writerow(rows[0])
        for row in rows:
            cells = (json.dumps(value) if isinstance(value, list) else value for value in row.values())
            writer.writerow(["" if value is None else value for value in cells])
    return path


def write_gz(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data, 6))
    return path


def write_zst(path: Path, data: bytes) -> Path:
    path.write_bytes(zstandard.compress(data, 3))
    return path


def cut(path: Path, share: float) -> Path:
    """Keep the file's beginning alone."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def damage(path: Path, column: str, change: Callable[[bytes], bytes]) -> Path:
    """Change the pages of a column in a row group of a parquet file's middle."""
    metadata = pq.ParquetFile(path).metadata
    group = metadata.row_group(metadata.num_row_groups // 2)
    chunk = next(
        group.column(place) for place in range(group.num_columns) if group.column(place).path_in_schema == column
    )
    # behind the page's header, which begins the chunk
    start, length = chunk.data_page_offset + 60, chunk.total_compressed_size // 2
    data = path.read_bytes()
    path.write_bytes(data[:start] + change(data[start : start + length]) + data[start + length :])
    return path


def write_repeated(path: Path, chunk: bytes, times: int) -> Path:
    """A file of any size, packed by its ending, without holding it in memory."""
    if path.suffix == ".gz":
        with gzip.open(path, "wb", 9) as file:
            for _ in range(times):
                file.write(chunk)
    elif path.suffix == ".zst":
        with zstandard.open(path, "wb") as packed:
            for _ in range(times):
                packed.write(chunk)
    else:
        with path.open("wb") as plain:
            for _ in range(times):
                plain.write(chunk)
    return path
