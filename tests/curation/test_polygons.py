"""Polygons in an address, and which places lie in them, against exact fractions and one place at a time."""

import random
from fractions import Fraction

import numpy as np
import pytest

from curation.errors import ConfigError
from curation.polygons import CORNER_STEPS, MAX_CORNERS, PLACE_STEPS, Corner, inside, parse_polygon, to_steps

SQUARE = ((200, 200), (800, 200), (800, 800), (200, 800))


def is_inside(x: int, y: int, polygon: tuple[Corner, ...]) -> bool:
    """How many borders a line to the right crosses, in fractions of the map's side."""
    px, py = Fraction(x, PLACE_STEPS), Fraction(y, PLACE_STEPS)
    crossings = 0
    for place, corner in enumerate(polygon):
        (x1, y1), (x2, y2) = (
            [Fraction(part, CORNER_STEPS) for part in end] for end in (corner, polygon[(place + 1) % len(polygon)])
        )
        if (py >= y1) != (py >= y2):
            crossings += px < x1 + (py - y1) * (x2 - x1) / (y2 - y1)
    return crossings % 2 == 1


def steps_of(*places: tuple[float, float]) -> np.ndarray:
    return to_steps(np.array(places))


def test_what_lies_in_a_square_is_inside_and_what_lies_beside_it_is_not():
    places = steps_of((0.5, 0.5), (0.21, 0.79), (0.19, 0.5), (0.81, 0.5), (0.5, 0.1), (0.5, 0.9), (0, 0), (1, 1))
    assert inside(places, SQUARE).tolist() == [True, True, False, False, False, False, False, False]


@pytest.mark.parametrize("seed", range(8))
def test_any_polygon_holds_what_exact_fractions_say(seed):
    rng = random.Random(seed)
    # coarse numbers, so that places lie on borders, at corners and beside each other
    coarse = [0, 250, 333, 500, 750, 1000] if seed % 2 else list(range(0, 1001, 7))
    polygon = tuple((rng.choice(coarse), rng.choice(coarse)) for _ in range(rng.randint(3, 40)))
    places = [(rng.randrange(PLACE_STEPS + 1), rng.randrange(PLACE_STEPS + 1)) for _ in range(150)]
    places += [(round(x * 65.535), round(y * 65.535)) for x, y in polygon]
    places += [(0, 0), (PLACE_STEPS, PLACE_STEPS), (0, PLACE_STEPS)]
    expected = [is_inside(x, y, polygon) for x, y in places]
    assert 0 < sum(expected) < len(expected)
    assert inside(np.array(places, np.uint16), polygon).tolist() == expected


def test_two_halves_of_the_map_hold_every_place_once():
    rng = np.random.Generator(np.random.PCG64(0))
    steps = rng.integers(0, PLACE_STEPS, size=(2_000, 2)).astype(np.uint16)
    left = ((0, 0), (500, 0), (300, 500), (700, 1000), (0, 1000))
    right = ((500, 0), (1000, 0), (1000, 1000), (700, 1000), (300, 500))
    held = inside(steps, left).astype(int) + inside(steps, right)
    assert (held == 1).all()


def test_what_a_border_that_crosses_itself_holds_twice_is_outside():
    bow = ((100, 100), (900, 900), (900, 100), (100, 900))
    places = steps_of((0.2, 0.5), (0.8, 0.5), (0.5, 0.2), (0.5, 0.8))
    assert inside(places, bow).tolist() == [True, True, False, False]


def test_no_places_are_inside_nothing():
    assert inside(np.empty((0, 2), np.uint16), SQUARE).tolist() == []


def test_places_beyond_the_map_lie_at_its_edge():
    assert steps_of((-0.2, 1.7), (0, 1), (0.5, 0.25)).tolist() == [[0, 65534], [0, 65534], [32768, 16384]]


def test_the_whole_map_holds_the_places_at_its_rims():
    places = steps_of((0, 0), (1, 0), (1, 1), (0, 1), (0.5, 1), (1, 0.5))
    assert inside(places, ((0, 0), (1000, 0), (1000, 1000), (0, 1000))).all()


def test_a_polygon_is_read_from_its_text():
    assert parse_polygon("0_0-1000_0-500_999") == ((0, 0), (1000, 0), (500, 999))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "''"),
        ("1_1-2_2", "area has 2 corners; give 3 to 100"),
        ("-".join(["1_1"] * (MAX_CORNERS + 1)), "more than 100 corners"),
        ("0_0-1001_0-5_5", "'1001_0'"),
        ("0_0-01_0-5_5", "'01_0'"),
        ("0_0-1.5_0-5_5", "'1.5_0'"),
        ("0,0;1,0;5,5", "a corner is x_y"),
        ("0_0-1_0-5_5-", "the corner ''"),
        ("٣_0-1_0-5_5", "the corner"),
        ("0_0-1_0-5_5\n", "the corner"),
        ("x" * 100_000, "a corner is x_y"),
    ],
)
def test_another_text_is_refused_in_one_line(text, says):
    with pytest.raises(ConfigError) as raised:
        parse_polygon(text)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 300
