"""What the map is asked for: layers, colour, a selection, the order of its table, and the pool's own filter."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from django.http import QueryDict

from curation.errors import ConfigError
from s1web.browse.filters import Filter, Listing

LAYERS = ("pool", "hard", "selection")
COLOURS = ("cluster", "domain", "source", "length", "verdict")
ORDERS = ("number", "size", "hard", "selected", "tokens", "ratio")
_OWN = ("layer", "colour", "chosen", "order")


@dataclass(frozen=True)
class Asked:
    """The address of the map.

    Attributes:
        layers: which are drawn, in the order in which they lie on one another.
        colour: what points are coloured by.
        chosen: name of the selection that is the third layer; "" is the newest.
        order: of the table of clusters; what it asks for comes with the most first, the number from 0.
        listing: of the pool page that the map belongs to, without place and area; questions that its filter leaves
            out are drawn faint.
        area: a polygon, see `curation.polygons`; "" is none.
    """

    layers: tuple[str, ...] = LAYERS
    colour: str = "cluster"
    chosen: str = ""
    order: str = "number"
    listing: Listing = field(default_factory=Listing)
    area: str = ""

    @classmethod
    def parse(cls, query: QueryDict) -> "Asked":
        """Read the part of an address behind the question mark.

        Raises:
            ConfigError: a name that is none, or a value that it cannot have.
        """
        of_pool = query.copy()
        for name in _OWN:
            of_pool.pop(name, None)
        listing = Listing.parse(of_pool)
        area = listing.filter.area
        layers = _known("layer", query.getlist("layer"), LAYERS)
        return cls(
            layers=tuple(name for name in LAYERS if name in layers) or LAYERS,
            colour=_known("colour", [query.get("colour") or cls.colour], COLOURS)[0],
            chosen=query.get("chosen") or "",
            order=_known("order", [query.get("order") or cls.order], ORDERS)[0],
            listing=replace(listing, filter=replace(listing.filter, area=""), after="", before=""),
            area=area,
        )

    @property
    def filter(self) -> Filter:
        return self.listing.filter

    def query(self, **changes: str) -> str:
        """The address's part behind the question mark; `changes` are made first."""
        asked = replace(self, **changes)  # type: ignore[arg-type]
        pairs = [*asked._own_pairs()]
        conditions = replace(asked.filter, area=asked.area)
        return "&".join(
            part for part in (urlencode(pairs), replace(asked.listing, filter=conditions).query()) if part
        )

    def _own_pairs(self) -> Iterator[tuple[str, str]]:
        if self.layers != LAYERS:
            yield from (("layer", name) for name in self.layers)
        for name in ("colour", "chosen", "order"):
            value = getattr(self, name)
            if value != getattr(Asked, name):
                yield name, value

    def own_query(self) -> str:
        """The part that is the map's own, without the pool's."""
        return urlencode(list(self._own_pairs()))


def _known(name: str, values: Sequence[str], allowed: Sequence[str]) -> Sequence[str]:
    for value in values:
        if value not in allowed:
            raise ConfigError(f"{name}={value[:60]!r} is not known; allowed are {', '.join(allowed)}")
    return values
