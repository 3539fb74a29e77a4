"""Vectors on disk: whole files alone, damage seen, many writers, and reading with numpy alone."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from s1web.vectors import store as store_module
from s1web.vectors.store import VectorStore, read_array, write_array

DIMENSION = 8


def make_vectors(names: list[str]) -> np.ndarray:
    return np.array(
        [[float(int(name[:6], 16) % 97 + place) for place in range(DIMENSION)] for name in names], np.float32
    )


def make_names(start: int, stop: int) -> list[str]:
    return [f"{number * 2654435761 % 2**64:016x}" for number in range(start, stop)]


@pytest.fixture
def store(tmp_path: Path) -> VectorStore:
    return VectorStore(tmp_path / "model", DIMENSION)


def fill(store: VectorStore, *ranges: tuple[int, int]) -> None:
    for start, stop in ranges:
        names = make_names(start, stop)
        store.add(names, make_vectors(names))


def test_what_was_added_in_pieces_comes_back_whole_and_sorted(store: VectorStore) -> None:
    fill(store, (0, 10), (10, 300), (300, 301))
    found = store.load()
    names = sorted(make_names(0, 301))
    assert found.names == names
    assert np.array_equal(found.vectors, make_vectors(names))
    assert isinstance(found.vectors, np.memmap)


def test_a_store_without_files_is_empty(store: VectorStore) -> None:
    assert len(store.load()) == 0
    assert store.load().rows(["0" * 16]).tolist() == [-1]
    assert list(store.new_hashes(set())) == []


def test_a_hash_is_looked_up_and_a_missing_one_is_minus_one(store: VectorStore) -> None:
    fill(store, (0, 50))
    found = store.load()
    names = make_names(0, 50)
    rows = found.rows([names[7], "f" * 16, names[3], "0" * 15])
    assert rows[1] == rows[3] == -1
    assert [found.names[row] for row in rows[[0, 2]]] == [names[7], names[3]]
    picked = found.pick([names[7], names[3], names[7], "f" * 16])
    assert picked.names == sorted([names[3], names[7]])
    assert np.array_equal(picked.vectors, make_vectors(picked.names))


def test_a_new_chunk_is_seen_by_a_store_that_was_loaded_before(store: VectorStore) -> None:
    fill(store, (0, 5))
    assert len(store.load()) == 5
    fill(VectorStore(store.folder, DIMENSION), (5, 9))
    assert len(store.load()) == 9
    seen: set[str] = set()
    assert sum(map(len, store.new_hashes(seen))) == 9
    fill(store, (9, 12))
    assert [len(part) for part in store.new_hashes(seen)] == [3]


def test_writers_of_the_same_and_of_other_vectors_do_not_disturb_each_other(store: VectorStore) -> None:
    ranges = [(start, start + 40) for start in range(0, 400, 20)] * 2
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda ends: fill(VectorStore(store.folder, DIMENSION), ends), ranges))
    assert store.load().names == sorted(make_names(0, 420))
    assert len(list((store.folder / "chunks").iterdir())) == len(set(ranges))


def test_of_a_hash_that_came_twice_every_reader_sees_the_same_vector(store: VectorStore) -> None:
    names = make_names(0, 3)
    for value in (1.0, 2.0, 3.0):
        store.add(names, np.full((3, DIMENSION), value, np.float32))
    first = store.load().vectors.copy()
    for path in (store.folder / "together").iterdir():
        path.unlink()
    store_module._loaded.clear()
    assert np.array_equal(store.load().vectors, first)
    assert len(store.load()) == 3


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def replace(path: Path) -> None:
    np.save(path, np.arange(7))


@pytest.mark.parametrize("damage", [flip, cut, empty, replace])
@pytest.mark.parametrize("reader", ["load", "new_hashes"])
def test_a_damaged_chunk_is_one_line_and_missing_and_the_others_stay(store: VectorStore, damage, reader: str) -> None:
    fill(store, (0, 20))
    (damaged,) = (store.folder / "chunks").iterdir()
    fill(store, (20, 30))
    damage(damaged)
    if reader == "load":
        found = store.load().names
    else:
        found = sorted(name.decode() for part in store.new_hashes(set()) for name in part.tolist())
    assert found == sorted(make_names(20, 30))
    (line,) = store.damaged
    assert line == f"{damaged} was damaged and is put aside; annotate embeddings makes its vectors again"
    assert not damaged.exists()
    # it is made again under its old name, and the store is whole
    fill(store, (0, 20))
    assert store.load().names == sorted(make_names(0, 30))
    assert len(store.damaged) == 1


@pytest.mark.parametrize("which", ["hashes", "vectors"])
def test_what_was_gathered_and_is_damaged_is_gathered_again(store: VectorStore, which: str) -> None:
    fill(store, (0, 20), (20, 30))
    expected = store.load().vectors.copy()
    store_module._loaded.clear()
    (path,) = (store.folder / "together").glob(f"*.{which}.npy")
    path.write_bytes(path.read_bytes()[:-9])
    assert np.array_equal(store.load().vectors, expected)


def test_a_file_that_was_not_finished_is_none(store: VectorStore) -> None:
    fill(store, (0, 4))
    (chunk,) = (store.folder / "chunks").iterdir()
    (store.folder / "chunks" / f"{chunk.stem}.abc.unfinished").write_bytes(b"half")
    assert len(store.load()) == 4


def test_what_was_gathered_before_goes_once_nobody_can_be_about_to_read_it(
    store: VectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, (0, 4))
    old = store.load()
    fill(store, (4, 8))
    store.load()
    assert len(list((store.folder / "together").iterdir())) == 4
    monkeypatch.setattr(time, "time", lambda: 4e9)
    fill(store, (8, 9))
    assert len(store.load()) == 9
    assert len(list((store.folder / "together").iterdir())) == 2
    # whoever has the old one mapped keeps it
    assert np.array_equal(old.vectors, make_vectors(old.names))


@pytest.mark.parametrize(
    ("vectors", "said"),
    [
        (np.zeros((3, DIMENSION + 1), np.float32), r"shape \(3, 9\); 3 x 8 belong here"),
        (np.zeros((2, DIMENSION), np.float32), r"shape \(2, 8\); 3 x 8 belong here"),
        (np.full((3, DIMENSION), np.nan, np.float32), "a vector holds what is no number"),
    ],
)
def test_vectors_of_another_shape_or_without_numbers_are_refused(
    store: VectorStore, vectors: np.ndarray, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        store.add(make_names(0, 3), vectors)
    assert len(store.load()) == 0


def test_an_array_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "folder" / "array.npy"
    write_array(path, np.arange(5))

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", fail)
    with pytest.raises(OSError, match="No space left"):
        write_array(path, np.arange(9))
    assert np.array_equal(read_array(path), np.arange(5))
    assert [file.name for file in path.parent.iterdir()] == ["array.npy"]
    assert read_array(tmp_path / "none.npy") is None


def test_reading_loads_neither_torch_nor_faiss(store: VectorStore) -> None:
    fill(store, (0, 30))
    script = (
        "import sys; from pathlib import Path; from s1web.vectors.store import VectorStore;"
        f"found = VectorStore(Path({str(store.folder)!r}), {DIMENSION}).load();"
        "print(len(found), [name for name in ('torch', 'faiss', 'django', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "30 []"
