"""Who may do what: five roles, each with the rights of those before it, as Django groups of the same name."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, User
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponseBase

View = Callable[..., HttpResponseBase]
_KEPT = "_s1web_role"  # a request asks often: the answer stays on the user object, which lives as long


class Role(models.TextChoices):
    """In rising order. Who has no group is a viewer, a superuser an admin."""

    VIEWER = "viewer"  # reads every page
    REVIEWER = "reviewer"  # judges questions, overrules contamination
    CURATOR = "curator"  # curates, makes selections
    OPERATOR = "operator"  # jobs, money, exports
    ADMIN = "admin"  # users and settings

    @property
    def rank(self) -> int:
        return list(Role).index(self)


def role_of(user: AbstractBaseUser | AnonymousUser) -> Role | None:
    """The highest role of a user, read from the database once a request; None for who is not signed in."""
    if not user.is_authenticated or not user.is_active:
        return None
    assert isinstance(user, User)
    if user.is_superuser:
        return Role.ADMIN
    kept: Role | None = user.__dict__.get(_KEPT)
    if kept is None:
        names = set(user.groups.values_list("name", flat=True))
        kept = max((role for role in Role if role in names), key=lambda role: role.rank, default=Role.VIEWER)
        user.__dict__[_KEPT] = kept
    return kept


def has_role(user: AbstractBaseUser | AnonymousUser, role: Role | str) -> bool:
    """Whether a user has the rights of a role: the role itself or one above it."""
    own = role_of(user)
    return own is not None and own.rank >= Role(role).rank


def role_required(role: Role | str) -> Callable[[View], View]:
    """A view for a role and those above it; to others the 403 page says which one is needed."""
    needed = Role(role)

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not has_role(request.user, needed):
                own = role_of(request.user)
                raise PermissionDenied(
                    f"This needs the role {needed.value} or one above it; yours is {own.value if own else 'none'}. "
                    "Ask an admin for it."
                )
            return view(request, *args, **kwargs)

        return checked

    return decorate


def set_role(user: User, role: Role | str) -> None:
    """Give a user this role in place of the one before; groups that are no roles stay."""
    user.groups.remove(*user.groups.filter(name__in=Role.values))
    user.groups.add(Group.objects.get_or_create(name=Role(role).value)[0])
    user.__dict__.pop(_KEPT, None)
