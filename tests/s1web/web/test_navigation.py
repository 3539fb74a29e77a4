"""The places of the site: only those that exist, the current one marked."""

import re
from dataclasses import replace

import pytest

from s1web import navigation
from s1web.icons import ICONS
from tests.s1web.web.conftest import SignedIn

OVERVIEW = navigation.PLACES[0]


def test_a_place_without_an_address_is_not_shown(monkeypatch):
    nowhere = replace(OVERVIEW, name="Nowhere", url_name="nowhere:list")
    monkeypatch.setattr(navigation, "PLACES", (OVERVIEW, nowhere))
    assert [entry.place.name for entry in navigation.entries("/")] == ["Overview"]


@pytest.mark.parametrize(
    ("path", "current"),
    [
        ("/", ["Overview"]),
        ("/sign-in/", ["In"]),
        ("/sign-in/deeper/", ["In"]),
        ("/sign-out/", ["Out"]),
        ("/jobs/", ["Jobs"]),
        ("/jobs/1/", ["Jobs"]),
        ("/jobs/new/", ["New"]),
        ("/jobs/new/curate/", ["New"]),
        ("/elsewhere/", []),
    ],
)
def test_the_deepest_place_that_holds_the_page_is_the_current_one(monkeypatch, path, current):
    places = (
        OVERVIEW,
        replace(OVERVIEW, name="In", url_name="sign-in"),
        replace(OVERVIEW, name="Out", url_name="sign-out"),
        replace(OVERVIEW, name="Jobs", url_name="jobs:list"),
        replace(OVERVIEW, name="New", url_name="jobs:new"),
    )
    monkeypatch.setattr(navigation, "PLACES", places)
    assert [entry.place.name for entry in navigation.entries(path) if entry.is_current] == current


def test_every_place_has_an_icon_and_a_key_of_its_own():
    assert all(place.icon in ICONS for place in navigation.PLACES)
    keys = [place.key for place in navigation.PLACES]
    assert len(set(keys)) == len(keys)


def test_a_page_shows_the_places_and_marks_one(signed_in: SignedIn):
    page = signed_in().get("/").content.decode()
    links = re.findall(r'<a class="nav__link" href="([^"]+)"[^>]*?( aria-current="page")?>', page)
    assert links[0] == ("/", ' aria-current="page"')
    assert [marked for _url, marked in links[1:]] == [""] * (len(links) - 1)
