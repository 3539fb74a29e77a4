"""The pool as arrays, one row a question in the order of their keys, and how they are kept as files."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from curation.quality import FORMATTING_RULES
from curation.records import CORRECT, UNGRADED, WRONG
from s1web.browse.recent import Recent

T = TypeVar("T")
# bump when the arrays change: files of another layout are built anew
LAYOUT = 2

GRADES = {"right": CORRECT, "wrong": WRONG, "missing": UNGRADED}
QUALITY_RULES = FORMATTING_RULES
# what the pool knows of a question's overlap with the benchmarks; not compared is not clean
UNCHECKED, CLEAN, OVERRULED, NGRAM, SHORT = -1, 0, 1, 2, 3
# what people decided, by code
REVIEWS = ("keep", "drop", "unsure")
UNREVIEWED = -1
# bits of `state`
HAS_TRACE, IS_SELECTED, IS_SEARCHABLE = 1, 2, 4
# how many versions stay on the disk: the newest, and the one that others may be about to open
_NUM_KEPT = 2
# filters whose results are kept: some 10 bytes a question each
_NUM_RECENT = 16
# keys for each question, up to which they are looked up in a table: five times as fast as by bisection
_MOST_KEYS_PER_ROW = 4


@dataclass(frozen=True)
class Columns:
    """The pool at one moment; codes of labels are in the labels' order.

    Attributes:
        version: of the pool, see `s1web.pool.version`.
        built_at: when they were read, ISO 8601, UTC.
        build_seconds: how long that took.
        tokenizer: whose trace lengths these are; "" where the pool has none.
        pk: shape (n,), int64, ascending.
        hash: shape (n,), uint64: the 16 hex digits as a number.
        cluster_titles: the clusters' titles, by number.
        source, domain, cot_type: shape (n,), int32 places in their labels; domain and cot_type -1 is missing.
        cluster: shape (n,), int16; -1 is none.
        small_grade, large_grade, trace_grade: shape (n,), int8: CORRECT, WRONG or UNGRADED.
        trace_tokens: shape (n,), int32; -1 is missing.
        contamination: shape (n,), int8: UNCHECKED, CLEAN, OVERRULED, NGRAM or SHORT.
        quality: shape (n,), int16, bits of QUALITY_RULES.
        review: shape (n,), int8: places in REVIEWS, or UNREVIEWED.
        state: shape (n,), int8, bits HAS_TRACE, IS_SELECTED, IS_SEARCHABLE.
    """

    version: str
    built_at: str
    build_seconds: float
    tokenizer: str
    source_labels: tuple[str, ...]
    domain_labels: tuple[str, ...]
    cot_type_labels: tuple[str, ...]
    cluster_titles: tuple[str, ...]
    pk: np.ndarray
    hash: np.ndarray
    source: np.ndarray
    domain: np.ndarray
    cot_type: np.ndarray
    cluster: np.ndarray
    small_grade: np.ndarray
    large_grade: np.ndarray
    trace_grade: np.ndarray
    trace_tokens: np.ndarray
    contamination: np.ndarray
    quality: np.ndarray
    review: np.ndarray
    state: np.ndarray
    # what follows from the columns alone is kept, what follows from a filter as long as it is asked for
    kept: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)
    recent: Recent = field(default_factory=lambda: Recent(_NUM_RECENT), repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.pk)

    @property
    def as_of(self) -> datetime:
        return datetime.fromisoformat(self.built_at)

    @property
    def num_bytes(self) -> int:
        return sum(getattr(self, name).nbytes for name in ARRAYS)

    @property
    def num_searchable(self) -> int:
        return self.remember("num_searchable", lambda: int(np.count_nonzero(self.state & IS_SEARCHABLE)))

    def rows_of(self, pks: np.ndarray) -> np.ndarray:
        """Places of the questions with these ascending keys; keys that are not here are left out."""
        table = self.remember("row_by_pk", self._row_by_pk)
        if table is not None:
            at = pks - self.pk[0]
            at = at[(at >= 0) & (at < len(table))]
            rows = table[at]
            found: np.ndarray = rows[rows >= 0]
            return found
        places = np.searchsorted(self.pk, pks)
        places[places == len(self)] = 0
        return places[self.pk[places] == pks] if len(self) else places[:0]

    def _row_by_pk(self) -> np.ndarray | None:
        """Key, counted from the first, -> row; None where keys are so far apart that it would be mostly empty."""
        if not len(self) or self.pk[-1] - self.pk[0] >= _MOST_KEYS_PER_ROW * len(self):
            return None
        table = np.full(int(self.pk[-1] - self.pk[0]) + 1, -1, dtype=np.int32)
        table[self.pk - self.pk[0]] = np.arange(len(self), dtype=np.int32)
        return table

    def row_of_hash(self, question_hash: str) -> int | None:
        """The place of the question of that hash."""
        try:
            number = np.uint64(int(question_hash, 16))
        except (ValueError, OverflowError):
            return None
        by_hash = self.remember("by_hash", lambda: np.argsort(self.hash, kind="stable").astype(np.int32))
        place = int(np.searchsorted(self.hash, number, sorter=by_hash))
        row = int(by_hash[place]) if place < len(by_hash) else -1
        return row if row >= 0 and self.hash[row] == number else None

    def remember(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` makes of the columns, made once; two threads may both make it."""
        if key not in self.kept:
            self.kept[key] = make()
        found: T = self.kept[key]
        return found

    def hash_of(self, row: int) -> str:
        return f"{int(self.hash[row]):016x}"


