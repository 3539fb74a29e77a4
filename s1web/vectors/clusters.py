"""Clusters of the pool: made, titled and stored; a question's cluster is the one of the newest clustering."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db import transaction

from curation.clustering import NUM_CLUSTERS, Clusters, k_means
from curation.titles import TermCounts, title
from s1web import bulk
from s1web.pool.models import Question
from s1web.pool.version import bump
from s1web.progress import Report, ignore
from s1web.vectors.arrays import EmbeddedPool, embedded_pool, write_values
from s1web.vectors.models import Cluster, Clustering, ClusterMember

WHAT = "clusters"
_TITLE_LENGTH = 300
_FETCH_ROWS = 2_000


@dataclass
class ClusteringResult:
    """What a run did: questions in clusters, questions left out as they have no vector."""

    clustering: int
    done: int
    skipped: int
    k: int
    seed: int
    inertia: float
    clusters: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)


def make_clusters(
    num_clusters: int = NUM_CLUSTERS, *, seed: int = 0, on_progress: Report | None = None
) -> ClusteringResult:
    """Cluster all questions that have a vector.

    The same vectors and seed give the same clusters, in whatever order the questions were loaded.

    Raises:
        NotFoundError: no question has a vector.
        ConfigError: more clusters than questions.
    """
    started = time.monotonic()
    report = on_progress or ignore
    pool = embedded_pool()
    report(0, len(pool))
    clusters = k_means(pool.vectors, num_clusters, seed=seed)
    terms = _terms(pool, clusters, report)
    digest = write_values(pool.model, WHAT, pool.hashes, clusters.assignment)
    stored = _store(pool, clusters, terms, digest=digest, seed=seed)
    report(len(pool), len(pool), rows=len(pool))
    result = ClusteringResult(
        clustering=stored.pk,
        done=len(pool),
        skipped=pool.num_missing,
        k=len(clusters.centres),
        seed=seed,
        inertia=round(clusters.inertia, 3),
        clusters=[
            {"number": number, "title": name, "size": size}
            for number, name, size in stored.clusters.order_by("number").values_list("number", "title", "size")
        ],
    )
    if result.k < num_clusters:
        result.warnings.append(f"{num_clusters - result.k} of {num_clusters} clusters would have held nothing")
    if pool.num_missing:
        result.warnings.append(f"{pool.num_missing:,} questions have no vector yet; annotate embeddings makes them")
    result.seconds = round(time.monotonic() - started, 3)
    return result


def _terms(pool: EmbeddedPool, clusters: Clusters, report: Report) -> list[list[str]]:
    """The most telling terms of each cluster; reads every question's text once, in the order of the table."""
    order = np.argsort(pool.pks)
    counts = TermCounts(len(clusters.centres))
    for start in range(0, len(order), _FETCH_ROWS):
        places = order[start : start + _FETCH_ROWS]
        pks = pool.pks[places]
        rows = Question.objects.filter(pk__gte=pks[0], pk__lte=pks[-1]).values_list("pk", "text")
        texts = dict(rows.iterator(chunk_size=_FETCH_ROWS))
        for pk, cluster in zip(pks.tolist(), clusters.assignment[places].tolist(), strict=True):
            if pk in texts:
                counts.add(cluster, [texts[pk]])
        report(start + len(places), len(pool))
    return counts.most_telling()


@transaction.atomic
def _store(
    pool: EmbeddedPool, clusters: Clusters, terms: Sequence[Sequence[str]], *, digest: str, seed: int
) -> Clustering:
    bulk.take_turn()
    # the same run again is one clustering, and the newest
    Clustering.objects.filter(model=pool.model, digest=digest, seed=seed, k=len(clusters.centres)).delete()
    clustering = Clustering.objects.create(
        model=pool.model,
        k=len(clusters.centres),
        seed=seed,
        inertia=clusters.inertia,
        num_questions=len(pool),
        digest=digest,
    )
    made = Cluster.objects.bulk_create(
        Cluster(
            clustering=clustering,
            number=number,
            size=int(size),
            title=title(terms[number], number)[:_TITLE_LENGTH],
            terms=list(terms[number]),
        )
        for number, size in enumerate(clusters.sizes)
    )
    ClusterMember.objects.all()._raw_delete(using=ClusterMember.objects.db)
    bulk.insert(
        ClusterMember,
        ("question_id", "cluster_id"),
        ((pk, made[number].pk) for pk, number in zip(pool.pks.tolist(), clusters.assignment.tolist(), strict=True)),
    )
    bump()
    return clustering
