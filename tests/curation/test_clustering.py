"""k-means over vectors: every point counts, a seed gives one answer, and as good as scikit-learn's."""

import subprocess
import sys

import numpy as np
import pytest

from curation.clustering import k_means
from curation.errors import ConfigError


def blobs(num_vectors: int = 3_000, num_blobs: int = 12, dimension: int = 24, seed: int = 0) -> np.ndarray:
    """Vectors of length 1 around a few directions, some of them much more often than others."""
    rng = np.random.Generator(np.random.PCG64(seed))
    directions = rng.normal(size=(num_blobs, dimension))
    weights = np.arange(1, num_blobs + 1) / np.arange(1, num_blobs + 1).sum()
    vectors = directions[rng.choice(num_blobs, num_vectors, p=weights)] + 0.6 * rng.normal(
        size=(num_vectors, dimension)
    )
    unit: np.ndarray = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def test_each_vector_is_in_the_cluster_of_its_nearest_centre() -> None:
    vectors = blobs()
    clusters = k_means(vectors, 12, seed=3)
    # the slow and obvious way, in double precision
    distances = np.array(
        [[((v - c) ** 2).sum() for c in clusters.centres.astype(float)] for v in vectors.astype(float)]
    )
    own = distances[np.arange(len(vectors)), clusters.assignment]
    assert np.allclose(own, distances.min(axis=1), atol=1e-5)
    assert clusters.inertia == pytest.approx(distances.min(axis=1).sum(), rel=1e-4)


def test_centres_are_the_means_of_all_their_vectors_once_nothing_moves() -> None:
    # far more vectors than the 256 a cluster that FAISS would draw by itself
    vectors = blobs(num_vectors=8_000, num_blobs=4)
    clusters = k_means(vectors, 4, seed=0, num_iterations=60)
    for number, centre in enumerate(clusters.centres):
        assert np.allclose(vectors[clusters.assignment == number].mean(axis=0), centre, atol=1e-4)


def test_clusters_come_by_falling_size_and_hold_everything() -> None:
    vectors = blobs()
    clusters = k_means(vectors, 12)
    sizes = clusters.sizes.tolist()
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == len(vectors)
    assert min(sizes) > 0


def test_a_seed_gives_one_answer_and_another_seed_another() -> None:
    vectors = blobs()
    first, again, other = k_means(vectors, 12, seed=1), k_means(vectors, 12, seed=1), k_means(vectors, 12, seed=2)
    assert np.array_equal(first.assignment, again.assignment)
    assert np.array_equal(first.centres, again.centres)
    assert not np.array_equal(first.assignment, other.assignment)


def test_the_number_of_threads_does_not_change_the_clusters() -> None:
    script = (
        "import sys, faiss, hashlib; faiss.omp_set_num_threads(int(sys.argv[1]));"
        "from tests.curation.test_clustering import blobs, k_means;"
        "print(hashlib.sha256(k_means(blobs(6000, 20, 64), 20, seed=5).assignment.tobytes()).hexdigest())"
    )
    digests = {
        subprocess.run([sys.executable, "-c", script, threads], capture_output=True, text=True, check=True).stdout
        for threads in ("1", "2")
    }
    assert len(digests) == 1


def test_inertia_is_within_half_a_percent_of_scikit_learns() -> None:
    from sklearn.cluster import KMeans

    vectors = blobs(num_vectors=6_000, num_blobs=40, dimension=64)
    ours = np.mean([k_means(vectors, 40, seed=seed).inertia for seed in range(4)])
    theirs = np.mean(
        [KMeans(40, n_init=1, max_iter=25, tol=0, random_state=seed).fit(vectors).inertia_ for seed in range(4)]
    )
    assert ours <= 1.005 * theirs


def test_equal_vectors_make_fewer_clusters_than_asked_for_and_none_is_empty() -> None:
    vectors = np.repeat(np.eye(3, 8, dtype=np.float32), 20, axis=0)
    clusters = k_means(vectors, 6)
    assert len(clusters.centres) >= 3
    assert clusters.sizes.min() > 0
    assert clusters.assignment.max() == len(clusters.centres) - 1
    assert clusters.inertia == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("num_clusters", [0, -1, 11])
def test_a_number_of_clusters_that_cannot_be_is_refused(num_clusters: int) -> None:
    with pytest.raises(ConfigError, match=rf"{num_clusters} clusters of 10 vectors cannot be made; give 1 to 10"):
        k_means(blobs(10, 2), num_clusters)
