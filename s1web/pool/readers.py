"""Pool files as batches of raw rows: parquet, JSON lines (.gz, .zst), CSV, a data set of the Hub.

Every reader streams: memory is one batch, whatever the size of the file. A row that cannot be read is a `RowError`
in its place; a file that cannot be read at all raises `InputError`.
"""

import hashlib
from pathlib import Path

from curation.errors import InputError
from s1web.pool.parquet import open_parquet
from s1web.pool.tables import Limits, Table, readable
from s1web.pool.textfiles import open_csv, open_json_lines

_TEXTS = (".jsonl", ".json", ".csv")
SUFFIXES = (".parquet", *_TEXTS, *(text + packed for text in _TEXTS for packed in (".gz", ".zst")))


def open_table(name: str, limits: Limits | None = None, key: str = "") -> Table:
    """Open a file by its name's ending, or a data set of the Hub by `hf://owner/name@revision`.

    Args:
        key: the file's `Table.key` where it is known already.

    Raises:
        InputError: not there, not readable, empty, or not what its name says.
    """
    limits = limits or Limits()
    if name.startswith("hf://"):
        from s1web.pool.hub import open_hub

        return open_hub(name, limits)
    path = Path(name)
    with readable(name):
        if not path.exists():
            raise InputError(f"{name}: no such file; give a path, or hf://owner/name@revision")
        if path.is_dir():
            raise InputError(f"{name}: is a folder; give its files")
        if not path.stat().st_size:
            raise InputError(f"{name}: the file is empty; a pool file has at least one row")
        lowered = path.name.lower()
        if not lowered.endswith(SUFFIXES):
            raise InputError(f"{name}: not a known kind of file; give one of {', '.join(SUFFIXES)}")
        if not key:
            with path.open("rb") as file:
                key = hashlib.file_digest(file, "sha256").hexdigest()
        if lowered.endswith(".parquet"):
            return open_parquet(name, path, key, limits)
        opener = open_csv if ".csv" in lowered[-8:] else open_json_lines
        return opener(name, path, key, limits)


def expand_paths(names: list[str]) -> list[str]:
    """Folders become the pool files in them, sorted by name; everything else stays as it is.

    Raises:
        InputError: a folder without pool files, or one that cannot be read.
    """
    found: list[str] = []
    for name in names:
        with readable(name):
            if name.startswith("hf://") or not Path(name).is_dir():
                found.append(name)
                continue
            inside = sorted(str(path) for path in Path(name).iterdir() if path.name.lower().endswith(SUFFIXES))
        if not inside:
            raise InputError(f"{name}: the folder holds no pool file; a pool file ends in {', '.join(SUFFIXES)}")
        found += inside
    return found
