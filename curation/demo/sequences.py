"""Problems about sequences and series (40) and real functions (26)."""

import random
from fractions import Fraction

from curation.demo.algebra import polynomial_text
from curation.demo.problem import Problem, Step, over, signed, sum_of
from curation.demo.wording import as_fraction, as_integer, find, ordinal, person, place


def recurrence(rng: random.Random, level: int) -> Problem:
    start, factor, slope, shift = (
        rng.randint(1, 9),
        rng.choice((2, 3, -2)),
        rng.randint(0, 4),
        rng.randint(-7, 9) or 4,
    )
    if factor == 2 and start == -shift:
        start += 1
    length = 4 + level
    total = rng.random() < 0.5
    linear = f"{slope}n" if slope > 1 else "n" if slope else ""
    rule = f"{factor}a_n" + (f" + {linear}" if linear else "") + (f" - {-shift}" if shift < 0 else f" + {shift}")
    who, where = person(rng), place(rng)
    ask = f"the sum $a_1 + a_2 + \\dots + a_{{{length}}}$" if total else f"$a_{{{length}}}$"
    options = [
        f"A sequence begins with $a_1 = {start}$ and obeys $a_{{n+1}} = {rule}$ for all $n \\ge 1$. "
        f"{find(rng)} {ask}.",
        f"{who} writes {start} as the first entry $a_1$ of a list; every further entry follows from the rule "
        f"$a_{{n+1}} = {rule}$. {find(rng)} {ask}.{as_integer(rng)}",
        f"Given $a_1 = {start}$ together with $a_{{n+1}} - ({factor})a_n = "
        f"{(linear + ' + ') if linear else ''}{signed(shift)}$ "
        f"for $n \\ge 1$, {find(rng).lower()} {ask}.",
    ]
    if factor > 0 and shift > 0 and not slope:
        word = "doubles" if factor == 2 else "triples"
        ask = f"in the first {length} weeks together" if total else f"in week {length}"
        options.append(
            f"A farm near {where} sells {start} baskets in week 1. From each week to the next the number "
            f"first {word} and "
            f"then grows by {shift} more. How many baskets are sold {ask}?"
        )
    question = rng.choice(options)
    values, steps = [start], []
    for n in range(1, length):
        added = slope * n + shift
        values.append(factor * values[-1] + added)
        work = f"{signed(factor)} · {signed(values[-2])} + {signed(added)}"
        steps.append(Step(f"a_{n + 1}", work, str(values[-1])))
    answer = sum(values) if total else values[-1]
    if total:
        steps.append(Step(f"the sum of the {length} terms", sum_of(values), str(answer)))
    check, sums = [], [values[0]]
    if total:
        for n in range(1, length):
            sums.append(sums[-1] + values[n])
            check.append(
                Step(f"the running total after a_{n + 1}", f"{sums[-2]} + {signed(values[n])}", str(sums[-1]))
            )
    else:
        parts = [factor ** (length - 1) * start]
        check.append(
            Step("the share of the start", f"{signed(factor)}^{length - 1} · {start}", str(parts[0])),
        )
        for n in range(1, length):
            parts.append(factor ** (length - 1 - n) * (slope * n + shift))
            work = f"{signed(factor)}^{length - 1 - n} · {signed(slope * n + shift)}"
            check.append(Step(f"the share of what is added after step {n}", work, str(parts[-1])))
        check.append(Step("all shares together", sum_of(parts), str(answer)))
    return Problem(
        "recurrence",
        "40",
        question,
        f"the sum of the first {length} terms" if total else f"the term a_{length}",
        "The rule gives each term from the one before, so I go up step by step.",
        tuple(steps),
        str(answer),
        "Adding up along the way, term after term, gives a second look."
        if total
        else "By linearity every added amount is multiplied by the factor in all the later steps.",
        tuple(check),
        (
            (
                "Does the rule use the index of the old or of the new term?",
                "It uses n, the index of the old term.",
            ),
            ("How many times is the rule applied?", f"{length - 1} times, from a_1 to a_{length}."),
        ),
    )


