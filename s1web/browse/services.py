"""Saving views of the pool."""

from dataclasses import replace
from typing import TYPE_CHECKING

from curation.errors import ConfigError, NotFoundError
from s1web.browse.filters import Listing
from s1web.browse.models import SavedView

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MAX_NAME = 80
MAX_VIEWS = 200


def save_view(user: "User", name: str, listing: Listing) -> SavedView:
    """Keep a listing under a name, without the place in it; another one of that name is replaced.

    Raises:
        ConfigError: a name that is empty or too long, or too many views.
    """
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME:
        raise ConfigError(f"a view cannot be called {name[:90]!r}; give it a name of 1 to {MAX_NAME} characters")
    own = SavedView.objects.filter(user=user)
    if own.exclude(name=name).count() >= MAX_VIEWS:
        raise ConfigError(f"{MAX_VIEWS} views are saved, which is all there is room for; delete one first")
    query = replace(listing, after="", before="").query()
    return SavedView.objects.update_or_create(user=user, name=name, defaults={"query": query})[0]


def delete_view(user: "User", name: str) -> None:
    """Forget a view.

    Raises:
        NotFoundError: the user has none of that name.
    """
    deleted, _ = SavedView.objects.filter(user=user, name=name).delete()
    if not deleted:
        raise NotFoundError(f"you have no view {name[:80]!r}; it may have been deleted already")


def saved_views(user: "User") -> list[SavedView]:
    """The user's views by name."""
    return list(SavedView.objects.filter(user=user).order_by("name"))
