"""Problems of probability (60) and statistics (62)."""

import random
from fractions import Fraction
from math import comb

from curation.demo.problem import Problem, Step, over, signed, sum_of
from curation.demo.wording import as_fraction, find, listed, person, place


def urn(rng: random.Random, level: int) -> Problem:
    thing = rng.choice(("marbles", "tokens", "cards", "tickets", "buttons", "pens"))
    one, other = rng.sample(("red", "blue", "white", "green", "black", "yellow"), 2)
    many, few = rng.randint(4, 5 + level), rng.randint(4, 5 + level)
    drawn = rng.randint(3, 3 + level // 2)
    least = rng.randint(1, drawn)
    exact = rng.random() < 0.4
    cases = [least] if exact else list(range(least, drawn + 1))
    rule = f"{'exactly' if exact else 'at least'} {least}"
    who, where = person(rng), place(rng)
    question = rng.choice(
        (
            f"A bag holds {many} {one} and {few} {other} {thing}. {who} draws {drawn} of them at random "
            "without putting any "
            f"back. {find(rng)} the probability that {rule} of the {thing} drawn "
            f"{'is' if least == 1 else 'are'} {one}."
            f"{as_fraction(rng)}",
            f"{drawn} of {many + few} {thing} are chosen at random, all choices being equally likely; "
            f"{many} of the "
            f"{many + few} are {one}, the others {other}. How likely is it to get {rule} {one} among those "
            "chosen?"
            f"{as_fraction(rng)}",
            f"At the fair of {where} one draws {drawn} {thing} at once from a drum with {few} {other} and "
            f"{many} {one} ones and "
            f"wins with {rule} {one}. {find(rng)} the chance to win.{as_fraction(rng)}",
        )
    )
    total = comb(many + few, drawn)
    steps = [Step("the number of all draws", f"C({many + few},{drawn})", str(total))]
    ways = {j: comb(many, j) * comb(few, drawn - j) for j in range(drawn + 1)}
    for j in cases:
        steps.append(Step(f"the draws with {j} {one}", f"C({many},{j}) · C({few},{drawn - j})", str(ways[j])))
    good = sum(ways[j] for j in cases)
    if len(cases) > 1:
        steps.append(Step("the favourable draws", sum_of([ways[j] for j in cases]), str(good)))
    answer = Fraction(good, total)
    steps.append(Step("the probability", f"{good} / {total}", str(answer)))
    check, chances = [], []
    for j in cases:
        tops = [many - i for i in range(j)] + [few - i for i in range(drawn - j)]
        line = " · ".join(f"({top} / {many + few - i})" for i, top in enumerate(tops))
        chances.append(Fraction(ways[j], total))
        goal = f"the chance of {j} {one}, draw by draw, with {comb(drawn, j)} orders"
        check.append(Step(goal, f"{comb(drawn, j)} · {line}", str(chances[-1])))
    check.append(Step("the sum of these chances", " + ".join(over(c) for c in chances), str(answer)))
    return Problem(
        "urn",
        "60",
        question,
        f"the probability of {rule} {one} in {drawn} draws",
        "All sets of drawn items are equally likely, so I count sets.",
        tuple(steps),
        str(answer),
        "Following the draws one by one, with the number of possible orders, must agree.",
        tuple(check),
        (
            ("Is anything put back?", "No, so hypergeometric counts are right and not binomial ones."),
            (
                f"Are there enough {other} ones for every case?",
                f"There are {few} of them; a case that needs more counts zero.",
            ),
        ),
    )


def two_states(rng: random.Random, level: int) -> Problem:
    parts = rng.choice((4, 5, 6, 8, 10))
    stay, come = Fraction(rng.randint(1, parts - 1), parts), Fraction(rng.randint(1, parts - 1), parts)
    while come == stay:
        come = Fraction(rng.randint(1, parts - 1), parts)
    days = 2 + (level + 1) // 2
    good, bad, unit = rng.choice(
        (
            ("dry", "rainy", "day"),
            ("open", "closed", "morning"),
            ("lit", "dark", "evening"),
            ("calm", "windy", "hour"),
            ("busy", "quiet", "week"),
            ("sunny", "grey", "noon"),
        )
    )
    starts_good = rng.random() < 0.5
    start = good if starts_good else bad
    where, who = place(rng), person(rng)
    question = rng.choice(
        (
            f"In {where} a {good} {unit} is followed by a {good} one with probability {stay}, a {bad} "
            f"{unit} by a {good} one "
            f"with probability {come}. The present {unit} is {start}. {find(rng)} the probability that the "
            f"{unit} {days} steps "
            f"later is {good}.{as_fraction(rng)}",
            f"{who} watches a system that is either {good} or {bad}. From {good} it stays {good} with "
            f"probability {stay}; "
            f"from {bad} it turns {good} with probability {come}, in each step anew. It starts {start}. "
            "How likely is it "
            f"{good} after {days} steps?{as_fraction(rng)}",
            f"A two-state chain moves from {bad} to {good} with probability {come} and from {good} to "
            f"{good} with probability "
            f"{stay}, once each {unit}. It begins in the state {start}. {find(rng)} the probability of the "
            f"state {good} after "
            f"{days} moves.{as_fraction(rng)}",
        )
    )
    chance = Fraction(int(starts_good))
    steps = []
    for day in range(1, days + 1):
        work = f"{over(chance)} · {over(stay)} + {over(1 - chance)} · {over(come)}"
        chance = chance * stay + (1 - chance) * come
        steps.append(Step(f"the probability of {good} after {day}", work, str(chance)))
    fixed = come / (1 - stay + come)
    gap = stay - come
    check = (
        Step("the long-run share", f"{over(come)} / (1 - {over(stay)} + {over(come)})", str(fixed)),
        Step("the factor of the deviation", f"{over(stay)} - {over(come)}", str(gap)),
        Step("the start's deviation", f"{int(starts_good)} - {over(fixed)}", str(int(starts_good) - fixed)),
        Step(
            f"the value after {days}",
            f"{over(fixed)} + {over(int(starts_good) - fixed)} · {over(gap)}^{days}",
            str(chance),
        ),
    )
    return Problem(
        "two_states",
        "60",
        question,
        f"the probability of {good} after {days} moves",
        f"If p is the probability of {good} now, the next one is p · {stay} + (1 - p) · {come}.",
        tuple(steps),
        str(chance),
        "The deviation from the long-run share shrinks by a constant factor at each move, which gives a closed form.",
        check,
        (
            (f"Which state does the number {come} belong to?", f"To the change from {bad} to {good}."),
            ("How many moves are there?", f"{days}, counted from the given start."),
        ),
    )


def spread_of_data(rng: random.Random, level: int) -> Problem:
    size = 4 + level
    data = [rng.randint(2, 40) for _ in range(size)]
    thing = rng.choice(
        (
            "daily sales",
            "scores",
            "waiting times in minutes",
            "rope lengths in metres",
            "parcel weights in kg",
            "ages of the guests",
            "crates per lorry",
            "lamps per street",
        )
    )
    who, where = person(rng), place(rng)
    numbers = listed([str(x) for x in data])
    question = rng.choice(
        (
            f"The {thing} at {where} were {numbers}. {find(rng)} the population variance (divide by the "
            "number of values)."
            f"{as_fraction(rng)}",
            f"{who} recorded the following {thing}: {numbers}. {find(rng)} the mean squared deviation from "
            "the mean."
            f"{as_fraction(rng)}",
            f"For the {size} values {numbers} ({thing}, collected by {who}), {find(rng).lower()} the "
            "variance with divisor "
            f"{size}.{as_fraction(rng)}",
        )
    )
    total, squares = sum(data), sum(x * x for x in data)
    mean = Fraction(total, size)
    answer = Fraction(squares, size) - mean * mean
    steps = [
        Step("the sum of the values", sum_of(data), str(total)),
        Step("the mean", f"{total} / {size}", str(mean)),
        Step("the sum of the squares", " + ".join(f"{x}^2" for x in data), str(squares)),
        Step("the mean square", f"{squares} / {size}", str(Fraction(squares, size))),
        Step("the variance", f"{over(Fraction(squares, size))} - {over(mean)}^2", str(answer)),
    ]
    check, parts = [], []
    for x in data:
        parts.append((x - mean) ** 2)
        check.append(Step(f"the squared deviation of {x}", f"({x} - {over(mean)})^2", str(parts[-1])))
    check.append(Step("their sum", " + ".join(over(p) for p in parts), str(sum(parts, Fraction()))))
    check.append(Step("the mean of these", f"{over(sum(parts, Fraction()))} / {size}", str(answer)))
    return Problem(
        "spread_of_data",
        "62",
        question,
        f"the variance of the {size} values",
        "The variance is the mean of the squares minus the square of the mean.",
        tuple(steps),
        str(answer),
        "Taking the deviations from the mean one by one gives the same number.",
        tuple(check),
        (
            ("Divide by n or by n - 1?", f"The question asks for the divisor {size}, the number of values."),
            (
                "Can the result be negative?",
                "No, it is a mean of squares; a negative value would show a slip.",
            ),
        ),
    )


def fitted_line(rng: random.Random, level: int) -> Problem:
    size = 3 + (level + 1) // 2
    xs = sorted(rng.sample(range(6 + level), size))
    ys = [rng.randint(1, 24) for _ in xs]
    points = listed([f"$({x},{y})$" for x, y in zip(xs, ys, strict=True)])
    at = rng.randint(10, 20)
    predicts = rng.random() < 0.5
    ask = f"the value that this line predicts at $x = {at}$" if predicts else "the slope of this line"
    who, where = person(rng), place(rng)
    question = rng.choice(
        (
            f"The least squares line $y = a + bx$ is fitted to the points {points}. {find(rng)} "
            f"{ask}.{as_fraction(rng)}",
            f"{who} measured {points} at {where}, where $x$ is the hour and $y$ the level. A straight line "
            "is drawn that "
            f"minimises the sum of the squared vertical errors. {find(rng)} {ask}.{as_fraction(rng)}",
            "Among all straight lines, take the one with the least sum of squared vertical distances to "
            f"{points}. {find(rng)} "
            f"{ask}.{as_fraction(rng)}",
        )
    )
    sx, sy = sum(xs), sum(ys)
    sxy, sxx = sum(x * y for x, y in zip(xs, ys, strict=True)), sum(x * x for x in xs)
    top, bottom = size * sxy - sx * sy, size * sxx - sx * sx
    slope = Fraction(top, bottom)
    steps = [
        Step("the sum of x", sum_of(xs), str(sx)),
        Step("the sum of y", sum_of(ys), str(sy)),
        Step("the sum of xy", " + ".join(f"{x} · {y}" for x, y in zip(xs, ys, strict=True)), str(sxy)),
        Step("the sum of x^2", " + ".join(f"{x}^2" for x in xs), str(sxx)),
        Step("the numerator", f"{size} · {sxy} - {sx} · {sy}", str(top)),
        Step("the denominator", f"{size} · {sxx} - {sx} · {sx}", str(bottom)),
        Step("the slope", f"{top} / {bottom}", str(slope)),
    ]
    mx, my = Fraction(sx, size), Fraction(sy, size)
    deviations = [(x - mx, y - my) for x, y in zip(xs, ys, strict=True)]
    check = [
        Step(
            f"the product of deviations at ({x},{y})",
            f"({x} - {over(mx)}) · ({y} - {over(my)})",
            str(dx * dy),
        )
        for x, y, (dx, dy) in zip(xs, ys, deviations, strict=True)
    ]
    covariance, variance = (
        sum((a * b for a, b in deviations), Fraction()),
        sum((a * a for a, _ in deviations), Fraction()),
    )
    check.append(Step("their sum", " + ".join(over(a * b) for a, b in deviations), str(covariance)))
    check.append(
        Step("the squared deviations of x", " + ".join(f"{over(a)}^2" for a, _ in deviations), str(variance))
    )
    check.append(Step("the slope", f"{over(covariance)} / {over(variance)}", str(slope)))
    answer = slope
    if predicts:
        start = my - slope * mx
        answer = start + slope * at
        steps.append(Step("the intercept", f"({sy} - {over(slope)} · {sx}) / {size}", str(start)))
        steps.append(Step(f"the prediction at {at}", f"{over(start)} + {over(slope)} · {at}", str(answer)))
        check.append(
            Step(
                "the prediction from the centre of the points",
                f"{over(my)} + {over(slope)} · ({at} - {over(mx)})",
                str(answer),
            )
        )
    return Problem(
        "fitted_line",
        "62",
        question,
        ask.replace("$", ""),
        f"I need the sums of x, y, xy and x^2 over the {size} points.",
        tuple(steps),
        str(answer),
        "Deviations from the means give the slope as covariance over variance.",
        tuple(check),
        (
            ("Are the errors measured vertically?", "Yes, so x is the given quantity and y the fitted one."),
            (
                "Does the line pass through the centre of the points?",
                f"Yes, through ({mx}, {signed(my)}), which helps to check.",
            ),
        ),
    )
