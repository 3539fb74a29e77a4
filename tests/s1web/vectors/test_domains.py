"""Domains by nearest description: beside the imported ones, in their place only where asked and nothing else is."""

from pathlib import Path

import pytest

from curation.errors import ConflictError
from curation.nearest_description import METHOD
from s1web.pool.models import Question
from s1web.pool.version import pool_version
from s1web.vectors import domains, queries
from s1web.vectors.domains import FILL, IMPORTED, UNFILL, label_domains
from s1web.vectors.embedding import embed_pool
from s1web.vectors.models import DomainLabel
from tests.s1web.pools import find, load_rows

TEXTS = {
    "Find the remainder when the prime p divides n and the greatest common divisor of two integers.": "11",
    "How many moles of oxygen react with the alkane in this chemical equation?": "98",
    "A question of quantum mechanics: the spin of an electron and its wave function.": "Physics",
    "What is the derivative of this ordinary differential equation's solution?": "",
    "Two planets orbit a star; a telescope measures the star's brightness.": "",
}


@pytest.fixture
def labelled(db: None, tmp_path: Path) -> list[str]:
    """Five questions with vectors: two imported codes, one imported name, two without a domain."""
    load_rows(tmp_path, [{"question": text, "domain": domain} for text, domain in TEXTS.items()])
    embed_pool()
    return list(TEXTS)


def labels(method: str) -> dict[str, str]:
    return dict(DomainLabel.objects.filter(method=method).values_list("question__text", "code"))


def own_domains() -> dict[str, str]:
    return dict(Question.objects.values_list("text", "domain"))


def test_every_question_gets_a_label_and_its_domain_stays(labelled: list[str]) -> None:
    before = pool_version()
    result = label_domains()
    assert (result.done, result.skipped, result.filled, result.method) == (5, 0, 0, "nearest description")
    found = labels(METHOD)
    assert found[labelled[0]] == "11"
    assert found[labelled[1]] == "98"
    assert found[labelled[3]] == "34"
    assert found[labelled[4]] == "85"
    assert own_domains() == TEXTS
    assert labels(IMPORTED) == {text: domain for text, domain in TEXTS.items() if domain}
    assert pool_version() != before
    scores = DomainLabel.objects.filter(method=METHOD).values_list("score", flat=True)
    assert all(0 < score < 1 for score in scores)


def test_agreement_with_the_imported_domains_is_computed(labelled: list[str]) -> None:
    Question.objects.filter(text=labelled[1]).update(domain="05")
    result = label_domains()
    assert result.agreement == {
        "compared": 2,
        "unknown": 1,
        "agreed": 1,
        "share": 0.5,
        "disagreements": [{"first": "05", "second": "98", "questions": 1}],
    }
    turned = queries.domain_agreement(METHOD, IMPORTED)
    assert (turned.compared, turned.agreed, turned.disagreements) == (2, 1, [("98", "05", 1)])
    assert queries.domain_methods() == [("imported", 3), ("nearest description", 5)]


def test_filling_gives_a_domain_to_those_without_and_can_be_taken_back(labelled: list[str]) -> None:
    assert label_domains(FILL).filled == 2
    assert own_domains() == TEXTS | {labelled[3]: "34", labelled[4]: "85"}
    # what was filled is not taken for imported
    assert set(labels(IMPORTED)) == set(labelled[:3])
    assert label_domains().filled == 2
    assert set(labels(IMPORTED)) == set(labelled[:3])
    assert own_domains()[labelled[4]] == "85"
    assert label_domains(UNFILL).filled == 0
    assert own_domains() == TEXTS
    assert not DomainLabel.objects.filter(is_filled=True).exists()


def test_what_was_filled_follows_the_method(labelled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    label_domains(FILL)
    swapped = dict(domains.descriptions())
    swapped["34"], swapped["99"] = swapped["99"], swapped["34"]
    monkeypatch.setattr(domains, "descriptions", lambda: swapped)
    assert label_domains().filled == 2
    assert own_domains()[labelled[3]] == labels(METHOD)[labelled[3]] == "99"
    assert own_domains()[labelled[0]] == "11"


def test_a_domain_that_somebody_else_changed_is_no_longer_filled(labelled: list[str]) -> None:
    label_domains(FILL)
    Question.objects.filter(text=labelled[4]).update(domain="83")
    assert label_domains(UNFILL).filled == 0
    assert own_domains() == TEXTS | {labelled[4]: "83"}
    assert labels(IMPORTED)[labelled[4]] == "83"


def test_labels_of_other_methods_stay(labelled: list[str]) -> None:
    judged = DomainLabel.objects.create(question=find(labelled[0]), method="judge-1", code="13")
    label_domains(FILL)
    assert DomainLabel.objects.get(pk=judged.pk).code == "13"
    assert [name for name, _ in queries.domain_methods()] == ["imported", "judge-1", "nearest description"]


def test_descriptions_are_embedded_once(labelled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    label_domains()

    def fail(*args: object) -> None:
        raise AssertionError("the model was asked again")

    monkeypatch.setattr(domains, "load_encoder", fail)
    assert label_domains().done == 5


def test_descriptions_of_another_model_are_not_compared_with(
    labelled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    real = domains.find_model
    monkeypatch.setattr(domains, "find_model", lambda: replace(real(), key="another-fast-000000000000"))
    with pytest.raises(ConflictError, match=r"the vectors are of gt-all.*; run annotate embeddings first"):
        label_domains()
    assert not DomainLabel.objects.exists()
