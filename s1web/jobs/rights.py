"""Who may do what with a job, in one place for pages to offer it and for actions to demand it."""

from typing import Any

from django.core.exceptions import PermissionDenied

from s1web.jobs.models import Job
from s1web.roles import Role, has_role, role_of

# trials use a worker up for nothing but a look, and exports carry the pool's texts out (design: operators' work)
_OPERATOR_KINDS = frozenset({"trial_cpu", "trial_gpu", "export_selection"})
# stopping what one started oneself needs no role
_BY_CREATOR = frozenset({"pause", "cancel"})
# in other people's way
_BY_OPERATOR = frozenset({"cancel", "move_up", "to_front"})


def role_for_kind(kind: str) -> Role:
    """The role that submits jobs of this kind, and has them run."""
    return Role.OPERATOR if kind in _OPERATOR_KINDS else Role.CURATOR


def may(user: Any, action: str, job: Job) -> bool:
    """Whether a user may do this to a job, whatever state it is in."""
    return (action in _BY_CREATOR and _is_own(user, job)) or has_role(user, _role_for(action, job))


def demand(user: Any, action: str, job: Job) -> None:
    """Refuse what a user may not do.

    Raises:
        PermissionDenied: with the role that is needed.
    """
    if not may(user, action, job):
        own = ", unless the job is your own" if action in _BY_CREATOR else ""
        _refuse(user, _role_for(action, job), own)


def demand_for_kind(user: Any, kind: str) -> None:
    """Refuse to submit a kind of job.

    Raises:
        PermissionDenied: with the role that is needed.
    """
    if not has_role(user, role_for_kind(kind)):
        _refuse(user, role_for_kind(kind))


def _role_for(action: str, job: Job) -> Role:
    return Role.OPERATOR if action in _BY_OPERATOR else role_for_kind(job.kind)


def _is_own(user: Any, job: Job) -> bool:
    return job.created_by_id is not None and job.created_by_id == user.pk


def _refuse(user: Any, needed: Role, unless: str = "") -> None:
    own = role_of(user)
    raise PermissionDenied(
        f"This needs the role {needed.value} or one above it{unless}; yours is {own.value if own else 'none'}. "
        "Ask an admin for it."
    )
