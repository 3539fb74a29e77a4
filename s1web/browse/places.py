"""Where the questions of the columns lie on the newest map."""

from dataclasses import dataclass

import numpy as np

from curation.errors import NotFoundError
from curation.polygons import to_steps
from s1web.browse.columns import Columns
from s1web.vectors.queries import map_points


@dataclass(frozen=True)
class Places:
    """The questions that have a place.

    Attributes:
        rows: shape (n,), int64, ascending: of the columns.
        steps: shape (n, 2), uint16: to the right and down, see `curation.polygons`.
    """

    rows: np.ndarray
    steps: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


def places_of(columns: Columns) -> Places:
    """The places, read once for these columns: a map that is drawn anew makes another version of the pool.

    Raises:
        NotFoundError: no map was drawn, or its file is gone.
    """
    return columns.remember("places", lambda: _read(columns))


def _read(columns: Columns) -> Places:
    points = map_points()
    if points is None:
        raise NotFoundError("no map of the pool was drawn yet; run: python manage.py annotate map")
    if not len(points.hashes):
        return Places(np.empty(0, np.int64), np.empty((0, 2), np.uint16))
    # 16 hex digits each: in the order of their texts they are in that of their numbers
    known = np.frombuffer(bytes.fromhex(points.hashes.tobytes().decode()), ">u8").astype(np.uint64)
    spots = np.minimum(np.searchsorted(known, columns.hash), len(known) - 1)
    rows = np.flatnonzero(known[spots] == columns.hash)
    return Places(rows, to_steps(points.values[spots[rows]]))
