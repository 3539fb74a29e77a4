"""A pool with runs and selections whose questions have invented places and clusters."""

from pathlib import Path

import pytest

from benchmarks.atlas import scatter
from curation.presets import recipe_from_toml
from s1web.browse.columns import Columns
from s1web.browse.store import looked
from s1web.selections.services import curate
from tests.s1web.browse.conftest import RECIPE, fresh_store, make_pool
from tests.s1web.jobs.conftest import make_user, signed_in
from tests.s1web.pools import load_rows

__all__ = ["fresh_store", "make_user", "signed_in"]

HARD = RECIPE.replace("drop_solved_by = []", 'drop_solved_by = ["small", "large"]')


@pytest.fixture
def pool(db: None, tmp_path: Path) -> None:
    """120 questions, three selections of them, nothing embedded."""
    make_pool(tmp_path, seed=1)
    curate(recipe_from_toml(HARD), name="third")
    load_rows(tmp_path, [{"question": f"After every run {n}?", "source_type": "new"} for n in range(4)], "after")


@pytest.fixture
def mapped(pool: None) -> Columns:
    """The same on a map, in twelve clusters; the columns as pages see them."""
    scatter(12)
    return looked().columns
