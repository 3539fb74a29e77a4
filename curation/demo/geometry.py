"""Problems of geometry (51)."""

import random
from fractions import Fraction
from functools import cmp_to_key
from math import gcd

from curation.demo.problem import Problem, Step, signed, sum_of
from curation.demo.wording import as_fraction, as_integer, find, listed, person, place

Point = tuple[int, int]


def _around(points: list[Point]) -> list[Point]:
    """Sort by direction from the origin, counter-clockwise from the positive x-axis, without angles."""

    def half(point: Point) -> bool:
        return point[1] < 0 or (point[1] == 0 and point[0] < 0)

    def compare(one: Point, other: Point) -> int:
        if half(one) != half(other):
            return 1 if half(one) else -1
        return -1 if one[0] * other[1] - one[1] * other[0] > 0 else 1

    return sorted(points, key=cmp_to_key(compare))


def _star_polygon(rng: random.Random, corners: int) -> list[Point]:
    """Corners, counter-clockwise, of a lattice polygon in which each is seen from an inner point."""
    while True:
        points = [(rng.randint(-9, 9), rng.randint(-9, 9)) for _ in range(corners)]
        if any(point == (0, 0) for point in points):
            continue
        points = _around(points)
        turns = [a[0] * b[1] - a[1] * b[0] for a, b in zip(points, points[1:] + points[:1], strict=True)]
        if all(
            turn > 0 for turn in turns
        ):  # less than half a turn from each corner to the next: the origin is inside
            dx, dy = rng.randint(-3, 14), rng.randint(-3, 14)
            return [(x + dx, y + dy) for x, y in points]