def telescoping(rng: random.Random, level: int) -> Problem:
    gap = 1 + (level + 1) // 2
    first, last = rng.randint(1, 6), 0
    last = first + rng.randint(6, 10 + 6 * level)
    top = rng.randint(1, 9)
    who = person(rng)
    term = f"\\frac{{{top}}}{{n(n+{gap})}}"
    head = " + ".join(f"\\frac{{{top}}}{{{n} \\cdot {n + gap}}}" for n in (first, first + 1))
    question = rng.choice(
        (
            f"{find(rng)} the sum $\\sum_{{n={first}}}^{{{last}}} {term}$.{as_fraction(rng)}",
            f"{who} adds ${head} + \\dots + \\frac{{{top}}}{{{last} \\cdot {last + gap}}}$. Which value "
            f"results?{as_fraction(rng)}",
            f"A walker's {ordinal(first)} stride measures ${head.split(' + ')[0]}$ of a mile and in general "
            "the $n$-th stride "
            f"${term}$ of a mile. {find(rng)} the length of strides {first} to {last} together, in "
            f"miles.{as_fraction(rng)}",
        )
    )
    heads = [Fraction(1, n) for n in range(first, first + gap)]
    tails = [Fraction(1, n) for n in range(last + 1, last + gap + 1)]
    up, down = sum(heads, Fraction()), sum(tails, Fraction())
    bracket = up - down
    answer = Fraction(top, gap) * bracket
    steps = [
        Step("the terms that survive at the start", sum_of(heads), str(up)),
        Step("the terms that survive at the end", sum_of(tails), str(down)),
        Step("their difference", f"{over(up)} - {over(down)}", str(bracket)),
        Step("the sum", f"{top} / {gap} · {over(bracket)}", str(answer)),
    ]
    check, total = [], Fraction()
    for n in range(first, last + 1):
        part = Fraction(top, n * (n + gap))
        check.append(
            Step(
                f"the partial sum up to n = {n}",
                f"{over(total)} + {top} / {n * (n + gap)}",
                str(total + part),
            )
        )
        total += part
    return Problem(
        "telescoping",
        "40",
        question,
        f"the sum of {top}/(n(n+{gap})) for n from {first} to {last}",
        f"Since {top}/(n(n+{gap})) = ({top}/{gap}) · (1/n - 1/(n+{gap})), nearly everything cancels.",
        tuple(steps),
        str(answer),
        "Adding the fractions one after another is tedious but independent of the trick.",
        tuple(check),
        (
            (
                "How many terms survive at each end?",
                f"The shift is {gap}, so {gap} at the start and {gap} at the end.",
            ),
            (
                "Are the surviving blocks disjoint?",
                f"There are {last - first + 1} terms, more than {gap}, so they are.",
            ),
        ),
    )


