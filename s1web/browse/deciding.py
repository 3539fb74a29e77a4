"""Deciding on rows of a list: on those picked, or on all of its filter; pages and programs alike."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from curation.errors import ConflictError, NotFoundError
from s1web.browse.filters import Listing
from s1web.browse.queries import count_matching, matching_pks
from s1web.pool.models import Question
from s1web.review.models import ReviewChange
from s1web.review.rights import demand_all
from s1web.review.services import check_state, decide

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MAX_PICKED = 200


class UnseenError(ConflictError):
    """All questions of a filter were to be decided on, but how many they are was not seen.

    Attributes:
        total: how many they are now.
    """

    def __init__(self, total: int, confirmed: int | None) -> None:
        was = "their number was not confirmed" if confirmed is None else f"{confirmed:,} were confirmed"
        super().__init__(
            f"{total:,} questions fulfil this filter now, and {was}; nothing was changed: look at them, "
            f"then confirm {total}"
        )
        self.total = total


def decide_on_picked(hashes: Sequence[str], state: str, *, user: "User") -> ReviewChange:
    """Give a state to questions that were picked one by one.

    Raises:
        ConflictError: none are picked, too many are, or none of them would change.
        NotFoundError: the pool does not have one of them.
        ConfigError: no such state.
    """
    check_state(state)
    if not hashes:
        raise ConflictError("no question is picked; tick some rows, or choose all of the filter")
    if len(hashes) > MAX_PICKED:
        raise ConflictError(
            f"{len(hashes):,} questions are picked; at most {MAX_PICKED} at a time, or all of a filter"
        )
    found = dict(Question.objects.filter(question_hash__in=hashes).values_list("question_hash", "pk"))
    for name in hashes:
        if name not in found:
            raise NotFoundError(f"the pool has no question {name[:40]!r}, it may be gone; nothing was changed")
    return decide([list(found.values())], state, user=user)


def decide_on_filter(listing: Listing, state: str, *, user: "User", confirmed: int | None) -> ReviewChange:
    """Give a state to all questions of a filter, if they are as many as were seen.

    Args:
        confirmed: how many they were when they were looked at; None is not seen yet.

    Raises:
        PermissionDenied: the user may not decide on so many at once.
        UnseenError: they are another number, or it was not seen.
        ConflictError: none of them would change.
        ConfigError, NotFoundError: no such state, or a value of the filter that this pool does not have.
    """
    demand_all(user)
    check_state(state)
    listing = replace(listing, after="", before="")
    # before anything waits for others who write; what changes until it is its turn is seen below
    _check(count_matching(listing), confirmed)
    return decide(_confirmed(listing, confirmed), state, user=user, scope=listing.query() or "all")


def _confirmed(listing: Listing, confirmed: int | None) -> Iterator[list[int]]:
    """The questions of a filter; read while nobody else writes, and refused once more if they are other ones."""
    pieces = list(matching_pks(listing))
    _check(sum(map(len, pieces)), confirmed)
    yield from pieces


def _check(total: int, confirmed: int | None) -> None:
    if confirmed != total:
        raise UnseenError(total, confirmed)
