"""Saved views: a listing under a name, a person's own."""

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict

from curation.errors import ConfigError, NotFoundError
from s1web.browse import services
from s1web.browse.filters import Listing
from s1web.browse.services import delete_view, save_view, saved_views

from .conftest import listing


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("curator")


def test_a_saved_view_is_the_listing_without_the_place_in_it(user: User) -> None:
    asked = listing("small=wrong&tokens=5-&sort=-tokens&columns=hash&after=55.7")
    view = save_view(user, "  long   and hard ", asked)
    assert (view.name, str(view)) == ("long and hard", "long and hard")
    assert view.query == "small=wrong&tokens=5-&sort=-tokens&columns=hash"
    assert Listing.parse(QueryDict(view.query)).filter == asked.filter


def test_a_second_view_of_a_name_replaces_the_first(user: User) -> None:
    save_view(user, "mine", listing("small=wrong"))
    save_view(user, "mine", listing("small=right"))
    assert [(view.name, view.query) for view in saved_views(user)] == [("mine", "small=right")]


def test_views_are_a_persons_own(user: User) -> None:
    other = User.objects.create_user("other")
    save_view(user, "b", listing(""))
    save_view(user, "a", listing(""))
    save_view(other, "c", listing(""))
    assert [view.name for view in saved_views(user)] == ["a", "b"]
    with pytest.raises(NotFoundError, match="you have no view 'c'"):
        delete_view(user, "c")
    delete_view(user, "a")
    assert [view.name for view in saved_views(user)] == ["b"]


@pytest.mark.parametrize("name", ["", "  \n", "x" * 81])
def test_a_view_needs_a_short_name(user: User, name: str) -> None:
    with pytest.raises(ConfigError, match="give it a name of 1 to 80 characters"):
        save_view(user, name, listing(""))


def test_there_is_room_for_so_many_views(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MAX_VIEWS", 2)
    for name in ("a", "b", "b"):
        save_view(user, name, listing(""))
    with pytest.raises(ConfigError, match="2 views are saved"):
        save_view(user, "c", listing(""))
