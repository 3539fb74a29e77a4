"""Vectors that point the same way: exact search up to some size, an inverted file beyond it (FAISS)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# lists of an inverted file: so many times the square root of the number of vectors; and how many a search looks into
_LISTS_PER_ROOT, _PROBES = 4, 32
_TRAIN_PER_LIST = 40
BLOCK_ROWS = 2_048


def build_index(vectors: "NDArray[np.float32]", *, exact_limit: int) -> Any:
    """A FAISS index by inner product: of all vectors one by one, or above `exact_limit` of lists of near ones.

    The second looks into the nearest lists alone, and so misses a few neighbours.
    """
    import faiss

    dimension = vectors.shape[1]
    if len(vectors) <= exact_limit:
        index: Any = faiss.IndexFlatIP(dimension)
    else:
        num_lists = max(1, int(_LISTS_PER_ROOT * len(vectors) ** 0.5))
        num_lists = min(num_lists, max(1, len(vectors) // _TRAIN_PER_LIST))
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dimension), dimension, num_lists, faiss.METRIC_INNER_PRODUCT)
        # evenly over all, so that the draw is the same each time
        step = max(1, len(vectors) // (num_lists * _TRAIN_PER_LIST))
        index.cp.seed = 0
        index.cp.min_points_per_centroid = 1
        index.train(np.ascontiguousarray(vectors[::step]))
        index.nprobe = min(num_lists, _PROBES)
    for start in range(0, len(vectors), BLOCK_ROWS * 16):
        index.add(np.ascontiguousarray(vectors[start : start + BLOCK_ROWS * 16]))
    return index


def nearest(
    vectors: "NDArray[np.float32]", query: "NDArray[np.float32]", num_nearest: int
) -> tuple["NDArray[np.int64]", "NDArray[np.float32]"]:
    """(rows, cosines) of the vectors nearest to one, the nearest first; ties by row. Needs numpy alone."""
    cosines = vectors @ query
    num_nearest = min(num_nearest, len(cosines))
    if num_nearest < len(cosines):
        edge = np.partition(cosines, len(cosines) - num_nearest)[len(cosines) - num_nearest]
        rows = np.flatnonzero(cosines >= edge)
    else:
        rows = np.arange(len(cosines))
    rows = rows[np.lexsort((rows, -cosines[rows]))][:num_nearest]
    return rows, cosines[rows]


def similar_pairs(
    vectors: "NDArray[np.float32]", index: Any, *, min_cosine: float, most: int
) -> Iterator[tuple[int, "NDArray[np.int64]", "NDArray[np.float32]", int]]:
    """Pairs of vectors at least so near, among each one's `most` nearest others; block by block.

    Yields:
        (rows done, pairs of shape (p, 2) with the smaller row first, their cosines, vectors whose list was full).
        A pair may come twice, once from either side.
    """
    for start in range(0, len(vectors), BLOCK_ROWS):
        block = np.ascontiguousarray(vectors[start : start + BLOCK_ROWS])
        cosines, found = index.search(block, min(most + 1, len(vectors)))
        own = np.arange(start, start + len(block))[:, None]
        # a list shorter than asked for is filled up with -1
        near = (cosines >= min_cosine) & (found != own) & (found >= 0)
        # of many equal ones the vector itself need not be among those found
        near &= near.cumsum(axis=1) <= most
        rows, places = np.nonzero(near)
        pairs = np.sort(np.stack([rows + start, found[rows, places]], axis=1), axis=1)
        num_full = int((near.sum(axis=1) == most).sum())
        yield start + len(block), pairs, np.minimum(cosines[rows, places], 1.0), num_full
