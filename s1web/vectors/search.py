"""What lies near a question: single look-ups for pages, which load numpy alone up to VECTOR_EXACT_LIMIT vectors."""

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from django.conf import settings

from curation import neighbours
from curation.errors import NotFoundError
from s1web.pool.models import Problem, Question
from s1web.vectors.embedding import current_model, problem_hashes, store_of
from s1web.vectors.store import Vectors, VectorStore

# evaluation questions lie among the pool's: so many more are looked up than asked for
_SPARE = 50


@dataclass(frozen=True)
class Neighbour:
    """A question near another one.

    Attributes:
        question: its primary key.
        cosine: 1 is the same direction.
    """

    question: int
    question_hash: str
    cosine: float


@dataclass(frozen=True)
class NearProblem:
    """An evaluation question near a question of the pool."""

    problem: int
    benchmark: str
    key: str
    text: str
    cosine: float


def nearest(question_hash: str, num_nearest: int = 10) -> list[Neighbour]:
    """The questions of the pool nearest to one, without itself, the nearest first; two queries.

    Raises:
        NotFoundError: it has no vector.
    """
    store, vectors, row = _find(question_hash)
    found = _nearest(store, vectors, vectors.vectors[row], num_nearest + 1)
    return [neighbour for neighbour in found if neighbour.question_hash != question_hash][:num_nearest]


def nearest_to(vector: np.ndarray, num_nearest: int = 10) -> list[Neighbour]:
    """The questions of the pool nearest to a vector of the current model, the nearest first.

    Raises:
        NotFoundError: nothing was embedded.
    """
    store = store_of(current_model())
    return _nearest(store, store.load(), vector.astype(np.float32), num_nearest)


def nearest_problems(question_hash: str, num_nearest: int = 5) -> list[NearProblem]:
    """The evaluation questions nearest to a question of the pool, the nearest first.

    Raises:
        NotFoundError: it has no vector.
    """
    _, vectors, row = _find(question_hash)
    hashes = problem_hashes()
    rows = vectors.rows(hashes.values())
    has_vector = rows >= 0
    pks = np.array(list(hashes))[has_vector]
    places, cosines = neighbours.nearest(vectors.vectors[rows[has_vector]], vectors.vectors[row], num_nearest)
    problems = Problem.objects.select_related("benchmark").in_bulk(pks[places].tolist())
    return [
        NearProblem(pk, problems[pk].benchmark.name, problems[pk].key, problems[pk].text, round(cosine, 4))
        for pk, cosine in zip(pks[places].tolist(), np.minimum(cosines, 1).tolist(), strict=True)
        if pk in problems
    ]


def prepare(store: VectorStore) -> None:
    """Build what look-ups in more than VECTOR_EXACT_LIMIT vectors need, so that no page has to; else nothing."""
    vectors = store.load()
    path = store.path_beside(vectors, "faiss")
    if len(vectors) <= settings.VECTOR_EXACT_LIMIT or path.exists():
        return
    import faiss

    index = neighbours.build_index(vectors.vectors, exact_limit=settings.VECTOR_EXACT_LIMIT)
    unfinished = path.with_suffix(".unfinished")
    faiss.write_index(index, str(unfinished))
    unfinished.replace(path)


def _find(question_hash: str) -> tuple[VectorStore, Vectors, int]:
    store = store_of(current_model())
    vectors = store.load()
    row = int(vectors.rows([question_hash])[0])
    if row < 0:
        raise NotFoundError(
            f"question {question_hash!r} has no vector of {settings.EMBEDDING_MODEL} yet; "
            "run: python manage.py annotate embeddings"
        )
    return store, vectors, row


def _nearest(store: VectorStore, vectors: Vectors, query: np.ndarray, num_nearest: int) -> list[Neighbour]:
    num_looked_up = num_nearest + _SPARE
    while True:
        rows, cosines = _search(store, vectors, query, num_looked_up)
        names = [name.decode() for name in vectors.hashes[rows].tolist()]
        found = dict(Question.objects.filter(question_hash__in=names).values_list("question_hash", "pk"))
        near = [
            Neighbour(found[name], name, round(cosine, 4))
            for name, cosine in zip(names, np.minimum(cosines, 1).tolist(), strict=True)
            if name in found
        ]
        if len(near) >= num_nearest or num_looked_up >= len(vectors):
            return near[:num_nearest]
        num_looked_up *= 4


def _search(
    store: VectorStore, vectors: Vectors, query: np.ndarray, num_nearest: int
) -> tuple[np.ndarray, np.ndarray]:
    """(rows, cosines), the nearest first."""
    path = store.path_beside(vectors, "faiss")
    if len(vectors) > settings.VECTOR_EXACT_LIMIT and path.exists() and importlib.util.find_spec("faiss"):
        found, places = _read_index(path).search(query[None, :], min(num_nearest, len(vectors)))
        is_found = places[0] >= 0
        return places[0][is_found], found[0][is_found]
    return neighbours.nearest(vectors.vectors, query, num_nearest)


@lru_cache(maxsize=1)
def _read_index(path: Path) -> "faiss.Index":  # type: ignore[name-defined]  # noqa: F821
    import faiss

    return faiss.read_index(str(path), faiss.IO_FLAG_MMAP)


def prepare_current() -> None:
    """`prepare` for the vectors that are used now."""
    prepare(store_of(current_model()))
