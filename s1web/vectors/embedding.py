"""Embedding the pool and the evaluation sets: each text once a model; a run that was stopped goes on."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from django.conf import settings
from django.db.models import Avg
from django.db.models.functions import Length
from django.utils import timezone

from curation.errors import NotFoundError
from curation.hashing import question_hash
from s1web.pool.models import Problem, Question
from s1web.progress import Report, ignore
from s1web.vectors.encoder import SentenceModel, find_model, load_encoder
from s1web.vectors.models import VectorModel
from s1web.vectors.store import HASH, VectorStore


@dataclass
class EmbeddingResult:
    """What a run did: texts embedded now and before; tokens read now.

    Attributes:
        cut: texts embedded now of which the model read the beginning alone.
        warnings: what a person should know: a slower engine, damaged files.
    """

    model: str
    engine: str = ""
    done: int = 0
    skipped: int = 0
    tokens: int = 0
    cut: int = 0
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)


def embed_pool(limit: int | None = None, on_progress: Report | None = None) -> EmbeddingResult:
    """Make the vectors that are missing, of questions and evaluation questions.

    Texts go in the order of their hashes: the same pool makes the same batches, whatever the order it was loaded in.

    Args:
        limit: embed at most so many texts this time.

    Raises:
        ConfigError: the model or its library is missing.
    """
    started = time.monotonic()
    report = on_progress or ignore
    model = find_model()
    result = EmbeddingResult(model.key)
    store = _known_store(model)
    seen: set[str] = set()
    wanted = _wanted()
    known = _hashes_of(store, seen)
    missing = np.setdiff1d(wanted, known, assume_unique=True)
    result.skipped = len(wanted) - len(missing)
    total = len(missing) if limit is None else min(len(missing), limit)
    report(0, total)
    if total:
        encoder = load_encoder(model, result.warnings)
        result.engine = encoder.engine
        registered = _register(model, encoder.dimension)
        # the one that looked for damage, where there is one, says so below
        store = store or store_of(registered)
        for start in range(0, total, encoder.chunk):
            stop = min(start + encoder.chunk, total)
            # another run may have made some of them meanwhile
            known = np.union1d(known, _hashes_of(store, seen))
            chunk = np.setdiff1d(missing[start:stop], known, assume_unique=True)
            result.skipped += stop - start - len(chunk)
            texts = _texts([digest.decode() for digest in chunk.tolist()])
            if texts:
                encoded = encoder.encode(list(texts.values()))
                store.add(list(texts), encoded.vectors)
                result.done += len(texts)
                result.tokens += encoded.tokens
                result.cut += encoded.num_cut
            report(stop, total, rows=result.done, tokens=result.tokens)
    if store is not None:
        _register(model, store.dimension)
        # gathered here, so that no page has to
        store.load()
        result.warnings += store.damaged
    result.seconds = round(time.monotonic() - started, 3)
    return result


def count_missing() -> tuple[int, float]:
    """(texts without a vector of the model that is set, characters a question); checks every stored vector."""
    wanted = _wanted()
    missing = np.setdiff1d(wanted, _hashes_of(_known_store(find_model()), set()), assume_unique=True)
    some = Question.objects.order_by("pk")[:1_000].values("pk")
    mean: float | None = Question.objects.filter(pk__in=some).aggregate(mean=Avg(Length("text")))["mean"]
    return len(missing), mean or 0.0


def current_model() -> VectorModel:
    """The model whose vectors are used: of those of EMBEDDING_MODEL and EMBEDDING_PRECISION, the one used last.

    Needs neither the model nor its library.

    Raises:
        NotFoundError: nothing was embedded with it.
    """
    named = VectorModel.objects.filter(name=settings.EMBEDDING_MODEL, precision=settings.EMBEDDING_PRECISION)
    found = named.order_by("-used_at", "-pk").first()
    if found is None:
        raise NotFoundError(
            f"no question was embedded with {settings.EMBEDDING_MODEL} ({settings.EMBEDDING_PRECISION}) yet; "
            "run: python manage.py annotate embeddings"
        )
    return found


def store_of(model: VectorModel) -> VectorStore:
    """Where the model's vectors are."""
    return VectorStore(settings.ARTIFACT_DIR / "vectors" / model.key, model.dimension)


def problem_hashes() -> dict[int, str]:
    """Problem's primary key -> the hash its vector is kept under: that of its text, as a question's is."""
    return {pk: question_hash(text) for pk, text in Problem.objects.order_by("pk").values_list("pk", "text")}


def question_hashes() -> np.ndarray:
    """Hashes of all questions, S16, sorted."""
    return _sorted_hashes(Question.objects.values_list("question_hash", flat=True).iterator(chunk_size=20_000))


def _wanted() -> np.ndarray:
    return np.union1d(question_hashes(), _sorted_hashes(problem_hashes().values()))


def _sorted_hashes(names: Iterable[str]) -> np.ndarray:
    return np.unique(np.fromiter((name.encode() for name in names), HASH))


def _hashes_of(store: VectorStore | None, seen: set[str]) -> np.ndarray:
    """Hashes of the chunks not seen yet, sorted."""
    if store is None:
        return np.empty(0, HASH)
    return np.unique(np.concatenate([np.empty(0, HASH), *store.new_hashes(seen)]))


def _known_store(model: SentenceModel) -> VectorStore | None:
    found = VectorModel.objects.filter(key=model.key).first()
    return None if found is None else store_of(found)


def _register(model: SentenceModel, dimension: int) -> VectorModel:
    values = {
        "name": model.name,
        "precision": model.precision,
        "dimension": dimension,
        "used_at": timezone.now(),
    }
    return VectorModel.objects.update_or_create(key=model.key, defaults=values)[0]


def _texts(hashes: Sequence[str]) -> dict[str, str]:
    """Hash -> text, sorted by hash; without those that were taken out of the pool meanwhile."""
    found = dict(Question.objects.filter(question_hash__in=hashes).values_list("question_hash", "text"))
    lacking = set(hashes) - found.keys()
    if lacking:
        texts = Problem.objects.values_list("text", flat=True)
        found |= {digest: text for text in texts if (digest := question_hash(text)) in lacking}
    return {digest: found[digest] for digest in hashes if digest in found}
