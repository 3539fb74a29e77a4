"""Vectors on disk, known by the hash of the text they stand for: small files that are only ever added.

Reading needs numpy alone. A folder holds the vectors of one model at one precision:

    chunks/CHECKSUM.npy          records of hash and vector; each file is written whole and never changed
    together/DIGEST.hashes.npy   the hashes of all chunks, sorted, each once
    together/DIGEST.vectors.npy  their vectors, row by row, to be mapped into memory
"""

import hashlib
import logging
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from uuid import uuid4

import numpy as np

log = logging.getLogger(__name__)

HASH = np.dtype("S16")
_NAME = re.compile(r"[0-9a-f]{32}\.npy")
# what was gathered earlier stays so long for a reader that is about to map it
_KEEP_SECONDS = 60.0
# how often reading begins anew: chunks may come meanwhile, and a damaged one goes
_TRIES = 20


@dataclass(frozen=True)
class Vectors:
    """All vectors of a store at one moment.

    Attributes:
        hashes: shape (n,), S16, sorted, each once.
        vectors: shape (n, dimension), float32, mapped from disk.
        digest: changes with the chunks they came from.
    """

    hashes: np.ndarray
    vectors: np.ndarray
    digest: str = ""

    def __len__(self) -> int:
        return len(self.hashes)

    def rows(self, hashes: Iterable[str]) -> np.ndarray:
        """Shape (number of hashes,), int64: the row of each; -1 where there is none."""
        return find_rows(self.hashes, hashes)

    def pick(self, hashes: Iterable[str]) -> "Vectors":
        """Those of the hashes that have a vector, sorted, each once, in memory."""
        rows = np.unique(self.rows(hashes))
        rows = rows[rows >= 0]
        return Vectors(self.hashes[rows], np.ascontiguousarray(self.vectors[rows]))

    @cached_property
    def names(self) -> list[str]:
        """The hashes as text."""
        return names_of(self.hashes)


