"""Clusters, map and near duplicates of the pool: stored whole, repeatable, the same whatever the order of loading."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db import transaction

from curation.errors import ConfigError, NotFoundError
from curation.hashing import question_hash
from s1web.pool.models import Question
from s1web.pool.version import pool_version
from s1web.vectors import queries
from s1web.vectors.arrays import embedded_pool, read_values
from s1web.vectors.clusters import make_clusters
from s1web.vectors.duplicates import find_similar_pairs
from s1web.vectors.embedding import current_model, embed_pool, store_of
from s1web.vectors.maps import draw_map, to_square
from s1web.vectors.models import Cluster, Clustering, ClusterMember, PoolMap, SimilarPair
from tests.s1web.pools import find, load_rows

from .conftest import SUBJECTS, make_rows


def members() -> dict[str, int]:
    """Question hash -> number of its cluster."""
    return dict(ClusterMember.objects.values_list("question__question_hash", "cluster__number"))


# --- clusters -------------------------------------------------------------------------------------


def test_points_far_out_are_drawn_nearer_in_their_order_and_shrink_nobody() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    crowd = rng.normal(size=(2_000, 2)).astype(np.float32) * [1.0, 0.5]
    places = np.vstack([crowd, [[20, 0], [8, 0], [0, -900], [0, -10]]])
    drawn = to_square(places)
    assert 0 <= drawn.min() <= drawn.max() <= 1
    for axis in (0, 1):
        order = np.argsort(places[:, axis], kind="stable")
        assert (np.diff(drawn[order, axis]) >= 0).all()
    # both ways by the same factor, and nearly all of the square is the crowd's
    spread = np.percentile(drawn[:2_000], [1, 99], axis=0)
    wide, high = spread[1] - spread[0]
    assert wide == pytest.approx(0.9, abs=0.02)
    assert high == pytest.approx(0.45, abs=0.03)
    assert drawn[-4, 0] > drawn[-3, 0] > 0.95


def test_a_cluster_holds_one_subject_and_is_titled_by_its_words(vectors: list[dict[str, str]]) -> None:
    result = make_clusters(4, seed=1)
    assert (result.done, result.skipped, result.k) == (48, 0, 4)
    by_cluster = defaultdict(set)
    for row in vectors:
        by_cluster[members()[question_hash(row["question"])]].add(row["source_type"])
    assert sorted(map(len, by_cluster.values())) == [1, 1, 1, 1]
    titles = {by_cluster[cluster.number].pop(): cluster.title for cluster in queries.list_clusters()}
    assert titles.keys() == SUBJECTS.keys()
    for subject, word in (
        ("geometry", "triangle"),
        ("number", "remainder"),
        ("chemistry", "aqueous"),
        ("crossword", "clue"),
    ):
        assert word in titles[subject] or set(titles[subject].split(", ")) <= set(SUBJECTS[subject].lower().split())
    terms = [term for cluster in Cluster.objects.all() for term in cluster.terms]
    assert len(terms) == len(set(terms)) >= 12


def test_the_table_the_array_and_the_sizes_say_the_same(vectors: list[dict[str, str]]) -> None:
    make_clusters(5)
    newest = queries.newest_clustering()
    assert newest is not None
    stored = queries.cluster_numbers(newest)
    assert dict(zip(stored.names, stored.values.tolist(), strict=True)) == members()
    assert [cluster.size for cluster in queries.list_clusters()] == np.bincount(list(members().values())).tolist()
    assert newest.num_questions == 48


def test_a_new_clustering_takes_the_place_of_the_last_and_both_can_be_read(vectors: list[dict[str, str]]) -> None:
    make_clusters(5)
    first = queries.newest_clustering()
    before = pool_version()
    make_clusters(3, seed=2)
    assert pool_version() != before
    assert set(members().values()) == {0, 1, 2}
    assert first is not None
    assert set(queries.cluster_numbers(first).values.tolist()) == set(range(5))
    # the same once more is the same clustering, now the newest
    make_clusters(5)
    assert Clustering.objects.count() == 2
    assert set(members().values()) == set(range(5))


def test_questions_without_a_vector_are_left_out_and_said(vectors: list[dict[str, str]], tmp_path: Path) -> None:
    load_rows(tmp_path, [{"question": "Came later?"}], "later")
    result = make_clusters(3)
    assert (result.done, result.skipped) == (48, 1)
    assert result.warnings == ["1 questions have no vector yet; annotate embeddings makes them"]
    assert question_hash("Came later?") not in members()


def test_more_clusters_than_questions_are_refused_and_nothing_changes(vectors: list[dict[str, str]]) -> None:
    make_clusters(3)
    before = members()
    with pytest.raises(ConfigError, match="49 clusters of 48 vectors cannot be made; give 1 to 48"):
        make_clusters(49)
    assert members() == before


def test_without_any_vector_it_says_what_to_run(small_pool: list[dict[str, str]]) -> None:
    for work in (make_clusters, draw_map, find_similar_pairs):
        with pytest.raises(NotFoundError, match=r"run: python manage.py annotate embeddings"):
            work()


# --- the same pool in another order ---------------------------------------------------------------


class _TakeBackError(Exception):
    """Ends a trial whose rows must go."""


def loaded_as(rows: list[dict[str, str]], folder: Path, settings: Any) -> dict[str, Any]:
    """What comes of rows that were loaded in this order, on vectors made anew; the pool is as before after it."""
    settings.ARTIFACT_DIR = folder / "artifacts"
    outcome: dict[str, Any] = {}
    try:
        with transaction.atomic():
            load_rows(folder, rows[:30], "one")
            load_rows(folder, rows[30:], "two")
            embed_pool()
            make_clusters(6, seed=4)
            outcome["members"] = members()
            outcome["titles"] = [cluster.title for cluster in queries.list_clusters()]
            draw_map(seed=4)
            points = queries.map_points()
            assert points is not None
            outcome["map"] = dict(zip(points.names, map(tuple, points.values.tolist()), strict=True))
            find_similar_pairs(0.9)
            outcome["pairs"] = {
                frozenset((a, b)): cosine
                for a, b, cosine in SimilarPair.objects.values_list(
                    "question_a__question_hash", "question_b__question_hash", "cosine"
                )
            }
            raise _TakeBackError
    except _TakeBackError:
        return outcome


def test_the_order_of_loading_changes_nothing(db: None, tmp_path: Path, settings) -> None:
    rows = make_rows()
    first = loaded_as(rows, tmp_path / "first", settings)
    assert len(first["members"]) == 48
    assert first["pairs"]
    assert loaded_as(rows[::-1], tmp_path / "second", settings) == first


# --- map ------------------------------------------------------------------------------------------


def test_every_question_has_a_place_in_the_square_near_its_own_kind(vectors: list[dict[str, str]]) -> None:
    result = draw_map()
    assert (result.done, result.skipped) == (48, 0)
    points = queries.map_points()
    assert points is not None
    assert set(points.names) == {question_hash(row["question"]) for row in vectors}
    assert points.values.dtype == np.float32
    assert points.values.min() >= 0
    assert points.values.max() <= 1
    low, high = np.percentile(points.values, [1, 99], axis=0)
    assert (high - low).max() == pytest.approx(0.9, abs=0.02)
    subjects = dict(Question.objects.values_list("question_hash", "source__name"))
    labels = np.array([subjects[name] for name in points.names])
    distances = np.linalg.norm(points.values[:, None] - points.values[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (labels[distances.argmin(axis=1)] == labels).mean() > 0.95


def test_a_seed_draws_one_map_and_another_seed_another(vectors: list[dict[str, str]]) -> None:
    for seed in (1, 1, 2):
        draw_map(seed=seed)
    assert PoolMap.objects.count() == 2


def test_a_map_whose_file_is_gone_or_damaged_says_what_to_run(vectors: list[dict[str, str]]) -> None:
    draw_map()
    (path,) = (store_of(current_model()).folder / "map").iterdir()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(NotFoundError, match=r"is gone or damaged; make it again with: python manage.py annotate map"):
        queries.map_points()
    path.unlink()
    with pytest.raises(NotFoundError, match="is gone or damaged"):
        queries.map_points()


def test_too_few_questions_make_no_map(db: None, tmp_path: Path) -> None:
    load_rows(tmp_path, make_rows(2))
    embed_pool()
    with pytest.raises(ConfigError, match="8 questions with a vector make no map; embed at least 10"):
        draw_map()


def test_nothing_drawn_and_nothing_clustered_is_nothing(db: None) -> None:
    assert queries.map_points() is None
    assert queries.newest_clustering() is None
    assert queries.list_clusters() == []


# --- near duplicates ------------------------------------------------------------------------------


def test_pairs_are_those_of_comparing_all_with_all(vectors: list[dict[str, str]]) -> None:
    result = find_similar_pairs(0.97)
    pool = embedded_pool()
    cosines = pool.vectors.astype(float) @ pool.vectors.astype(float).T
    expected = {
        (int(min(pool.pks[a], pool.pks[b])), int(max(pool.pks[a], pool.pks[b]))): cosines[a, b]
        for a, b in zip(*np.nonzero(np.triu(cosines >= 0.97, 1)), strict=True)
    }
    found = {(pair.question_a_id, pair.question_b_id): pair.cosine for pair in SimilarPair.objects.all()}
    assert len(found) == result.pairs > 10
    assert found.keys() == expected.keys()
    assert all(found[pair] == pytest.approx(expected[pair], abs=2e-5) for pair in found)


def test_a_questions_pairs_come_nearest_first_whichever_side_it_is_on(vectors: list[dict[str, str]]) -> None:
    find_similar_pairs(0.9)
    middle = find(vectors[6]["question"])
    found = queries.similar_questions(middle.pk, 5)
    assert [near.cosine for near in found] == sorted((near.cosine for near in found), reverse=True)
    assert {near.question for near in found} & {find(row["question"]).pk for row in vectors[:6]}
    assert {near.question for near in found} & {find(row["question"]).pk for row in vectors[7:12]}
    assert all(Question.objects.get(pk=near.question).question_hash == near.question_hash for near in found)


def test_a_stricter_run_takes_the_place_of_a_looser_one(vectors: list[dict[str, str]]) -> None:
    loose, strict = find_similar_pairs(0.9).pairs, find_similar_pairs(0.985).pairs
    assert loose > strict
    assert SimilarPair.objects.count() == strict


@pytest.mark.parametrize("min_cosine", [0.5, 0, -1, 1.01, float("nan")])
def test_a_cosine_that_keeps_all_or_nothing_is_refused(db: None, min_cosine: float) -> None:
    with pytest.raises(ConfigError, match=r"--min-cosine .* cannot be used; give a number above 0.5, at most 1"):
        find_similar_pairs(min_cosine)


def test_values_are_read_under_their_own_name_alone(vectors: list[dict[str, str]]) -> None:
    make_clusters(3)
    newest = queries.newest_clustering()
    assert newest is not None
    with pytest.raises(NotFoundError, match="annotate map"):
        read_values(newest.model, "map", newest.digest)


def test_progress_grows_to_its_total(vectors: list[dict[str, str]]) -> None:
    work: Callable[..., Any]
    for work in (make_clusters, draw_map, find_similar_pairs):
        reports: list[tuple[int, int]] = []
        arguments = {"num_clusters": 3} if work is make_clusters else {}
        work(**arguments, on_progress=lambda done, total, /, **spent: reports.append((done, total)))  # noqa: B023
        assert [done for done, _ in reports] == sorted(done for done, _ in reports)
        assert reports[0][0] == 0
        assert reports[-1][0] == reports[-1][1] > 0
