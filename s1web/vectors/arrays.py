"""All questions with a vector, and what runs over them compute: arrays keyed by hash, beside the database."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from django.conf import settings

from curation.errors import NotFoundError
from s1web.pool.models import Question
from s1web.vectors.embedding import current_model, store_of
from s1web.vectors.models import VectorModel
from s1web.vectors.store import HASH, find_rows, names_of, read_array, write_array


@dataclass(frozen=True)
class EmbeddedPool:
    """The questions of the pool that have a vector of the current model, sorted by hash.

    Attributes:
        pks: shape (n,), int64: primary keys of the questions.
        hashes: shape (n,), S16.
        vectors: shape (n, dimension), float32, in memory.
        num_missing: questions without a vector.
    """

    model: VectorModel
    pks: np.ndarray
    hashes: np.ndarray
    vectors: np.ndarray
    num_missing: int

    def __len__(self) -> int:
        return len(self.hashes)


def embedded_pool() -> EmbeddedPool:
    """Read it.

    Raises:
        NotFoundError: no question has a vector.
    """
    model = current_model()
    vectors = store_of(model).load()
    rows = Question.objects.values_list("question_hash", "pk").iterator(chunk_size=20_000)
    known = np.fromiter(((digest.encode(), pk) for digest, pk in rows), np.dtype([("hash", HASH), ("pk", np.int64)]))
    known.sort(order="hash")
    places = find_rows(vectors.hashes, known["hash"])
    has_vector = places >= 0
    if not has_vector.any():
        raise NotFoundError("no question of the pool has a vector; run: python manage.py annotate embeddings")
    places = places[has_vector]
    known_here = known[has_vector]
    return EmbeddedPool(
        model,
        known_here["pk"].copy(),
        known_here["hash"].copy(),
        np.ascontiguousarray(vectors.vectors[places]),
        int(len(known) - len(places)),
    )


@dataclass(frozen=True)
class HashedArray:
    """Values of questions.

    Attributes:
        hashes: shape (n,), S16, sorted.
        values: shape (n, ...), row by row.
    """

    hashes: np.ndarray
    values: np.ndarray

    @property
    def names(self) -> list[str]:
        return names_of(self.hashes)


def write_values(model: VectorModel, what: str, hashes: np.ndarray, values: np.ndarray) -> str:
    """Keep values beside the model's vectors; returns the digest that names them."""
    records = np.empty(len(hashes), np.dtype([("hash", HASH), ("value", values.dtype, values.shape[1:])]))
    records["hash"], records["value"] = hashes, values
    digest = hashlib.sha256(records.tobytes()).hexdigest()[:32]
    write_array(_path(model, what, digest), records)
    return digest


def read_values(model: VectorModel, what: str, digest: str) -> HashedArray:
    """Values that `write_values` kept.

    Raises:
        NotFoundError: the file is gone or damaged.
    """
    records = read_array(_path(model, what, digest))
    if records is None or hashlib.sha256(records.tobytes()).hexdigest()[:32] != digest:
        raise NotFoundError(
            f"{_path(model, what, digest)} is gone or damaged; make it again with: python manage.py annotate {what}"
        )
    return HashedArray(records["hash"], records["value"])


def _path(model: VectorModel, what: str, digest: str) -> Path:
    folder: Path = settings.ARTIFACT_DIR
    return folder / "vectors" / model.key / what / f"{digest}.npy"