def lattice_polygon(rng: random.Random, level: int) -> Problem:
    points = _star_polygon(rng, 3 + (level + 1) // 2)
    inner = level > 1 and rng.random() < 0.5
    corners = listed([f"$({x},{y})$" for x, y in points])
    who, where = person(rng), place(rng)
    noun = "the number of points with integer coordinates strictly inside" if inner else "the area of"
    close = as_integer(rng) if inner else as_fraction(rng)
    question = rng.choice(
        (
            f"A polygon has the corners {corners}, in this order. {find(rng)} {noun} the polygon.{close}",
            f"{who} surveys a field at {where} and notes its corners in order: {corners}. {find(rng)} "
            f"{noun} the field, "
            f"its sides being straight.{close}",
            f"Join {corners} in this order and close the loop. {find(rng)} {noun} the figure.{close}",
            f"On squared paper {who} draws the closed polygon through {corners}, one after another. "
            f"{find(rng)} {noun} this "
            f"polygon.{close}",
        )
    )
    edges = list(zip(points, points[1:] + points[:1], strict=True))
    steps, crosses = [], []
    for (x, y), (u, v) in edges:
        crosses.append(x * v - y * u)
        work = f"{signed(x)} · {signed(v)} - {signed(y)} · {signed(u)}"
        steps.append(Step(f"the cross product of ({x},{y}) and ({u},{v})", work, str(crosses[-1])))
    double = sum(crosses)
    steps.append(Step("twice the area", sum_of(crosses), str(double)))
    answer = Fraction(double, 2)
    check = []
    pieces = []
    for (x, y), (u, v) in edges:
        pieces.append((x - u) * (y + v))
        work = f"({x} - {signed(u)}) · ({y} + {signed(v)})"
        check.append(Step(f"twice the trapezoid under the side from ({x},{y}) to ({u},{v})", work, str(pieces[-1])))
    check.append(Step("twice the area from the trapezoids", sum_of(pieces), str(double)))
    steps.append(Step("the area", f"{double} / 2", str(answer)))
    if inner:
        counts = [gcd(u - x, v - y) for (x, y), (u, v) in edges]
        border = sum(counts)
        for ((x, y), (u, v)), count in zip(edges, counts, strict=True):
            goal = f"the lattice points that the side from ({x},{y}) to ({u},{v}) adds"
            steps.append(Step(goal, f"gcd({abs(u - x)},{abs(v - y)})", str(count)))
        steps.append(Step("the lattice points on the border", sum_of(counts), str(border)))
        inside = (double - border + 2) // 2
        steps.append(Step("the inner points by Pick's theorem", f"{answer} - {border} / 2 + 1", str(inside)))
        check.append(Step("the inner points again", f"({double} - {border} + 2) / 2", str(inside)))
        answer = Fraction(inside)
    else:
        check.append(Step("the area again", f"{double} / 2", str(answer)))
    return Problem(
        "lattice_polygon",
        "51",
        question,
        f"{noun} the polygon",
        "The shoelace formula gives twice the area"
        + ("; Pick's theorem A = I + B/2 - 1 then gives the inner points." if inner else "."),
        tuple(steps),
        str(answer),
        "Trapezoids under the sides give the area in another way.",
        tuple(check),
        (
            (
                "Are the corners in order around the polygon?",
                "Yes, and counter-clockwise, so the sum comes out positive.",
            ),
            (
                "Does the polygon cross itself?",
                "No, seen from a point inside the corners follow each other in one turn.",
            ),
        ),
    )


def compass_walk(rng: random.Random, level: int) -> Problem:
    legs = 3 + level
    names = {"north": (0, 1), "south": (0, -1), "east": (1, 0), "west": (-1, 0)}
    previous = ""
    moves: list[tuple[int, str]] = []
    while len(moves) < legs:
        name = rng.choice(sorted(names))
        if {name, previous} in ({"north", "south"}, {"east", "west"}, {name}):
            continue
        moves.append((rng.randint(2, 40), name))
        previous = name
    xs = [length * names[name][0] for length, name in moves if names[name][0]]
    ys = [length * names[name][1] for length, name in moves if names[name][1]]
    walk = listed([f"{length} m {name}" for length, name in moves], "and then")
    who, where = person(rng), place(rng)
    question = rng.choice(
        (
            f"{who} leaves a well in {where} and walks {walk}. {find(rng)} the square of the straight "
            "distance back to the "
            f"well, in square metres.",
            f"A rover drives {walk} on flat ground. {find(rng)} the square of its distance from the start, "
            "in square metres."
            f"{as_integer(rng)}",
            f"On a treasure map of {where} the path runs {walk} from the old oak. Let $d$ be the distance "
            "in metres between oak "
            f"and treasure. {find(rng)} $d^2$.",
            f"A drone of {who} flies {walk}, always level. Its distance from the starting point is then "
            f"$\\sqrt{{D}}$ metres. "
            f"{find(rng)} $D$.",
        )
    )
    x, y = sum(xs), sum(ys)
    answer = x * x + y * y
    steps = [
        Step("the eastward displacement", sum_of(xs) if xs else "0", str(x)),
        Step("the northward displacement", sum_of(ys) if ys else "0", str(y)),
        Step("the square of the first", f"{signed(x)} · {signed(x)}", str(x * x)),
        Step("the square of the second", f"{signed(y)} · {signed(y)}", str(y * y)),
        Step("the squared distance", f"{x * x} + {y * y}", str(answer)),
    ]
    check, total, px, py = [], 0, 0, 0
    for length, name in moves:
        dx, dy = length * names[name][0], length * names[name][1]
        ahead = px * names[name][0] + py * names[name][1]
        new = total + 2 * ahead * length + length * length
        work = f"{total} + 2 · {signed(ahead)} · {length} + {length} · {length}"
        check.append(Step(f"the squared distance after {length} m {name}", work, str(new)))
        total, px, py = new, px + dx, py + dy
    return Problem(
        "compass_walk",
        "51",
        question,
        "the square of the distance from start to end",
        "East and west cancel, north and south cancel; Pythagoras joins the two displacements.",
        tuple(steps),
        str(answer),
        "The squared distance can be followed leg by leg: a leg of length s adds 2as + s^2, where a is how "
        "far one already is "
        "in its direction.",
        tuple(check),
        (
            ("Is the length of the path asked for?", "No, the straight distance between its ends, squared."),
            (
                "Do the turns matter?",
                "Only the displacement counts, the order of the legs does not change it.",
            ),
        ),
    )
