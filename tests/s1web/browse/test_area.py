"""A part of the map as a filter: the questions whose place lies in a polygon."""

from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.utils import timezone

from curation.errors import ConfigError, NotFoundError
from s1web.browse.filters import Filter
from s1web.browse.places import places_of
from s1web.browse.queries import read_counts, read_page
from s1web.browse.store import looked
from s1web.pool.models import Question
from s1web.pool.version import bump
from s1web.vectors.arrays import write_values
from s1web.vectors.embedding import store_of
from s1web.vectors.maps import draw_map
from s1web.vectors.models import PoolMap, VectorModel
from tests.s1web.pools import load_rows

from .conftest import listing

NUM_PLACED = 16


def make_model() -> VectorModel:
    return VectorModel.objects.create(
        key="invented",
        name=settings.EMBEDDING_MODEL,
        precision=settings.EMBEDDING_PRECISION,
        dimension=8,
        used_at=timezone.now(),
    )


@pytest.fixture
def grid(db: None, tmp_path: Path) -> dict[str, tuple[float, float]]:
    """Sixteen questions in a square of four by four, text -> place; one that came later; one that has gone."""
    load_rows(tmp_path, [{"question": f"Q{n}?", "source_type": f"s{n % 2}"} for n in range(NUM_PLACED)], "early")
    texts = dict(Question.objects.values_list("text", "question_hash"))
    places = {f"Q{n}?": (0.125 + 0.25 * (n % 4), 0.125 + 0.25 * (n // 4)) for n in range(NUM_PLACED)}
    at = {texts[text]: place for text, place in places.items()} | {"0" * 16: (0.5, 0.5)}
    hashes = sorted(at)
    model = make_model()
    values = np.array([at[name] for name in hashes], np.float32)
    digest = write_values(model, "map", np.array(hashes, "S16"), values)
    PoolMap.objects.create(model=model, method="invented", seed=0, num_questions=len(hashes), digest=digest)
    bump()
    load_rows(tmp_path, [{"question": "Late?", "source_type": "s0"}], "late")
    return places


def texts(query: str) -> set[str]:
    return {row.text for row in read_page(listing(query)).rows}


def test_an_area_leaves_the_questions_that_lie_in_it(grid: dict[str, tuple[float, float]]) -> None:
    assert texts("area=0_0-500_0-500_500-0_500") == {"Q0?", "Q1?", "Q4?", "Q5?"}
    # all but the one in the lower right, by a polygon that goes around it
    around = "0_0-1000_0-1000_700-700_700-700_1000-0_1000"
    assert texts(f"area={around}") == set(grid) - {"Q15?"}
    assert texts("area=400_400-450_400-450_450") == set()


def test_an_area_joins_other_conditions_and_is_left_out_of_no_count(grid: dict[str, tuple[float, float]]) -> None:
    query = "area=0_0-500_0-500_500-0_500"
    assert texts(f"{query}&source=s0") == {"Q0?", "Q4?"}
    counts = read_counts(listing(f"{query}&source=s0").filter)
    (sources,) = [facet for facet in counts.facets if facet.name == "source"]
    assert {value.value: value.count for value in sources.values} == {"s0": 2, "s1": 2}
    assert counts.total == 2


def test_what_has_no_place_is_not_shown_and_said(grid: dict[str, tuple[float, float]]) -> None:
    page = read_page(listing("area=0_0-1000_0-1000_1000-0_1000"))
    assert page.total == NUM_PLACED
    assert [(item.name, item.count, item.why) for item in page.hidden] == [("area", 1, "without a place on the map")]


def test_the_address_of_an_area_needs_no_escapes_and_comes_back(grid: dict[str, tuple[float, float]]) -> None:
    asked = listing("area=0_0-500_0-500_500&source=s0&sort=-tokens")
    assert asked.query() == "source=s0&area=0_0-500_0-500_500&sort=-tokens"
    assert asked.filter == Filter(source=("s0",), area="0_0-500_0-500_500")


@pytest.mark.parametrize("area", ["1_1", "a", "0_0-1_1-2_2000", "0_0-1_1-2_2&area=0_0-1_1-3_3"])
def test_an_area_that_is_none_is_refused_in_one_line(db: None, area: str) -> None:
    with pytest.raises(ConfigError, match=r"\Aarea[^\n]*\Z"):
        listing(f"area={area}")


def test_without_a_map_there_is_no_area(db: None, tmp_path: Path) -> None:
    load_rows(tmp_path, [{"question": "Q?"}])
    with pytest.raises(NotFoundError, match=r"no map of the pool was drawn yet; run: python manage.py annotate map"):
        read_page(listing("area=0_0-1_0-1_1"))


def test_a_map_whose_file_is_gone_is_named(grid: dict[str, tuple[float, float]]) -> None:
    digest = PoolMap.objects.get().digest
    (settings.ARTIFACT_DIR / "vectors" / "invented" / "map" / f"{digest}.npy").unlink()
    with pytest.raises(NotFoundError, match=r"gone or damaged; make it again with: python manage.py annotate map"):
        read_page(listing("area=0_0-1_0-1_1"))


def test_places_are_read_once_for_a_state_of_the_pool(
    grid: dict[str, tuple[float, float]], django_assert_num_queries
) -> None:
    read_page(listing("area=0_0-500_0-500_500-0_500"))
    # the pool's version, and the texts
    with django_assert_num_queries(2):
        read_page(listing("area=0_0-500_0-500_499-0_500"))


def test_a_map_that_is_drawn_anew_is_what_an_area_is_about(db: None, tmp_path: Path) -> None:
    load_rows(tmp_path, [{"question": f"Q{n}?"} for n in range(24)])
    hashes = sorted(Question.objects.values_list("question_hash", flat=True))
    vectors = np.random.Generator(np.random.PCG64(0)).normal(size=(24, 8)).astype(np.float32)
    store_of(make_model()).add(hashes, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    asked = "area=0_0-500_0-500_1000-0_1000"
    shown, expected = [], []
    for seed in (0, 1):
        draw_map(seed=seed)
        shown.append({row.question_hash for row in read_page(listing(asked)).rows})
        columns = looked().columns
        places = places_of(columns)
        is_left = places.steps[:, 0] < 0.5 * 65_535
        expected.append({columns.hash_of(int(row)) for row in places.rows[is_left]})
    assert shown == expected
    assert shown[0] != shown[1]
