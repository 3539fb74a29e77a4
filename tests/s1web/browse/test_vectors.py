"""What is computed from embeddings can be asked for: clusters as a facet, and what is like a question."""

from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.utils import timezone

from s1web.browse.counting import FacetCounts
from s1web.browse.filters import Filter
from s1web.browse.queries import neighbours, read_counts, read_page
from s1web.pool.models import Question
from s1web.pool.version import bump
from s1web.vectors.embedding import store_of
from s1web.vectors.models import Cluster, Clustering, ClusterMember, VectorModel
from s1web.vectors.search import nearest
from tests.s1web.pools import load_rows

from .conftest import listing


@pytest.fixture
def clustered(db: None, tmp_path: Path) -> None:
    """Twelve questions with invented vectors in two clusters, and a thirteenth that came later."""
    load_rows(tmp_path, [{"question": f"Q{n}?"} for n in range(12)], "early")
    questions = list(Question.objects.order_by("pk"))
    model = VectorModel.objects.create(
        key="invented",
        name=settings.EMBEDDING_MODEL,
        precision=settings.EMBEDDING_PRECISION,
        dimension=8,
        used_at=timezone.now(),
    )
    vectors = np.random.Generator(np.random.PCG64(0)).normal(size=(12, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    store_of(model).add([question.question_hash for question in questions], vectors)
    clustering = Clustering.objects.create(model=model, k=2, seed=0, inertia=1, num_questions=12, digest="invented")
    made = [
        Cluster.objects.create(clustering=clustering, number=number, size=6, title=title)
        for number, title in enumerate(["rings, ideals", "birds, sea"])
    ]
    for place, question in enumerate(questions):
        ClusterMember.objects.create(question=question, cluster=made[place % 2])
    bump()
    load_rows(tmp_path, [{"question": "Late?"}], "late")


def clusters(counts: tuple[FacetCounts, ...]) -> dict[str, tuple[str, int]]:
    (facet,) = [facet for facet in counts if facet.name == "cluster"]
    return {value.value: (value.label, value.count) for value in facet.values}


def test_clusters_are_a_facet_with_their_titles(clustered: None) -> None:
    found = clusters(read_counts(Filter()).facets)
    titles = {str(m.cluster.number): m.cluster.title for m in ClusterMember.objects.select_related("cluster")}
    assert found == {number: (title, 6) for number, title in titles.items()} | {"none": ("no cluster", 1)}
    for number in ("0", "1"):
        page = read_page(listing(f"cluster={number}"))
        members = ClusterMember.objects.filter(cluster__number=int(number)).values_list("question_id", flat=True)
        assert {row.pk for row in page.rows} == set(members)
        assert {row.cluster for row in page.rows} == {int(number)}
        assert [(item.name, item.count) for item in page.hidden] == [("cluster", 1)]
    assert [row.text for row in read_page(listing("cluster=none")).rows] == ["Late?"]


def test_what_is_like_a_question_comes_nearest_first(clustered: None) -> None:
    question = Question.objects.order_by("pk")[0]
    asked = f"near={question.question_hash}"
    expected = [found.question_hash for found in nearest(question.question_hash, 50)]
    assert len(expected) == 11
    rows = read_page(listing(asked)).rows
    assert [row.question_hash for row in rows] == expected
    assert [row.question_hash for row in read_page(listing(f"{asked}&sort=-near")).rows] == expected[::-1]
    assert [row.pk for row in read_page(listing(f"{asked}&sort=pool")).rows] == sorted(row.pk for row in rows)
    first = read_page(listing(asked), 4)
    second = read_page(listing(f"{asked}&after={first.after}"), 4)
    assert [row.question_hash for row in second.rows] == expected[4:8]
    assert neighbours(listing(asked), expected[5]).following == expected[6]
    in_one = read_page(listing(f"{asked}&cluster={rows[0].cluster}")).rows
    assert [row.question_hash for row in in_one] == [r.question_hash for r in rows if r.cluster == rows[0].cluster]
