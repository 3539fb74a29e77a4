"""Deciding on many questions at once, and taking that back."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models.functions import Now

from curation.errors import ConfigError, ConflictError, NotFoundError
from s1web import bulk
from s1web.pool.models import Question
from s1web.pool.version import bump
from s1web.review.models import ChangedQuestion, ReviewChange, ReviewState
from s1web.review.rights import demand_undo

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NOT_REVIEWED = ""
STATES = (*ReviewState.State.values, NOT_REVIEWED)
_PIECE = 5_000


def check_state(state: str) -> None:
    """Refuse what is none of STATES.

    Raises:
        ConfigError: with those that there are.
    """
    if state not in STATES:
        raise ConfigError(f"{state!r:.60} is no review state; there are {', '.join(filter(None, STATES))}")


@transaction.atomic
def decide(
    pieces: Iterable[Sequence[int]], state: str, *, user: "User | None" = None, scope: str = ""
) -> ReviewChange:
    """Give questions a state, whole or not at all.

    Args:
        pieces: their keys, piece by piece; keys that the pool does not have are passed over.
        state: one of STATES.
        scope: which questions these are, as a query of the pool page; empty where picked by hand.

    Raises:
        ConfigError: no such state.
        ConflictError: none of the questions would change.
    """
    check_state(state)
    bulk.take_turn()
    change = ReviewChange.objects.create(state=state, scope=scope, made_by=user)
    for piece in _pieces(pieces):
        before = _states(piece)
        changed = [(pk, old) for pk, old in before.items() if old != state]
        bulk.insert(
            ChangedQuestion, ("change_id", "question_id", "before"), ((change.pk, pk, old) for pk, old in changed)
        )
        _set({pk: state for pk, _ in changed})
        change.num_questions += len(changed)
    if not change.num_questions:
        raise ConflictError(f"every one of these questions is {state or 'not reviewed'} already; nothing was changed")
    change.save(update_fields=["num_questions"])
    bump()
    return change


def undo_as(user: "User", pk: int) -> ReviewChange:
    """Take a change back in a user's name, if he may: his own, or with a higher role anybody's.

    Raises:
        NotFoundError, ConflictError: see `undo`.
        PermissionDenied: it is not for this user to take it back.
    """
    change = ReviewChange.objects.filter(pk=pk).first()
    if change is None:
        raise _no_change(pk)
    demand_undo(user, change)
    return undo(pk, user)


@transaction.atomic
def undo(pk: int, user: "User | None" = None) -> ReviewChange:
    """Give the questions of a change the states that they had before; those changed again since keep theirs.

    Raises:
        NotFoundError: there is no such change.
        ConflictError: it was taken back already.
    """
    bulk.take_turn()
    if not ReviewChange.objects.filter(pk=pk, undone_at=None).update(undone_at=Now(), undone_by=user):
        if ReviewChange.objects.filter(pk=pk).exists():
            raise ConflictError(f"change {pk} was taken back already")
        raise _no_change(pk)
    change = ReviewChange.objects.get(pk=pk)
    # of those that a later change touched, that one decides, whatever it decided
    later = ChangedQuestion.objects.filter(change__pk__gt=pk, change__undone_at=None).values("question_id")
    befores = change.questions.exclude(question_id__in=later).values_list("question_id", "before")
    piece: dict[int, str] = {}
    for question, before in befores.order_by("pk").iterator(chunk_size=_PIECE):
        piece[question] = before
        if len(piece) == _PIECE:
            _set(piece)
            change.num_restored += len(piece)
            piece = {}
    _set(piece)
    change.num_restored += len(piece)
    change.save(update_fields=["num_restored"])
    bump()
    return change


def _no_change(pk: int) -> NotFoundError:
    return NotFoundError(f"there is no change {pk}; it may have gone with its questions")


def _pieces(pieces: Iterable[Sequence[int]]) -> Iterable[list[int]]:
    for piece in pieces:
        for start in range(0, len(piece), _PIECE):
            yield sorted(set(piece[start : start + _PIECE]))


def _states(pks: Sequence[int]) -> dict[int, str]:
    """Question -> its state; of those alone that the pool has."""
    states = dict.fromkeys(Question.objects.filter(pk__in=pks).values_list("pk", flat=True), NOT_REVIEWED)
    return states | dict(ReviewState.objects.filter(pk__in=pks).values_list("pk", "state"))


def _set(states: dict[int, str]) -> None:
    if not states:
        return
    ReviewState.objects.filter(pk__in=list(states)).delete()
    by_state: dict[str, list[int]] = defaultdict(list)
    for pk, state in states.items():
        by_state[state].append(pk)
    for state, pks in by_state.items():
        if state != NOT_REVIEWED:
            bulk.insert(ReviewState, ("question_id", "state"), ((pk, state) for pk in pks))
