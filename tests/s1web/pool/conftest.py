"""A place to load into that has a pool already: failures must leave it as it was."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from .commands import Place
from .files import NUM_SEED_ROWS, seed_rows, write_jsonl


@pytest.fixture(scope="session")
def seeded(tmp_path_factory) -> Place:
    """A database with rows that lack annotations; copied, never changed."""
    place = Place(tmp_path_factory.mktemp("seeded"))
    path = write_jsonl(place.folder / "seed.jsonl", seed_rows())
    assert place.run("load_pool", path, "--json").json()["new"] == NUM_SEED_ROWS
    return place


@pytest.fixture
def make_place(tmp_path, seeded) -> Callable[..., Place]:
    """Makes a place with a copy of the seeded database, or with none where it is told so."""

    def make(name: str = "place", *, is_empty: bool = False, **settings: str) -> Place:
        folder = Path(tmp_path / name)
        folder.mkdir()
        place = Place(folder, {"POOL_BATCH_ROWS": "50", **settings})
        if not is_empty:
            shutil.copytree(seeded.database.parent, place.database.parent)
        return place

    return make


@pytest.fixture
def place(make_place) -> Place:
    return make_place()
