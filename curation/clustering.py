"""Clusters of vectors: k-means over all of them, seeded, in an order that size decides."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from curation.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

NUM_CLUSTERS, NUM_ITERATIONS = 50, 25
# k-means++ chooses the first centres among so many vectors a cluster: more of them made nothing better
_SEED_VECTORS = 64
# and the best of so many draws a centre
_DRAWS = 6


@dataclass(frozen=True)
class Clusters:
    """Vectors in clusters.

    Attributes:
        centres: shape (number of clusters, dimension), float32; the largest cluster first.
        assignment: shape (n,), int16: the cluster of each vector, that of its nearest centre.
        inertia: sum of squared distances to the centres.
    """

    centres: "NDArray[np.float32]"
    assignment: "NDArray[np.int16]"
    inertia: float

    @property
    def sizes(self) -> "NDArray[np.int64]":
        return np.bincount(self.assignment, minlength=len(self.centres))


def k_means(
    vectors: "NDArray[np.float32]",
    num_clusters: int = NUM_CLUSTERS,
    *,
    seed: int = 0,
    num_iterations: int = NUM_ITERATIONS,
) -> Clusters:
    """Lloyd's k-means on every vector (FAISS), from centres that k-means++ chose.

    The same vectors in the same order and the same seed give the same clusters. Another order, or a processor that
    rounds sums otherwise, may give others of the same quality.

    Returns:
        Clusters by falling size; fewer than asked for where some would hold nothing.

    Raises:
        ConfigError: no clusters, or more than there are vectors.
    """
    if not 1 <= num_clusters <= min(len(vectors), np.iinfo(np.int16).max):
        raise ConfigError(
            f"{num_clusters:,} clusters of {len(vectors):,} vectors cannot be made; "
            f"give 1 to {min(len(vectors), np.iinfo(np.int16).max):,}"
        )
    import faiss

    vectors = np.ascontiguousarray(vectors, np.float32)
    run = faiss.Kmeans(
        vectors.shape[1],
        num_clusters,
        niter=num_iterations,
        seed=seed & 0x7FFFFFFF,
        # the library would draw 256 vectors a cluster and leave the others out, and warn of fewer than 39
        max_points_per_centroid=len(vectors),
        min_points_per_centroid=1,
    )
    run.train(vectors, init_centroids=_first_centres(vectors, num_clusters, seed))
    centres = np.asarray(run.centroids, np.float32).reshape(num_clusters, -1)
    distances, found = run.index.search(vectors, 1)
    assignment = found.ravel()
    sizes = np.bincount(assignment, minlength=num_clusters)
    # ties keep the order of the centres, so that a seed gives one numbering
    order = np.argsort(-sizes, kind="stable")
    order = order[sizes[order] > 0]
    numbers = np.full(num_clusters, -1, np.int16)
    numbers[order] = np.arange(len(order))
    inertia = float(np.maximum(distances, 0).sum(dtype=np.float64))
    return Clusters(centres[order], numbers[assignment], inertia)


def _first_centres(vectors: "NDArray[np.float32]", num_clusters: int, seed: int) -> "NDArray[np.float32]":
    """Centres far from each other, by k-means++ on a draw of the vectors."""
    rng = np.random.Generator(np.random.PCG64(seed))
    size = min(len(vectors), _SEED_VECTORS * num_clusters)
    drawn = vectors[np.sort(rng.choice(len(vectors), size, replace=False))]
    lengths = (drawn * drawn).sum(axis=1)
    centres = np.empty((num_clusters, vectors.shape[1]), np.float32)
    centres[0] = drawn[rng.integers(size)]
    nearest = np.full(size, np.inf, np.float32)
    candidates = centres[:1]
    for number in range(num_clusters):
        distances = lengths[:, None] + (candidates * candidates).sum(axis=1) - 2 * (drawn @ candidates.T)
        closer = np.minimum(nearest[:, None], np.maximum(distances, 0))
        best = int(closer.sum(axis=0, dtype=np.float64).argmin())
        centres[number], nearest = candidates[best], closer[:, best]
        weights = np.cumsum(nearest, dtype=np.float64)
        places = np.searchsorted(weights, rng.random(_DRAWS) * weights[-1])
        candidates = drawn[np.minimum(places, size - 1)]
    return centres
