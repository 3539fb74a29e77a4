"""Problems of combinatorics (05)."""

import random
from math import comb, factorial, prod

from curation.demo.problem import Problem, Step, sum_of
from curation.demo.wording import as_integer, find, listed, person, place

GROUPS = (
    ("violinists", "cellists", "a string ensemble"),
    ("nurses", "doctors", "a night shift"),
    ("chemists", "physicists", "a panel"),
    ("juniors", "seniors", "a debating side"),
    ("pilots", "engineers", "a survey crew"),
    ("bakers", "grocers", "a market council"),
    ("poets", "painters", "an arts jury"),
    ("divers", "sailors", "a rescue group"),
)


def committee(rng: random.Random, level: int) -> Problem:
    first, second, body = rng.choice(GROUPS)
    many, few = rng.randint(4, 6 + level), rng.randint(4, 6 + level)
    size = rng.randint(3, min(3 + level, many, few))
    least = rng.randint(1, max(1, size - level // 2 - 1))
    most = size if level < 3 else rng.randint(least, size)
    if most - least > level + 1:
        most = least + level + 1
    rule = (
        f"at least {least}"
        if most == size
        else (f"exactly {least}" if most == least else f"between {least} and {most}")
    )
    limit = f"{rule} {first}" + (" (both bounds allowed)" if rule[0] == "b" else "")
    where, who = place(rng), person(rng)
    question = rng.choice(
        (
            f"The town of {where} has {many} {first} and {few} {second} to choose from. In how many ways "
            f"can {body} of {size} "
            f"be formed with {limit}?",
            f"From {many} {first} and {few} {second}, {who} picks {body} of {size} people. {find(rng)} the "
            "number of choices "
            f"that hold {limit}.{as_integer(rng)}",
            f"How many different groups of {size} make up {body} when {many} {first} and {few} {second} "
            "stand ready and the "
            f"statutes of {where} ask for {limit}?",
            f"{who} needs {size} people for {body}. There are {few} {second} and {many} {first}; the rule "
            f"is {limit}. "
            f"{find(rng)} how many line-ups the rule admits, the order being of no importance.",
        )
    )

    def ways(j: int) -> int:
        return comb(many, j) * comb(few, size - j)

    def cases(numbers: list[int]) -> list[Step]:
        return [
            Step(
                f"the case of {j} {first} and {size - j} {second}",
                f"C({many},{j}) · C({few},{size - j})",
                str(ways(j)),
            )
            for j in numbers
        ]

    inside = list(range(least, most + 1))
    outside = [j for j in range(size + 1) if j not in inside]
    answer = sum(map(ways, inside))
    steps = cases(inside)
    if len(inside) > 1:
        steps.append(Step("the sum of the cases", sum_of([ways(j) for j in inside]), str(answer)))
    total = comb(many + few, size)
    check = [
        Step(f"all choices of {size} among {many + few}", f"C({many + few},{size})", str(total)),
        *cases(outside),
    ]
    check.append(
        Step(
            "what is left after the forbidden cases",
            sum_of([total, *[-ways(j) for j in outside]]),
            str(answer),
        )
    )
    return Problem(
        "committee",
        "05",
        question,
        f"the number of groups of {size} with {rule} {first}",
        f"I split by the number of {first} and multiply two binomial coefficients in each case.",
        tuple(steps),
        str(answer),
        "Counting all groups and taking away the forbidden ones must agree.",
        tuple(check),
        (
            (
                "Does the order of the chosen people matter?",
                "No, a group is a set, so binomial coefficients are right.",
            ),
            (
                "Why not reserve the required places first and fill the rest freely?",
                "That would count a group once for each "
                "way to call some of its members the reserved ones, so it counts too much.",
            ),
        ),
    )


def grid_paths(rng: random.Random, level: int) -> Problem:
    width, height = rng.randint(4, 5 + level), rng.randint(4, 5 + level)
    inner = [(x, y) for x in range(width + 1) for y in range(height + 1) if (x, y) not in ((0, 0), (width, height))]
    blocked = sorted(rng.sample(inner, 1 + level // 2), key=lambda point: (point[0] + point[1], point))
    who, where = person(rng), place(rng)
    points = listed([f"$({x},{y})$" for x, y in blocked])
    several = len(blocked) > 1
    question = rng.choice(
        (
            "A robot starts at $(0,0)$ and moves one unit right or one unit up at each step until it "
            "reaches "
            f"$({width},{height})$. {'The points' if several else 'The point'} {points} "
            f"{'are' if several else 'is'} broken "
            f"and must not be visited. {find(rng)} the number of routes.",
            f"In {where} {width} blocks east and {height} blocks north of home lies a bakery. {who} walks "
            "there by a shortest "
            f"route along the streets. Taking home as the origin, the crossing{'s' if several else ''} "
            f"{points} "
            f"{'are' if several else 'is'} closed. How many shortest routes remain?",
            f"How many paths from $(0,0)$ to $({width},{height})$, made of unit steps to the right and "
            "upwards, avoid "
            f"{points}?{as_integer(rng)}",
            f"{who} draws lattice paths with {width} steps to the right and {height} steps up, starting at "
            "the origin. "
            f"{find(rng)} how many of them pass through none of {points}."
            if several
            else f"{who} draws lattice paths with {width} steps to the right and {height} steps up, starting "
            "at the origin. "
            f"{find(rng)} how many of them do not pass through {points}.",
        )
    )
    steps: list[Step] = []
    counts: list[int] = []
    for x, y in [*blocked, (width, height)]:
        work, value = f"C({x + y},{x})", comb(x + y, x)
        for (px, py), count in zip(blocked, counts, strict=False):
            if px <= x and py <= y:
                work += f" - {count} · C({x - px + y - py},{x - px})"
                value -= count * comb(x - px + y - py, x - px)
        seen = f"the paths to ({x},{y}) that meet no earlier closed point"
        steps.append(Step(seen, work, str(value)))
        counts.append(value)
    answer = counts[-1]
    check = []
    row = [0] * (width + 1)
    for y in range(height + 1):
        before = row
        row = []
        for x in range(width + 1):
            row.append(0 if (x, y) in blocked else 1 if x == y == 0 else before[x] + (row[x - 1] if x else 0))
        if y < height:
            check.append(
                Step(
                    f"the sum of row {y}, whose entries are {', '.join(map(str, row))}",
                    sum_of(row),
                    str(sum(row)),
                )
            )
    left = row[width - 1]
    check.append(
        Step(
            f"the corner, from its left and lower neighbours (last row {', '.join(map(str, row))})",
            f"{left} + {answer - left}",
            str(answer),
        )
    )
    return Problem(
        "grid_paths",
        "05",
        question,
        f"the number of paths to ({width},{height}) that avoid {points.replace('$', '')}",
        "For each closed point I count the paths that meet it as their first closed point, and take these away.",
        tuple(steps),
        str(answer),
        "Filling the grid row by row with the rule 'left plus below' gives the number again.",
        tuple(check),
        (
            (
                "Could a path meet two closed points and be taken away twice?",
                "No, each path is counted at its first one only.",
            ),
            (
                "Which binomial is right for a rectangle of a by b?",
                "A path has a + b steps, of which a go right: C(a+b,a).",
            ),
        ),
    )


def rows_of_tiles(rng: random.Random, level: int) -> Problem:
    colours = rng.sample(
        ("amber", "blue", "coral", "denim", "ecru", "grey", "jade", "lilac", "olive", "rust"), 2 + level // 2
    )
    counts = [rng.randint(2, 3 + level // 3) for _ in colours]
    total, apart, special = sum(counts), counts[0], colours[0]
    others = total - apart
    if apart > others + 1:
        counts[0] = apart = others
        total = sum(counts)
    thing = rng.choice(("tiles", "beads", "flags", "candles", "blocks", "pennants"))
    together = rng.random() < 0.4
    rule = (
        f"all {apart} {special} {thing} stand next to each other"
        if together
        else f"no two {special} {thing} are neighbours"
    )
    stock = listed([f"{n} {c}" for n, c in zip(counts, colours, strict=True)])
    who, where = person(rng), place(rng)
    question = rng.choice(
        (
            f"{who} lays {stock} {thing} in a row; those of one colour look alike. In how many ways can "
            "this be done so that "
            f"{rule}?",
            f"A shop window in {where} shows {total} {thing} side by side, namely {stock}. Equal colours "
            "cannot be told apart. "
            f"{find(rng)} the number of rows in which {rule}.",
            f"How many rows of {stock} {thing}, alike within a colour, are there such that {rule}?",
            f"Let a row consist of exactly {stock} {thing}. {find(rng)} how many colour patterns satisfy: {rule}.",
        )
    )
    rest = prod(factorial(n) for n in counts[1:])
    quotient = " · ".join(f"{n}!" for n in counts[1:])
    plain = factorial(others) // rest
    steps = [Step(f"the patterns of the other {others} {thing}", f"{others}! / ({quotient})", str(plain))]
    slots = others + 1
    if together:
        steps.append(Step(f"the places for the {special} block among {others} {thing}", f"{others} + 1", str(slots)))
        answer = plain * slots
        steps.append(Step("the product", f"{plain} · {slots}", str(answer)))
        check: tuple[Step, ...] = (
            Step(
                f"the rows of the block and the others, {slots} objects",
                f"{slots}! / ({quotient})",
                str(answer),
            ),
        )
    else:
        gaps = comb(slots, apart)
        steps.append(Step(f"the choices of gaps for the {special} ones", f"C({slots},{apart})", str(gaps)))
        answer = plain * gaps
        steps.append(Step("the product", f"{plain} · {gaps}", str(answer)))
        spread = (
            Step("the gaps that must separate", f"{apart} - 1", str(apart - 1)),
            Step(
                f"the choices of {special} positions in a row of {total}",
                f"C({total - apart + 1},{apart})",
                str(gaps),
            ),
        )
        check = (
            *spread,
            Step("the patterns on the remaining positions, multiplied in", f"{gaps} · {plain}", str(answer)),
        )
    return Problem(
        "rows_of_tiles",
        "05",
        question,
        f"the number of rows in which {rule}",
        f"First I arrange the {thing} that are not {special}, then I place the {special} ones.",
        tuple(steps),
        str(answer),
        f"Treating the {special} run as one object gives it directly."
        if together
        else f"Choosing the positions of the {special} {thing} first must give the same number.",
        check,
        (
            (f"Are equal {thing} told apart?", "No, they look alike, so I divide by the factorials."),
            (
                "Can the special ones stand at the ends?",
                f"Yes, there are {slots} places around {others} others, ends included.",
            ),
        ),
    )
