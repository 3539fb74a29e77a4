"""Vectors: k-means, look-ups and embedding, each beside the plain way on the same data in the same run."""

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

NUM_VECTORS, DIMENSION, NUM_CLUSTERS, NUM_ITERATIONS = 59_029, 384, 50, 25
NUM_QUERIES = 50


def measure(folder: Path, *, num_texts: int = 1_000, repeats: int = 5, vectors: Path | None = None) -> dict[str, Any]:
    """All of it; what it writes stays in `folder`.

    Args:
        num_texts: texts embedded, from the demo pool and made longer, so that lengths are those of s1's questions.
        repeats: k-means runs this often by turns with what it is compared with; a busy machine spoils some of them.
        vectors: an array (.npy) of vectors to use in place of invented ones.
    """
    data = np.load(vectors) if vectors else make_vectors()
    return {
        "k_means": k_means(data, repeats),
        "look_up": look_up(data, folder),
        "embedding": embedding(num_texts),
    }


def make_vectors(num_vectors: int = NUM_VECTORS, seed: int = 0) -> np.ndarray:
    """Vectors of length 1 around 400 directions, spread about as widely as those of real questions."""
    rng = np.random.Generator(np.random.PCG64(seed))
    directions = rng.normal(size=(400, DIMENSION)).astype(np.float32)
    data = directions[rng.integers(400, size=num_vectors)]
    data += 1.2 * rng.normal(size=data.shape).astype(np.float32)
    unit: np.ndarray = data / np.linalg.norm(data, axis=1, keepdims=True)
    return unit


def k_means(data: np.ndarray, repeats: int) -> dict[str, Any]:
    """Ours over all vectors, beside its matrix products alone and scikit-learn from k-means++."""
    from sklearn.cluster import KMeans

    from curation import clustering

    centres = data[:NUM_CLUSTERS].copy()
    seconds: dict[str, list[float]] = {"ours": [], "products": [], "sklearn": []}
    ours, theirs = [], []
    for seed in range(repeats):
        seconds["products"].append(_seconds(lambda: [data @ centres.T for _ in range(NUM_ITERATIONS)]))
        started = time.perf_counter()
        ours.append(clustering.k_means(data, NUM_CLUSTERS, seed=seed, num_iterations=NUM_ITERATIONS).inertia)
        seconds["ours"].append(time.perf_counter() - started)
        started = time.perf_counter()
        run = KMeans(NUM_CLUSTERS, init="k-means++", n_init=1, max_iter=NUM_ITERATIONS, tol=0, random_state=seed)
        theirs.append(float(run.fit(data).inertia_))
        seconds["sklearn"].append(time.perf_counter() - started)
    return {
        "vectors": list(data.shape),
        "clusters": NUM_CLUSTERS,
        "iterations": NUM_ITERATIONS,
        **{f"{name}_seconds": _summary(values) for name, values in seconds.items()},
        "times_the_products": round(min(seconds["ours"]) / min(seconds["products"]), 2),
        "times_sklearn": round(min(seconds["ours"]) / min(seconds["sklearn"]), 2),
        "inertia_over_sklearns": round(float(np.mean(ours) / np.mean(theirs)), 5),
    }


def look_up(data: np.ndarray, folder: Path) -> dict[str, Any]:
    """One question's neighbours among all, from files that were just opened, with numpy alone."""
    from curation.neighbours import nearest
    from s1web.vectors.store import VectorStore

    store = VectorStore(folder / "vectors", data.shape[1])
    names = [f"{number * 2654435761 % 2**64:016x}" for number in range(len(data))]
    for start in range(0, len(data), 512):
        store.add(names[start : start + 512], data[start : start + 512].astype(np.float32))
    gather = _seconds(store.load)
    found = VectorStore(store.folder, store.dimension).load()
    rows = np.random.Generator(np.random.PCG64(1)).integers(len(found), size=NUM_QUERIES)
    milliseconds = [1_000 * _seconds(partial(nearest, found.vectors, found.vectors[row], 20)) for row in rows]
    return {
        "vectors": len(found),
        "gathering_chunks_seconds": round(gather, 3),
        "milliseconds_best": round(min(milliseconds), 2),
        "milliseconds_median": round(median(milliseconds), 2),
        "milliseconds_95_percent": round(float(np.percentile(milliseconds, 95)), 2),
    }


def embedding(num_texts: int) -> dict[str, Any]:
    """Our fast engine, and the model's own precision, beside `SentenceTransformer.encode(texts)` as it comes."""
    _set_up()
    from dataclasses import replace

    from s1web.vectors.encoder import FULL, _load, find_model, load_encoder

    texts = make_texts(num_texts)
    model = find_model()
    plain = _load(model)
    own: list[np.ndarray] = []
    notes: list[str] = []
    fast = load_encoder(model, notes)
    full = load_encoder(replace(model, precision=FULL), notes)
    # by turns, so that what else the machine does falls on all of them
    encoded = fast.encode(texts)
    seconds = {
        "plain": [_seconds(lambda: own.append(plain.encode(texts, show_progress_bar=False))) for _ in range(1)],
        "fast": [_seconds(lambda: fast.encode(texts)) for _ in range(3)],
        "full": [_seconds(lambda: full.encode(texts)) for _ in range(1)],
    }
    seconds["plain"].append(_seconds(lambda: plain.encode(texts, show_progress_bar=False)))
    cosines = (encoded.vectors * own[0]).sum(axis=1) / np.linalg.norm(own[0], axis=1)
    rates = {name: round(num_texts / min(values), 1) for name, values in seconds.items()}
    return {
        "model": model.key,
        "engine": fast.engine,
        "texts": num_texts,
        "tokens_a_text": round(encoded.tokens / num_texts, 1),
        "per_second": rates,
        "times_plain": round(rates["fast"] / rates["plain"], 2),
        "full_times_plain": round(rates["full"] / rates["plain"], 2),
        "cosine_min": round(float(cosines.min()), 6),
        "notes": notes,
    }


def make_texts(num_texts: int, seed: int = 0) -> list[str]:
    """Questions of the demo pool put together to lengths like those of s1's: about 140 tokens, some beyond 256."""
    from curation.demo.pool import make_demo

    rng = np.random.Generator(np.random.PCG64(seed))
    questions = [str(row["question"]) for row in make_demo().rows]
    texts = []
    for length in np.minimum(rng.lognormal(5.6, 0.75, num_texts), 3_000):
        parts: list[str] = []
        while sum(map(len, parts)) < length:
            parts.append(questions[int(rng.integers(len(questions)))])
        texts.append(" ".join(parts)[: int(length)])
    return texts


def _set_up() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "s1web.settings")
    import django

    django.setup()


def _seconds(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _summary(values: Sequence[float]) -> dict[str, float]:
    return {"best": round(min(values), 3), "median": round(median(values), 3)}
