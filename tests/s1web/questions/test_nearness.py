"""What is like a question, by invented vectors: nearest first, with distance, the question itself left out."""

from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from curation.hashing import question_hash
from s1web.pool.models import Question
from s1web.questions.nearness import read_likeness
from s1web.vectors.embedding import store_of
from s1web.vectors.models import DomainLabel, SimilarPair, VectorModel
from tests.s1web.jobs.conftest import SignedIn
from tests.s1web.pools import find, load_problems, load_rows
from tests.s1web.questions.test_pages import page_of, words_of

# one angle a text: the further from zero, the further from "Q0?"
ANGLES = {"Q0?": 0.0, "Q1?": 0.9, "Q2?": 0.1, "Q3?<b>": 0.5, "P0?": 0.3, "P1?": 1.2}


@pytest.fixture
def embedded(db: None, tmp_path: Path) -> Question:
    """Four questions and two evaluation questions with vectors; the first question."""
    load_rows(tmp_path, [{"question": text, "source_type": "s"} for text in ANGLES if text.startswith("Q")])
    load_problems(tmp_path, {"a": "P0?", "b": "P1?"})
    model = VectorModel.objects.create(
        key="invented",
        name=settings.EMBEDDING_MODEL,
        precision=settings.EMBEDDING_PRECISION,
        dimension=2,
        used_at=timezone.now(),
    )
    vectors = np.array([[np.cos(angle), np.sin(angle)] for angle in ANGLES.values()], dtype=np.float32)
    store_of(model).add([question_hash(text) for text in ANGLES], vectors)
    SimilarPair.objects.create(question_a=find("Q0?"), question_b=find("Q2?"), cosine=0.995)
    return find("Q0?")


def test_neighbours_come_by_distance_without_the_question_itself(embedded: Question):
    likeness = read_likeness(embedded)
    assert likeness.problem == ""
    assert [(like.text, like.is_pair) for like in likeness.questions] == [
        ("Q2?", True),
        ("Q3?<b>", False),
        ("Q1?", False),
    ]
    expected = [1 - np.cos(ANGLES[like.text]) for like in likeness.questions]
    assert [like.distance for like in likeness.questions] == pytest.approx(expected, abs=1e-3)
    assert [(item.key, distance) for item, distance in likeness.problems] == [
        ("a", pytest.approx(1 - np.cos(0.3), abs=1e-3)),
        ("b", pytest.approx(1 - np.cos(1.2), abs=1e-3)),
    ]


def test_the_page_links_to_neighbours_and_shows_their_text_as_text(signed_in: SignedIn, embedded: Question):
    client = signed_in()
    address = reverse("questions:near", args=[embedded.question_hash])
    client.get(address)
    with CaptureQueriesContext(connection) as queries:
        page = str(client.get(address).content, "utf-8")
    assert f'href="/questions/{question_hash("Q2?")}/"' in page
    assert "Q3?&lt;b&gt;" in page
    assert "0.005 Q2? near-duplicate s" in words_of(page)
    assert len(queries) <= 13


def test_what_each_method_says_of_the_domain_stands_beside_the_domain(signed_in: SignedIn, embedded: Question):
    DomainLabel.objects.create(question=embedded, method="nearest description", code="11", score=0.4321)
    words = words_of(page_of(signed_in(), embedded))
    assert "By method 11 Number theory nearest description , 0.43" in words