@dataclass
class VectorStore:
    """One folder of vectors.

    Attributes:
        dimension: numbers in a vector.
        damaged: lines about chunks that were found damaged; their vectors count as missing.
    """

    folder: Path
    dimension: int
    damaged: list[str] = field(default_factory=list)

    @property
    def _record(self) -> np.dtype:
        return np.dtype([("hash", HASH), ("vector", "<f4", (self.dimension,))])

    def add(self, hashes: Sequence[str], vectors: np.ndarray) -> None:
        """Keep vectors: one file, whole or not at all; whoever adds the same ones writes the same file.

        Raises:
            ValueError: vectors of another shape, or with values that are no numbers.
        """
        if vectors.shape != (len(hashes), self.dimension):
            raise ValueError(f"vectors of shape {vectors.shape}; {len(hashes)} x {self.dimension} belong here")
        if not np.isfinite(vectors).all():
            raise ValueError("a vector holds what is no number")
        records = np.empty(len(hashes), self._record)
        records["hash"] = np.array(hashes, HASH)
        records["vector"] = vectors
        write_array(self.folder / "chunks" / f"{_checksum(records)}.npy", records)

    def new_hashes(self, seen: set[str]) -> Iterator[np.ndarray]:
        """The hashes (S16) of chunks that are not among those seen, chunk by chunk; they are seen then.

        Every chunk is checked; a damaged one is put aside.
        """
        for name in self._chunk_names():
            if name in seen:
                continue
            seen.add(name)
            chunk = self._read(name)
            if chunk is not None:
                yield chunk["hash"].copy()

    def load(self) -> Vectors:
        """All vectors, mapped into memory; gathers the chunks where that was not done since the last one came."""
        for _ in range(_TRIES):
            names = self._chunk_names()
            digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:32]
            with _loaded_lock:
                held = _loaded.get(self.folder)
            if held is not None and held.digest == digest and held.vectors.shape[1] == self.dimension:
                return held
            found = self._map(digest)
            if found is None:
                self._gather(names, digest)
                found = self._map(digest)
            if found is not None:
                with _loaded_lock:
                    _loaded[self.folder] = found
                return found
            # a chunk was damaged and is away now: the others are another list
        raise OSError(f"the vectors in {self.folder} cannot be read back after they were written; check the disk")

    def path_beside(self, vectors: Vectors, ending: str) -> Path:
        """Where to keep what is computed from these vectors; it goes when they do."""
        return self.folder / "together" / f"{vectors.digest}.{ending}"

    def _chunk_names(self) -> list[str]:
        try:
            return sorted(name for name in os.listdir(self.folder / "chunks") if _NAME.fullmatch(name))
        except FileNotFoundError:
            return []

    def _map(self, digest: str) -> Vectors | None:
        together = self.folder / "together"
        try:
            hashes = np.load(together / f"{digest}.hashes.npy", allow_pickle=False)
            if not len(hashes):
                return Vectors(hashes, np.empty((0, self.dimension), np.float32), digest)
            vectors = np.load(together / f"{digest}.vectors.npy", mmap_mode="r", allow_pickle=False)
        except (FileNotFoundError, ValueError, EOFError):
            return None
        if vectors.shape != (len(hashes), self.dimension) or vectors.dtype != np.float32:
            return None
        return Vectors(hashes, vectors, digest)

    def _gather(self, names: Sequence[str], digest: str) -> None:
        """Write all chunks together, one after another in memory; nothing where one of them was damaged."""
        chunks = [self._read(name) for name in names]
        if any(chunk is None for chunk in chunks):
            return
        parts = [chunk["hash"].copy() for chunk in chunks if chunk is not None]
        del chunks
        # of a hash that two writers added the first chunk by name counts, so that all readers see the same
        hashes, rows = np.unique(np.concatenate([np.empty(0, HASH), *parts]), return_index=True)
        together = self.folder / "together"
        if len(hashes):
            with _unfinished(together / f"{digest}.vectors.npy") as path:
                shape = (len(hashes), self.dimension)
                vectors = np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
                    path, mode="w+", dtype=np.float32, shape=shape
                )
                start = 0
                for name, part in zip(names, parts, strict=True):
                    places = np.flatnonzero((rows >= start) & (rows < start + len(part)))
                    chunk = np.load(self.folder / "chunks" / name, mmap_mode="r", allow_pickle=False)
                    vectors[places] = chunk["vector"][rows[places] - start]
                    start += len(part)
                vectors.flush()
                del vectors
        # last: it says that the other is there
        write_array(together / f"{digest}.hashes.npy", hashes)
        _remove_others(together, digest)

    def _read(self, name: str) -> np.ndarray | None:
        """A chunk, mapped; None where it is not what was written: then it is put aside, and a line says so."""
        path = self.folder / "chunks" / name
        try:
            records: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
            is_whole = records.dtype == self._record and _checksum(records) == path.stem
        except FileNotFoundError:
            # another reader has just put it aside
            return None
        except (ValueError, EOFError):
            is_whole = False
        if is_whole:
            return records
        with suppress(FileNotFoundError):
            path.replace(path.with_suffix(".damaged"))
        line = f"{path} was damaged and is put aside; annotate embeddings makes its vectors again"
        self.damaged.append(line)
        log.warning("%s", line)
        return None


_loaded: dict[Path, Vectors] = {}
_loaded_lock = Lock()


def names_of(hashes: np.ndarray) -> list[str]:
    """Hashes as text."""
    return [name.decode() for name in hashes.tolist()]


def find_rows(sorted_hashes: np.ndarray, wanted: Iterable[str]) -> np.ndarray:
    """Shape (number wanted,), int64: where each stands in the sorted hashes; -1 where it does not."""
    asked = np.array(list(wanted), HASH)
    if not len(sorted_hashes):
        return np.full(len(asked), -1)
    rows = np.minimum(np.searchsorted(sorted_hashes, asked), len(sorted_hashes) - 1)
    return np.where(sorted_hashes[rows] == asked, rows, -1)


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an array so that a reader sees it whole or not at all, even after a power cut."""
    with _unfinished(path) as unfinished, unfinished.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def read_array(path: Path) -> np.ndarray | None:
    """An array that `write_array` wrote; None where it is not there, or damaged."""
    try:
        array: np.ndarray = np.load(path, allow_pickle=False)
    except (FileNotFoundError, ValueError, EOFError):
        return None
    return array


@contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """Another name to write under: the file gets its own once it is whole and on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.stem}.{uuid4().hex}.unfinished")
    try:
        yield unfinished
        _to_disk(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    _to_disk(path.parent)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_others(together: Path, digest: str) -> None:
    oldest = time.time() - _KEEP_SECONDS
    for path in together.iterdir():
        if not path.name.startswith(digest):
            try:
                if path.stat().st_mtime < oldest:
                    path.unlink()
            except FileNotFoundError:
                continue


def _checksum(records: np.ndarray) -> str:
    return hashlib.sha256(records.tobytes()).hexdigest()[:32]
