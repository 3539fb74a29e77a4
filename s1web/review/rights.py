"""Who may decide on what, in one place for pages to offer it and for pages and programs to be held to it."""

from typing import Any

from django.core.exceptions import PermissionDenied

from s1web.review.models import ReviewChange
from s1web.roles import Role, has_role

# of rows that were picked one by one, and of one's own changes
OWN_ROLE = Role.REVIEWER
# of all rows of a filter, and of what others decided
ALL_ROLE = Role.CURATOR


def demand_all(user: Any) -> None:
    """Refuse to decide on all questions of a filter.

    Raises:
        PermissionDenied: with the role that is needed.
    """
    if not has_role(user, ALL_ROLE):
        raise PermissionDenied(f"Deciding on all questions of a filter needs the role {ALL_ROLE.value}.")


def may_undo(user: Any, change: ReviewChange) -> bool:
    """Whether a user may take a change back, undone already or not."""
    return has_role(user, _role_to_undo(user, change))


def demand_undo(user: Any, change: ReviewChange) -> None:
    """Refuse to take a change back.

    Raises:
        PermissionDenied: with the role that is needed.
    """
    if may_undo(user, change):
        return
    needed = _role_to_undo(user, change)
    whose = "what others decided" if needed is ALL_ROLE else "a decision"
    raise PermissionDenied(f"Taking back {whose} needs the role {needed.value}.")


def _role_to_undo(user: Any, change: ReviewChange) -> Role:
    is_own = change.made_by_id is not None and change.made_by_id == user.pk
    return OWN_ROLE if is_own else ALL_ROLE
