"""The places of the site, in the order of the work: the one list that the frame shows."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse


@dataclass(frozen=True)
class Place:
    """An entry of the navigation; `key` follows `g` as its keyboard shortcut, `also` names further pages of it."""

    name: str
    url_name: str
    icon: str
    key: str
    also: tuple[str, ...] = ()


# one whose address does not resolve is not there yet and is not shown
PLACES = (
    Place("Overview", "overview", "overview", "o"),
    Place("Pool", "browse:pool", "pool", "p"),
    Place("Map", "atlas:map", "map", "m"),
    Place("Curate", "selections:curate", "curate", "c", also=("selections:runs", "selections:compare")),
    Place("Jobs", "jobs:list", "jobs", "j"),
    Place("Workers", "jobs:workers", "workers", "w"),
)


@dataclass(frozen=True)
class Entry:
    """A place with its address; `is_current` where the page shown belongs to it."""

    place: Place
    url: str
    is_current: bool


def entries(path: str) -> list[Entry]:
    """The navigation of the page at `path`; of the places that hold it, the deepest is the current one."""
    addresses = list(_addresses())
    roots = [(url, place) for place, url in addresses]
    roots += [(url, place) for place, _ in addresses for name in place.also if (url := address(name))]
    holding = [(len(url), place) for url, place in roots if path == url or (url != "/" and path.startswith(url))]
    current = max(holding, key=lambda item: item[0], default=(0, None))[1]
    return [Entry(place, url, place is current) for place, url in addresses]


def address(url_name: str) -> str | None:
    """Where a page without arguments is; None where the site has no such page."""
    try:
        return reverse(url_name)
    except NoReverseMatch:
        return None


def _addresses() -> Iterator[tuple[Place, str]]:
    for place in PLACES:
        url = address(place.url_name)
        if url is not None:
            yield place, url