ARRAYS = tuple(item.name for item in fields(Columns) if item.type is np.ndarray)
_FACTS = tuple(item.name for item in fields(Columns) if item.name not in (*ARRAYS, "kept", "recent"))


def labelled(codes: np.ndarray, labels: Sequence[str], missing: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Codes and labels in the labels' order; a label equal to `missing` becomes code -1."""
    order = sorted(range(len(labels)), key=lambda place: labels[place])
    kept = [place for place in order if labels[place] != missing]
    places = np.full(len(labels) + 1, -1, dtype=np.int32)
    places[kept] = np.arange(len(kept), dtype=np.int32)
    return places[codes], tuple(labels[place] for place in kept)


def save(columns: Columns, folder: Path) -> None:
    """Keep the arrays below `folder` for other processes and the next start, whole or not at all.

    Raises:
        OSError: no room, or no right to write there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = _place(folder, columns.version)
    made = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    try:
        for name in ARRAYS:
            np.save(made / f"{name}.npy", getattr(columns, name))
        facts = {name: getattr(columns, name) for name in _FACTS}
        (made / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
        made.chmod(0o755)
        os.rename(made, target)
    except OSError:
        shutil.rmtree(made, ignore_errors=True)
        if not target.is_dir():  # else another process has built the same
            raise
    _remove_old(folder, target)


def load(version: str, folder: Path) -> Columns | None:
    """The arrays of that version, mapped into memory; None where they are not there or damaged."""
    place = _place(folder, version)
    try:
        facts: dict[str, Any] = json.loads((place / "facts.json").read_text(encoding="utf-8"))
        arrays = {name: np.load(place / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
        facts = {name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()}
        columns = Columns(**(facts | arrays))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, EOFError):
        shutil.rmtree(place, ignore_errors=True)
        return None
    if any(len(array) != len(columns) for array in arrays.values()):
        shutil.rmtree(place, ignore_errors=True)
        return None
    return columns


def _place(folder: Path, version: str) -> Path:
    return folder / f"{version}.{LAYOUT}"


def _remove_old(folder: Path, newest: Path) -> None:
    """Files that somebody has mapped live on until he lets go of them."""
    kept = sorted((path for path in folder.iterdir() if path.is_dir()), key=_written, reverse=True)
    for path in [path for path in kept if path != newest][_NUM_KEPT - 1 :]:
        shutil.rmtree(path, ignore_errors=True)


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
