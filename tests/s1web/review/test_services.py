"""Deciding on questions and taking it back: against a plain model of it, and at its edges."""

import random
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from curation.errors import ConfigError, ConflictError, NotFoundError
from s1web.pool.models import Question
from s1web.review.models import ReviewChange, ReviewState
from s1web.review.queries import last_change_of, newest_changes
from s1web.review.services import STATES, decide, undo
from tests.s1web.pools import load_rows


@pytest.fixture
def pks(db: None, tmp_path: Path) -> list[int]:
    load_rows(tmp_path, [{"question": f"Question {number}?"} for number in range(30)])
    return list(Question.objects.order_by("pk").values_list("pk", flat=True))


def states() -> dict[int, str]:
    return dict(ReviewState.objects.values_list("pk", "state"))


def test_questions_get_a_state_and_lose_it_again(pks: list[int]) -> None:
    assert decide([pks[:3], pks[3:5]], "keep").num_questions == 5
    assert states() == dict.fromkeys(pks[:5], "keep")
    # those alone that had another one are changed
    change = decide([pks[:7]], "drop", scope="small=wrong")
    assert (change.num_questions, change.state, change.scope) == (7, "drop", "small=wrong")
    assert decide([pks[:2]], "").num_questions == 2
    assert states() == dict.fromkeys(pks[2:7], "drop")
    assert [item.pk for item in newest_changes()] == sorted(ReviewChange.objects.values_list("pk", flat=True))[::-1]


def test_undone_changes_leave_what_was_before(pks: list[int]) -> None:
    decide([pks[:4]], "keep")
    change = decide([pks[2:8]], "drop")
    undone = undo(change.pk)
    assert (undone.num_restored, undone.undone_at is not None) == (6, True)
    assert states() == dict.fromkeys(pks[:4], "keep")


def test_what_was_decided_again_since_stays_as_it_was_decided_last(pks: list[int]) -> None:
    first = decide([pks[:4]], "keep")
    decide([pks[:2]], "drop")
    assert undo(first.pk).num_restored == 2
    assert states() == dict.fromkeys(pks[:2], "drop")


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_changes_undone_newest_first_ends_where_it_began(pks: list[int], seed: int) -> None:
    rng = random.Random(seed)
    history = [states()]
    made = []
    while len(made) < 12:
        try:
            made.append(decide([rng.sample(pks, rng.randint(1, 20))], rng.choice(STATES)))
        except ConflictError:
            continue
        history.append(states())
    for change, before in zip(reversed(made), reversed(history[:-1]), strict=True):
        undo(change.pk)
        assert states() == before


def test_keys_that_the_pool_does_not_have_are_passed_over(pks: list[int]) -> None:
    assert decide([[pks[0], 10**9]], "keep").num_questions == 1


def test_what_cannot_be_done_changes_nothing(pks: list[int]) -> None:
    decide([pks], "keep")
    with pytest.raises(ConfigError, match=r"'maybe' is no review state; there are keep, drop, unsure"):
        decide([pks], "maybe")
    with pytest.raises(ConflictError, match="every one of these questions is keep already"):
        decide([pks], "keep")
    with pytest.raises(ConflictError, match="nothing was changed"):
        decide([], "drop")
    assert ReviewChange.objects.count() == 1
    change = ReviewChange.objects.get()
    undo(change.pk)
    with pytest.raises(ConflictError, match=f"change {change.pk} was taken back already"):
        undo(change.pk)
    with pytest.raises(NotFoundError, match="there is no change 999"):
        undo(999)


def test_a_failure_half_way_leaves_nothing(pks: list[int]) -> None:
    def pieces():
        yield pks[:5]
        raise RuntimeError("away")

    with pytest.raises(RuntimeError):
        decide(pieces(), "keep")
    assert (states(), ReviewChange.objects.count()) == ({}, 0)


def test_the_last_change_is_ones_own_and_stands(pks: list[int]) -> None:
    user, other = User.objects.create(username="a"), User.objects.create(username="b")
    change = decide([pks[:2]], "keep", user=user)
    decide([pks[:2]], "drop", user=other)
    assert last_change_of(user) == change
    undo(change.pk, user)
    assert last_change_of(user) is None
