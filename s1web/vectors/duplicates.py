"""Questions that say nearly the same: pairs of the pool whose vectors are nearly one."""

import time
from dataclasses import dataclass, field

import numpy as np
from django.conf import settings
from django.db import transaction

from curation.errors import ConfigError
from curation.neighbours import build_index, similar_pairs
from s1web import bulk
from s1web.progress import Report, ignore
from s1web.vectors.arrays import EmbeddedPool, embedded_pool
from s1web.vectors.models import SimilarPair

MIN_COSINE, MOST_PER_QUESTION = 0.95, 20


@dataclass
class PairsResult:
    """What a run did: questions compared, questions left out as they have no vector, pairs kept.

    Attributes:
        full: questions with as many neighbours as are kept at most: they may have more.
    """

    done: int
    skipped: int
    pairs: int
    full: int
    min_cosine: float
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)


def find_similar_pairs(min_cosine: float = MIN_COSINE, on_progress: Report | None = None) -> PairsResult:
    """Compare every question with every other and keep the pairs that are at least so near, in place of those before.

    A question's nearest MOST_PER_QUESTION are kept; above VECTOR_EXACT_LIMIT questions a few pairs are missed.

    Raises:
        ConfigError: a cosine that would keep nearly all pairs, or none.
        NotFoundError: no question has a vector.
    """
    check_min_cosine(min_cosine)
    started = time.monotonic()
    report = on_progress or ignore
    pool = embedded_pool()
    report(0, len(pool))
    index = build_index(pool.vectors, exact_limit=settings.VECTOR_EXACT_LIMIT)
    parts: list[np.ndarray] = []
    cosines: list[np.ndarray] = []
    num_full = 0
    blocks = similar_pairs(pool.vectors, index, min_cosine=min_cosine, most=MOST_PER_QUESTION)
    for done, pairs, near, full in blocks:
        parts.append(pairs)
        cosines.append(near)
        num_full += full
        report(done, len(pool), rows=done)
    pairs, first = np.unique(np.concatenate(parts), axis=0, return_index=True)
    _store(pool, pairs, np.concatenate(cosines)[first])
    result = PairsResult(len(pool), pool.num_missing, len(pairs), num_full, min_cosine)
    if pool.num_missing:
        result.warnings.append(f"{pool.num_missing:,} questions have no vector yet; annotate embeddings makes them")
    result.seconds = round(time.monotonic() - started, 3)
    return result


def check_min_cosine(min_cosine: float) -> None:
    """Refuse what would keep nearly all pairs, or none.

    Raises:
        ConfigError: it is not above 0.5 and at most 1.
    """
    if not 0.5 < min_cosine <= 1:
        raise ConfigError(f"--min-cosine {min_cosine} cannot be used; give a number above 0.5, at most 1")


@transaction.atomic
def _store(pool: EmbeddedPool, pairs: np.ndarray, cosines: np.ndarray) -> None:
    bulk.take_turn()
    SimilarPair.objects.all()._raw_delete(using=SimilarPair.objects.db)
    keys = np.sort(pool.pks[pairs], axis=1) if len(pairs) else np.empty((0, 2), np.int64)
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    bulk.insert(
        SimilarPair,
        ("question_a_id", "question_b_id", "cosine"),
        ((*keys[place].tolist(), round(float(cosines[place]), 5)) for place in order),
    )
