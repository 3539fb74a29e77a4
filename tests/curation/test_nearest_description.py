"""Domains by nearest description, and how far two methods agree."""

import numpy as np
import pytest

from curation.domains import domain_names
from curation.nearest_description import Agreement, agreement, codes_of_label, descriptions, nearest_descriptions


def test_every_domain_has_a_description_of_its_own() -> None:
    assert list(descriptions()) == list(domain_names())
    assert len(set(descriptions().values())) == 65
    assert descriptions()["11"] == "A problem in number theory"


def test_the_nearest_description_is_that_of_the_largest_cosine() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    questions = rng.normal(size=(40_000, 8)).astype(np.float32)
    described = rng.normal(size=(65, 8)).astype(np.float32)
    places, cosines = nearest_descriptions(questions, described)
    for row in (0, 16_383, 16_384, 39_999):
        scores = [float(questions[row] @ other) for other in described]
        assert places[row] == int(np.argmax(scores))
        assert cosines[row] == pytest.approx(max(scores), rel=1e-5)


@pytest.mark.parametrize(
    ("label", "codes"),
    [
        ("11", {"11"}),
        ("Number Theory", {"11"}),
        (" geometry ", {"51", "52"}),
        ("Math", set()),
        ("00 ", set()),
        ("", set()),
    ],
)
def test_a_label_means_its_code_or_a_known_subject_or_nothing_known(label: str, codes: set[str]) -> None:
    assert codes_of_label(label) == codes


def test_every_known_subject_means_domains_that_there_are() -> None:
    from curation.nearest_description import _subjects

    assert {code for codes in _subjects().values() for code in codes} <= set(domain_names())
    assert all(label == label.strip().lower() for label in _subjects())


def test_agreement_counts_what_can_be_compared_and_lists_the_largest_disagreements() -> None:
    found = agreement(
        [
            ("Number Theory", "11", 6),
            ("Geometry", "52", 2),
            ("Geometry", "74", 3),
            ("05", "60", 1),
            ("Math", "11", 9),
        ],
        most=1,
    )
    assert found == Agreement(compared=12, unknown=9, agreed=8, disagreements=[("Geometry", "74", 3)])
    assert found.share == pytest.approx(8 / 12)


def test_nothing_compared_is_no_share_of_zero() -> None:
    assert agreement([("Math", "11", 4)]).share is None
    assert agreement([]).to_json()["share"] is None
