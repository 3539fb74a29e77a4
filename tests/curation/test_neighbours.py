"""Neighbours among vectors: as the slow comparison of all with all finds them."""

import numpy as np
import pytest

from curation.neighbours import build_index, nearest, similar_pairs

from .test_clustering import blobs

EXACT = 10**6


def all_pairs(vectors: np.ndarray, min_cosine: float) -> dict[tuple[int, int], float]:
    """Every pair at least so near, found by comparing all with all."""
    cosines = vectors.astype(float) @ vectors.astype(float).T
    rows, others = np.nonzero(np.triu(cosines >= min_cosine, 1))
    return {(int(a), int(b)): float(cosines[a, b]) for a, b in zip(rows, others, strict=True)}


def found_pairs(vectors: np.ndarray, *, min_cosine: float, most: int, exact_limit: int = EXACT) -> dict:
    index = build_index(vectors, exact_limit=exact_limit)
    found: dict[tuple[int, int], float] = {}
    for _, pairs, cosines, _ in similar_pairs(vectors, index, min_cosine=min_cosine, most=most):
        found |= dict(zip(map(tuple, pairs.tolist()), cosines.tolist(), strict=True))
    return found


def test_the_nearest_are_those_of_a_full_sort() -> None:
    vectors = blobs(500)
    for row in (0, 17, 499):
        cosines = vectors @ vectors[row]
        rows, values = nearest(vectors, vectors[row], 12)
        assert rows.tolist() == sorted(range(500), key=lambda place: (-cosines[place], place))[:12]
        assert np.array_equal(values, cosines[rows])


def test_equal_vectors_come_by_row_and_more_than_there_are_gives_all() -> None:
    vectors = np.repeat(np.eye(2, 4, dtype=np.float32), 3, axis=0)
    rows, _ = nearest(vectors, vectors[4], 4)
    assert rows.tolist() == [3, 4, 5, 0]
    assert len(nearest(vectors, vectors[0], 100)[0]) == 6


def test_similar_pairs_are_those_of_all_with_all() -> None:
    # more than one block of rows
    vectors = blobs(4_500, 300, dimension=16)
    expected = all_pairs(vectors, 0.93)
    found = found_pairs(vectors, min_cosine=0.93, most=200)
    assert len(expected) > 100
    # what rounds to either side of the edge may be in or out
    edge = {pair for pair, cosine in expected.items() if abs(cosine - 0.93) < 1e-6}
    assert set(found) - edge == set(expected) - edge
    assert all(found[pair] == pytest.approx(expected[pair], abs=1e-5) for pair in set(found) - edge)


def test_of_many_equal_vectors_each_has_as_many_pairs_as_asked_for_and_none_with_itself() -> None:
    vectors = np.repeat(np.eye(1, 8, dtype=np.float32), 40, axis=0)
    index = build_index(vectors, exact_limit=EXACT)
    ((done, pairs, _, num_full),) = similar_pairs(vectors, index, min_cosine=0.99, most=5)
    assert (done, num_full) == (40, 40)
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert len(pairs) == 40 * 5


def test_above_the_limit_an_index_of_lists_finds_nearly_all_and_the_same_each_time() -> None:
    vectors = blobs(6_000, 200, dimension=32)
    expected = all_pairs(vectors, 0.8)
    found = found_pairs(vectors, min_cosine=0.8, most=300, exact_limit=1_000)
    assert len(set(found) & set(expected)) >= 0.95 * len(expected)
    assert found == found_pairs(vectors, min_cosine=0.8, most=300, exact_limit=1_000)
    assert type(build_index(vectors, exact_limit=1_000)) is not type(build_index(vectors, exact_limit=EXACT))
