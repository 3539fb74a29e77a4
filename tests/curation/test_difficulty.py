import pytest

from curation.difficulty import solved
from tests.factories import make_columns, make_question

GRADES = (None, False, True)
PAIRS = [(small, large) for small in GRADES for large in GRADES]


@pytest.mark.parametrize(
    ("drop_solved_by", "is_solved"),
    [
        (("small", "large"), lambda small, large: small is True or large is True),
        (("large", "small"), lambda small, large: small is True or large is True),
        (("small",), lambda small, large: small is True),
        (("large",), lambda small, large: large is True),
        ((), lambda small, large: False),
    ],
)
def test_a_question_is_solved_where_a_named_model_is_right_and_missing_is_not(drop_solved_by, is_solved):
    questions = [make_question(f"{pair}", small_grade=pair[0], large_grade=pair[1]) for pair in PAIRS]
    found = solved(make_columns(questions), drop_solved_by).tolist()
    assert found == [is_solved(*pair) for pair in PAIRS]


def test_the_grade_of_the_trace_does_not_matter():
    questions = [make_question(str(grade), trace_grade=grade) for grade in GRADES]
    assert not solved(make_columns(questions), ("small", "large")).any()


def test_an_empty_pool_has_nothing_solved():
    assert solved(make_columns([]), ("small", "large")).tolist() == []
