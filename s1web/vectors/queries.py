"""What pages read of clusters, map, pairs and labels; nothing here writes, and none of it needs FAISS or torch."""

from dataclasses import dataclass

from django.db.models import Count, Q

from curation.nearest_description import Agreement, agreement
from s1web.vectors.arrays import HashedArray, read_values
from s1web.vectors.models import Cluster, Clustering, DomainLabel, PoolMap, SimilarPair


@dataclass(frozen=True)
class Similar:
    """The other question of a pair, and how near it is."""

    question: int
    question_hash: str
    cosine: float


def newest_clustering() -> Clustering | None:
    """The clustering that `ClusterMember` stands for; None where nothing was clustered."""
    return Clustering.objects.order_by("-pk").first()


def list_clusters() -> list[Cluster]:
    """The clusters of the newest clustering, the largest first."""
    newest = newest_clustering()
    return [] if newest is None else list(newest.clusters.order_by("number"))


def cluster_numbers(clustering: Clustering) -> HashedArray:
    """The cluster of each question, as numbers, for any clustering that was made.

    Raises:
        NotFoundError: its file is gone.
    """
    return read_values(clustering.model, "clusters", clustering.digest)


def map_points() -> HashedArray | None:
    """Places of shape (n, 2), 0 to 1, of the newest map; None where none was drawn.

    Raises:
        NotFoundError: its file is gone.
    """
    newest = PoolMap.objects.select_related("model").order_by("-pk").first()
    return None if newest is None else read_values(newest.model, "map", newest.digest)


def similar_questions(question: int, most: int = 20) -> list[Similar]:
    """The questions that make a pair with one (its primary key), the nearest first; one query."""
    pairs = SimilarPair.objects.filter(Q(question_a=question) | Q(question_b=question)).order_by("-cosine", "pk")
    fields = ("question_a_id", "question_a__question_hash", "question_b_id", "question_b__question_hash", "cosine")
    return [
        Similar(b, b_hash, cosine) if a == question else Similar(a, a_hash, cosine)
        for a, a_hash, b, b_hash, cosine in pairs.values_list(*fields)[:most]
    ]


def domain_methods() -> list[tuple[str, int]]:
    """The methods that labelled domains, by name, each with how many questions it labelled."""
    attached = DomainLabel.objects.filter(question__isnull=False)
    return list(attached.order_by("method").values_list("method").annotate(count=Count("pk")))


def domain_agreement(first: str, second: str, *, most: int = 10) -> Agreement:
    """How far two methods agree on the questions that both have labelled."""
    both = DomainLabel.objects.filter(method=first, question__domain_labels__method=second)
    counted = both.values_list("code", "question__domain_labels__code").annotate(count=Count("pk"))
    return agreement(counted.order_by("code", "question__domain_labels__code"), most=most)