def range_of_cubic(rng: random.Random, level: int) -> Problem:
    low, high = sorted(rng.sample(range(-4, 5), 2))
    scale, shift = rng.choice((1, 1, 2, -1)), rng.randint(-20, 20)
    coefficients = [2 * scale, -3 * scale * (low + high), 6 * scale * low * high, shift]
    left, right = low - rng.randint(1, 2 + level // 2), high + rng.randint(1, 2 + level // 2)
    text = polynomial_text(coefficients)
    who = person(rng)
    ask = rng.choice(("difference", "sum"))
    word = (
        "the difference between the largest and the smallest value"
        if ask == "difference"
        else ("the sum of the largest and the smallest value")
    )
    question = rng.choice(
        (
            f"Let $f(x) = {text}$ for ${left} \\le x \\le {right}$. {find(rng)} {word} of $f$.",
            f"On the interval $[{left}, {right}]$, {find(rng).lower()} {word} that ${text}$ takes.{as_integer(rng)}",
            f"The height of a track, in metres above {place(rng)}, is $h(x) = {text}$ at the mark $x$; "
            f"marks run from {left} to "
            f"{right}. {who} notes the highest and the lowest point. {find(rng)} {word} of $h$.",
        )
    )
    points = [left, low, high, right]
    values, steps = [], []
    derivative = polynomial_text([6 * scale, -6 * scale * (low + high), 6 * scale * low * high])
    for x in points:
        value = ((coefficients[0] * x + coefficients[1]) * x + coefficients[2]) * x + coefficients[3]
        work = (
            " + ".join(f"{signed(c)} · {signed(x)}^{3 - i}" for i, c in enumerate(coefficients[:3]))
            + f" + {signed(shift)}"
        )
        steps.append(Step(f"f({x})", work, str(value)))
        values.append(value)
    top, bottom = max(values), min(values)
    answer = top - bottom if ask == "difference" else top + bottom
    last = f"{top} {'-' if ask == 'difference' else '+'} {signed(bottom)}"
    steps.append(Step(f"the {ask} of the extreme values {top} and {bottom}", last, str(answer)))
    check = []
    for x, value in zip(points, values, strict=True):
        rows = coefficients[0]
        for c in coefficients[1:]:
            work = f"{signed(rows)} · {signed(x)} + {signed(c)}"
            rows = rows * x + c
            check.append(Step(f"the next Horner line at {x}, on the way to {value}", work, str(rows)))
    check.append(Step(f"the {ask} again", last, str(answer)))
    return Problem(
        "range_of_cubic",
        "26",
        question,
        f"{word} of f on [{left}, {right}]",
        f"The derivative {derivative} vanishes at {low} and {high}; extremes lie there or at the ends "
        f"{left} and {right}.",
        tuple(steps),
        str(answer),
        "Horner's scheme recomputes all four values.",
        tuple(check),
        (
            ("Do both critical points lie in the interval?", f"Yes, {left} < {low} < {high} < {right}."),
            (
                "Could the ends beat the critical points?",
                "They could, so all four values have to be compared.",
            ),
        ),
    )


def piecewise_integral(rng: random.Random, level: int) -> Problem:
    pieces = 1 + (level + 1) // 2
    cuts = [rng.randint(-3, 1)]
    for _ in range(pieces):
        cuts.append(cuts[-1] + rng.randint(1, 3))
    rules = [[rng.randint(-3, 4) or 1, rng.randint(-5, 6), rng.randint(-6, 9)] for _ in range(pieces)]
    spans = list(zip(cuts, cuts[1:], rules, strict=False))
    cases = "; ".join(f"${polynomial_text(r)}$ for ${a} \\le x < {b}$" for a, b, r in spans)
    who = person(rng)
    question = rng.choice(
        (
            f"A function is given piece by piece: {cases}. {find(rng)} its integral from {cuts[0]} to "
            f"{cuts[-1]}.{as_fraction(rng)}",
            f"{who} models a current by $i(x)$, where $i(x)$ is {cases}. {find(rng)} "
            f"$\\int_{{{cuts[0]}}}^{{{cuts[-1]}}} "
            f"i(x)\\,dx$.{as_fraction(rng)}",
            f"Water flows into a tank at {place(rng)} at the rate $r(x)$ litres per minute (negative when "
            "it flows out), with "
            f"$r(x)$ equal to {cases}. By how many litres does the content change between $x = {cuts[0]}$ "
            "and "
            f"$x = {cuts[-1]}$?{as_fraction(rng)}",
        )
    )
    steps, parts, check = [], [], []
    for a, b, (q, m, c) in spans:
        value = Fraction(q, 3) * (b**3 - a**3) + Fraction(m, 2) * (b**2 - a**2) + c * (b - a)
        work = (
            f"({q} / 3) · ({signed(b)}^3 - {signed(a)}^3) + ({m} / 2) · ({signed(b)}^2 - {signed(a)}^2) + "
            f"{signed(c)} · ({b} - {signed(a)})"
        )
        steps.append(Step(f"the integral of {polynomial_text([q, m, c])} from {a} to {b}", work, str(value)))
        parts.append(value)
        middle = Fraction(a + b, 2)
        ends = [q * x * x + m * x + c for x in (Fraction(a), middle, Fraction(b))]
        simpson = f"({b} - {signed(a)}) / 6 · ({over(ends[0])} + 4 · {over(ends[1])} + {over(ends[2])})"
        check.append(Step(f"Simpson's rule from {a} to {b}, exact for parabolas", simpson, str(value)))
    answer = sum(parts, Fraction())
    adding = " + ".join(over(p) for p in parts)
    if pieces > 1:
        steps.append(Step("the sum of the pieces", adding, str(answer)))
        check.append(Step("the sum of the pieces", adding, str(answer)))
    return Problem(
        "piecewise_integral",
        "26",
        question,
        f"the integral from {cuts[0]} to {cuts[-1]}",
        "I integrate each piece with an antiderivative and add.",
        tuple(steps),
        str(answer),
        "Simpson's rule is exact for polynomials up to degree three, so it must agree.",
        tuple(check),
        (
            (
                "Does it matter that the pieces do not join at the cuts?",
                "No, single points do not change an integral.",
            ),
            (
                "Is area meant, with everything counted positively?",
                "No, the integral is meant, so negative parts count as negative.",
            ),
        ),
    )
