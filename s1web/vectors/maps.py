"""The map: every question a point, near ones near (UMAP); seeded, so that the same vectors draw the same map."""

import time
import warnings
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np
from django.conf import settings
from django.db import transaction

from curation.errors import ConfigError
from curation.neighbours import BLOCK_ROWS, build_index
from s1web import bulk
from s1web.pool.version import bump
from s1web.progress import Report, ignore
from s1web.vectors.arrays import embedded_pool, write_values
from s1web.vectors.encoder import HOW_TO_INSTALL
from s1web.vectors.models import PoolMap

WHAT = "map"
# UMAP's own defaults
NUM_NEIGHBOURS, MIN_DISTANCE = 15, 0.1
# the outermost points on either side, and how far from the middle the others reach
_OUTER_PERCENT, _INNER = 1, 0.45
# with fewer points there is no shape to find
MIN_QUESTIONS = 10


@dataclass
class MapResult:
    """What a run did: questions placed, questions left out as they have no vector."""

    done: int
    skipped: int
    seed: int
    method: str
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)


def draw_map(*, seed: int = 0, on_progress: Report | None = None) -> MapResult:
    """Place all questions that have a vector in a square from 0 to 1.

    Raises:
        ConfigError: umap-learn is missing, or there are too few questions.
        NotFoundError: no question has a vector.
    """
    started = time.monotonic()
    report = on_progress or ignore
    if find_spec("umap") is None:
        raise ConfigError(f"umap-learn is not installed; {HOW_TO_INSTALL}")
    pool = embedded_pool()
    if len(pool) < MIN_QUESTIONS:
        raise ConfigError(f"{len(pool)} questions with a vector make no map; embed at least {MIN_QUESTIONS}")
    report(0, 2 * len(pool))
    rows, distances = _neighbours(pool.vectors, report)
    import umap

    with warnings.catch_warnings():
        # it says that with neighbours found elsewhere new points cannot be placed later; none are
        warnings.simplefilter("ignore")
        places = umap.UMAP(
            n_neighbors=rows.shape[1],
            min_dist=MIN_DISTANCE,
            # a seed of one thread: more of them would draw another map each time
            random_state=seed & 0x7FFFFFFF,
            n_jobs=1,
            precomputed_knn=(rows, distances),
            init="spectral" if len(pool) > 4 * rows.shape[1] else "random",
        ).fit_transform(pool.vectors)
    values = to_square(np.asarray(places, np.float32))
    digest = write_values(pool.model, WHAT, pool.hashes, values)
    method = f"umap-learn {version('umap-learn')}, {NUM_NEIGHBOURS} neighbours, distance {MIN_DISTANCE}"
    with transaction.atomic():
        bulk.take_turn()
        PoolMap.objects.filter(model=pool.model, digest=digest).delete()
        PoolMap.objects.create(model=pool.model, method=method, seed=seed, num_questions=len(pool), digest=digest)
        bump()
    report(2 * len(pool), 2 * len(pool), rows=len(pool))
    result = MapResult(len(pool), pool.num_missing, seed, method)
    if pool.num_missing:
        result.warnings.append(f"{pool.num_missing:,} questions have no vector yet; annotate embeddings makes them")
    result.seconds = round(time.monotonic() - started, 3)
    return result


def _neighbours(vectors: np.ndarray, report: Report) -> tuple[np.ndarray, np.ndarray]:
    """(rows, distances) of each vector's nearest, itself first: exact, and sooner than UMAP's own search."""
    index = build_index(vectors, exact_limit=settings.VECTOR_EXACT_LIMIT)
    num_neighbours = min(NUM_NEIGHBOURS, len(vectors) - 1)
    rows = np.empty((len(vectors), num_neighbours), np.int32)
    distances = np.empty((len(vectors), num_neighbours), np.float32)
    for start in range(0, len(vectors), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        cosines, found = index.search(np.ascontiguousarray(vectors[block]), num_neighbours)
        rows[block] = found
        distances[block] = np.sqrt(np.maximum(2 - 2 * cosines, 0))
        report(min(start + BLOCK_ROWS, len(vectors)), 2 * len(vectors))
    return rows, distances


def to_square(places: np.ndarray) -> np.ndarray:
    """Moved and scaled to 0..1, both ways by the same factor; the shorter side in the middle.

    All but the outermost points take nine tenths of it. Those few lie so far out that they would shrink the others
    to a spot: they are drawn nearer, in their order.
    """
    low, high = np.percentile(places, [_OUTER_PERCENT, 100 - _OUTER_PERCENT], axis=0)
    side = float((high - low).max()) or 1.0
    scaled = (places - (low + high) / 2) / side * (2 * _INNER)
    beyond = np.maximum(np.abs(scaled) - _INNER, 0)
    nearer = np.minimum(np.abs(scaled), _INNER) + (0.5 - _INNER) * -np.expm1(-beyond / _INNER)
    square: np.ndarray = (0.5 + np.sign(scaled) * nearer).astype(np.float32)
    return square
