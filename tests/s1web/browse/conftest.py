"""A pool in which every condition has something to tell apart."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from django.http import QueryDict

from curation.presets import recipe_from_toml
from s1web.browse import store
from s1web.browse.filters import Listing
from s1web.browse.store import Store
from s1web.pool.contamination import check_contamination, overrule
from s1web.pool.models import Contamination, Question
from s1web.review.services import decide
from s1web.selections.services import curate
from tests.factories import EVALUATION_QUESTIONS, make_rows
from tests.s1web.pools import load_problems, load_rows

RECIPE = """
name = "mine"
size = 12
seed = 0
[annotation]
requires = []
[difficulty]
drop_solved_by = []
[selection]
method = "random"
"""


@pytest.fixture(autouse=True)
def fresh_store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """Nothing that an earlier test's pool left in this process."""
    made = Store()
    monkeypatch.setattr(store, "_store", made)
    return made


def listing(query: str) -> Listing:
    """What stands behind the question mark of an address."""
    return Listing.parse(QueryDict(query))


def make_pool(folder: Path, seed: int, num_rows: int = 120) -> None:
    """Random rows, compared in part, some overruled, two selections; then rows that nothing was done with."""
    rng = random.Random(seed)
    rows = make_rows(rng, num_rows, missing=0.15)
    for row in rows:
        row["cot_type"] = rng.choice(["math", "science", None])
    late = num_rows * 5 // 6
    load_rows(folder, rows[:late], f"early{seed}")
    load_problems(folder, EVALUATION_QUESTIONS, f"evaluation{seed}")
    check_contamination()
    hits = Contamination.objects.order_by("pk").values_list("question__question_hash", flat=True)
    for question_hash in list(dict.fromkeys(hits))[::3]:
        overrule(question_hash, reason="a common phrase", decided_by="curator")
    curate(recipe_from_toml(RECIPE), name="first")
    curate(recipe_from_toml(RECIPE.replace("size = 12", "size = 20").replace("seed = 0", "seed = 3")), name="second")
    pks = list(Question.objects.order_by("question_hash").values_list("pk", flat=True))
    for place, state in enumerate(("keep", "drop", "unsure")):
        decide([pks[place::5]], state)
    load_rows(folder, rows[late:], f"late{seed}")


@pytest.fixture
def pool(db: None, tmp_path: Path) -> None:
    make_pool(tmp_path, seed=1)


@pytest.fixture
def make(db: None, tmp_path: Path) -> Callable[[int], None]:
    return lambda seed: make_pool(tmp_path, seed)
