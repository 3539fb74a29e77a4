"""What pages read of reviews."""

from typing import TYPE_CHECKING

from s1web.review.models import ReviewChange

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NUM_CHANGES = 50


def newest_changes(most: int = NUM_CHANGES) -> list[ReviewChange]:
    """Changes of review states, the newest first."""
    return list(ReviewChange.objects.select_related("made_by", "undone_by").order_by("-pk")[:most])


def last_change_of(user: "User") -> ReviewChange | None:
    """What a user changed last, if it still stands."""
    change = ReviewChange.objects.filter(made_by=user).order_by("-pk").first()
    return change if change and change.undone_at is None else None
