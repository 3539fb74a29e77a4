"""All points of the map in one answer: a head in JSON, then ten bytes a point.

    uint32, little-endian: length of the head in bytes, a multiple of 4
    the head: {"num", "arrays": [[name, type]...], "colours": {name: [{label, query, ink, count, at}...]}}, and spaces
    the arrays one after another, little-endian, each of `num` values

`marks` are bits: in the hard pool, in the selection, within the filter. `at` is the middle of a cluster's points.
"""

import gzip
import hashlib
import json
from typing import Any

import numpy as np

from s1web.atlas.asked import COLOURS, Asked
from s1web.atlas.colouring import Colouring, colouring
from s1web.atlas.layers import Layers, read_layers
from s1web.browse.columns import Columns
from s1web.browse.matching import match
from s1web.browse.places import Places, places_of

IS_HARD, IS_CHOSEN, IS_WITHIN = 1, 2, 4
# bump when the form of the answer changes: browsers keep what they have as long as its tag is the same
FORMAT = 1
_LEVEL = 5


def tag_of(columns: Columns, asked: Asked, layers: Layers) -> str:
    """Changes with whatever the points depend on; the map that was drawn last is part of the pool's version."""
    facts = (
        *(FORMAT, columns.version, layers.run and layers.run.pk, layers.chosen and layers.chosen.pk),
        asked.listing.query(),
    )
    return f'"{hashlib.sha256(repr(facts).encode()).hexdigest()[:32]}"'


def packed_points(columns: Columns, asked: Asked, tag: str) -> bytes:
    """The answer, compressed (gzip); kept for the next who asks.

    Raises:
        ConfigError, NotFoundError: a value that this pool does not have, or no map.
    """
    return columns.recent.get(("points", tag), lambda: gzip.compress(pack(columns, asked), _LEVEL, mtime=0))


def pack(columns: Columns, asked: Asked) -> bytes:
    """The answer as it stands above."""
    places = places_of(columns)
    layers = read_layers(columns, asked.chosen)
    rows = places.rows
    within = match(columns, asked.filter).matches()
    is_within = np.ones(len(rows), bool) if within is None else within[rows]
    marks = layers.hard[rows] * np.uint8(IS_HARD)
    marks |= layers.selected[rows] * np.uint8(IS_CHOSEN)
    marks |= is_within * np.uint8(IS_WITHIN)
    colourings = [colouring(columns, name) for name in COLOURS]
    arrays: list[tuple[str, np.ndarray]] = [
        ("x", places.steps[:, 0].astype("<u2")),
        ("y", places.steps[:, 1].astype("<u2")),
        *((found.name, found.codes[rows]) for found in colourings),
        ("marks", marks),
    ]
    head = {
        "num": len(rows),
        "arrays": [[name, array.dtype.name] for name, array in arrays],
        "colours": {found.name: _entries(found, places, rows[is_within]) for found in colourings},
    }
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    return b"".join([len(text).to_bytes(4, "little"), text, *(array.tobytes() for _, array in arrays)])


def _entries(found: Colouring, places: Places, rows_within: np.ndarray) -> list[dict[str, Any]]:
    counts = found.counts(rows_within)
    middles = _middles(found, places) if found.name == "cluster" else {}
    return [
        {"label": entry.label, "query": entry.query, "ink": entry.ink, "count": counts[place]}
        | ({"at": middles[place]} if place in middles else {})
        for place, entry in enumerate(found.entries)
    ]


def _middles(found: Colouring, places: Places) -> dict[int, list[int]]:
    """The median place of each entry that stands for one cluster."""
    codes = found.codes[places.rows]
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(found.entries) + 1))
    return {
        place: [int(middle) for middle in np.median(places.steps[order[starts[place] : starts[place + 1]]], axis=0)]
        for place, entry in enumerate(found.entries)
        if entry.query and entry.ink != "missing" and starts[place] < starts[place + 1]
    }
