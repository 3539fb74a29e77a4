"""Areas of the map: which points lie in a polygon, in whole numbers, so that a browser counts the very same points.

A place has 65,536 steps each way, a corner 1,001. Both become whole numbers on one finer grid, on which every product
stays below 2**53: what is exact here is exact in JavaScript's numbers too.
"""

import re

import numpy as np

from curation.errors import ConfigError

# steps of a place and of a corner along one side of the map
PLACE_STEPS, CORNER_STEPS = 65_535, 1_000
MIN_CORNERS, MAX_CORNERS = 3, 100
_CORNER = re.compile(r"(0|[1-9][0-9]{0,3})_(0|[1-9][0-9]{0,3})")

Corner = tuple[int, int]


def parse_polygon(text: str) -> tuple[Corner, ...]:
    """`120_340-560_340-300_800`: corners x_y in thousandths of the map's side, from the upper left, in order.

    Written without a sign that an address would have to escape.

    Raises:
        ConfigError: another form, a corner outside of the map, too few corners or too many.
    """
    corners: list[Corner] = []
    for part in text.split("-")[: MAX_CORNERS + 1]:
        match = _CORNER.fullmatch(part)
        if match is None or max(int(match[1]), int(match[2])) > CORNER_STEPS:
            raise ConfigError(
                f"area={text[:60]!r} has the corner {part[:20]!r}; a corner is x_y, both from 0 to {CORNER_STEPS:,}, "
                "such as area=120_340-560_340-300_800"
            )
        corners.append((int(match[1]), int(match[2])))
    if not MIN_CORNERS <= len(corners) <= MAX_CORNERS:
        many = f"more than {MAX_CORNERS}" if len(corners) > MAX_CORNERS else str(len(corners))
        raise ConfigError(f"area has {many} corners; give {MIN_CORNERS} to {MAX_CORNERS}")
    return tuple(corners)


def to_steps(places: np.ndarray) -> np.ndarray:
    """Places from 0 to 1 as steps, shape (n, 2), uint16; 1 is the last but one, so that the far rims lie inside."""
    steps: np.ndarray = np.minimum(np.rint(np.clip(places, 0, 1) * PLACE_STEPS), PLACE_STEPS - 1).astype(np.uint16)
    return steps


def inside(steps: np.ndarray, polygon: tuple[Corner, ...]) -> np.ndarray:
    """Which places lie in a polygon: a line from there to the right crosses its border an odd number of times.

    Args:
        steps: shape (n, 2), uint16, see `to_steps`.
        polygon: the corners; the last is joined to the first. It may cross itself.

    Returns:
        Shape (n,), bool.
    """
    corners = np.array(polygon, np.int64) * PLACE_STEPS
    low, high = corners.min(axis=0), corners.max(axis=0)
    found = np.zeros(len(steps), bool)
    near = np.flatnonzero(np.logical_and.reduce([_within(steps[:, axis], low[axis], high[axis]) for axis in (0, 1)]))
    # from the top down, so that each border looks at those beside it alone
    near = near[np.argsort(steps[near, 1], kind="stable")]
    x, y = (steps[near, axis].astype(np.int64) * CORNER_STEPS for axis in (0, 1))
    is_odd = np.zeros(len(near), bool)
    for (x1, y1), (x2, y2) in zip(corners.tolist(), np.roll(corners, -1, axis=0).tolist(), strict=True):
        # a height where two borders meet belongs to the one that begins there: a line through it is counted once
        start, stop = np.searchsorted(y, (min(y1, y2), max(y1, y2)))
        beside, height = slice(start, stop), y2 - y1
        sides = (x[beside] - x1) * height - (y[beside] - y1) * (x2 - x1)
        is_odd[beside] ^= sides < 0 if height > 0 else sides > 0
    found[near] = is_odd
    return found


def _within(steps: np.ndarray, low: int, high: int) -> np.ndarray:
    scaled = steps.astype(np.int64) * CORNER_STEPS
    return (scaled >= low) & (scaled <= high)
