"""Problems about polynomials (12) and matrices (15)."""

import random
from fractions import Fraction

from curation.demo.problem import Problem, Step, over, signed, sum_of
from curation.demo.wording import as_integer, find, person


def polynomial_text(coefficients: list[int], variable: str = "x") -> str:
    """Write coefficients, highest power first, as `2x^3 - x + 5`."""
    text, degree = "", len(coefficients) - 1
    for i, c in enumerate(coefficients):
        power = degree - i
        if c == 0:
            continue
        size = "" if abs(c) == 1 and power else str(abs(c))
        tail = "" if power == 0 else variable if power == 1 else f"{variable}^{power}"
        sign = ("-" if c < 0 else "") if not text else (" - " if c < 0 else " + ")
        text += f"{sign}{size}{tail}"
    return text or "0"


def power_sums(rng: random.Random, level: int) -> Problem:
    roots = sorted(rng.sample([r for r in range(-6, 8) if r], 3))
    a, b, c = roots
    e1, e2, e3 = a + b + c, a * b + a * c + b * c, a * b * c
    power = 3 + level // 2 + rng.randint(0, level // 3)
    polynomial = polynomial_text([1, -e1, e2, -e3])
    who = person(rng)
    question = rng.choice(
        (
            f"The roots of $x^3{polynomial[3:]}$ are $r$, $s$ and $t$. {find(rng)} $r^{power} + s^{power} + "
            f"t^{power}$.",
            f"{who} takes the three solutions of ${polynomial} = 0$, raises each to the power {power} and "
            "adds. Which sum "
            f"comes out?",
            f"Numbers $u, v, w$ satisfy $u + v + w = {e1}$, $uv + vw + wu = {e2}$ and $uvw = {e3}$. "
            f"{find(rng)} "
            f"$u^{power} + v^{power} + w^{power}$.{as_integer(rng)}",
            f"Let $S_k$ denote the sum of the $k$-th powers of the zeros of $f(x) = {polynomial}$. "
            f"{find(rng)} $S_{power}$.",
        )
    )
    sums = [3, e1, e1 * e1 - 2 * e2]
    steps = [
        Step("the power sum S_1", str(e1), str(e1)),
        Step("the power sum S_2", f"{signed(e1)} · {signed(e1)} - 2 · {signed(e2)}", str(sums[2])),
    ]
    for k in range(3, power + 1):
        work = f"{signed(e1)} · {signed(sums[-1])} - {signed(e2)} · {signed(sums[-2])}"
        work += f" + {signed(e3)} · {signed(sums[-3])}"
        sums.append(e1 * sums[-1] - e2 * sums[-2] + e3 * sums[-3])
        steps.append(Step(f"the power sum S_{k}", work, str(sums[-1])))
    check = [Step(f"the power of the root {r}", f"{signed(r)}^{power}", str(r**power)) for r in roots]
    check.append(Step("their sum", sum_of([r**power for r in roots]), str(sums[-1])))
    return Problem(
        "power_sums",
        "12",
        question,
        f"the sum of the {power}th powers of the roots of {polynomial}",
        f"With the elementary symmetric values {e1}, {e2} and {e3}, Newton's identity S_k = {e1} S_(k-1) - "
        f"{signed(e2)} S_(k-2) + {signed(e3)} S_(k-3) leads up to S_{power}.",
        tuple(steps),
        str(sums[-1]),
        f"Trying divisors of {abs(e3)} shows that the roots are {a}, {b} and {c}, so the powers can be "
        "added directly.",
        tuple(check),
        (
            ("What is S_0?", "Three roots to the power 0 give S_0 = 3."),
            (
                "Did I get the signs of the symmetric values right?",
                f"The coefficient of x^2 is the negative of r + s + t, so the "
                f"sum is {e1}; the coefficient of x is {e2}; the constant is the negative of the product, "
                f"which is {e3}.",
            ),
        ),
    )


def _horner(coefficients: list[int], x: int, name: str) -> list[Step]:
    steps, value = [], coefficients[0]
    for i, c in enumerate(coefficients[1:], 1):
        new = value * x + c
        work = f"{signed(value)} · {signed(x)} {'-' if c < 0 else '+'} {abs(c)}"
        steps.append(Step(f"line {i} of Horner's scheme for {name}({x})", work, str(new)))
        value = new
    return steps


def polynomial_remainder(rng: random.Random, level: int) -> Problem:
    degree = 3 + level // 2
    coefficients = [rng.choice((1, 2, 3, -1, -2)), *[rng.randint(-9, 9) for _ in range(degree)]]
    p, q = rng.sample([x for x in range(-4, 6) if x], 2)
    at = rng.randint(6, 15)
    text = polynomial_text(coefficients)
    divisor = f"(x {'-' if p > 0 else '+'} {abs(p)})(x {'-' if q > 0 else '+'} {abs(q)})"
    who = person(rng)
    question = rng.choice(
        (
            f"The polynomial $P(x) = {text}$ is divided by ${divisor}$ with remainder $R(x)$. {find(rng)} $R({at})$.",
            f"{who} divides ${text}$ by ${divisor}$ and gets a linear remainder. {find(rng)} the value of "
            "this remainder at "
            f"$x = {at}$.",
            f"A straight line meets the graph of $y = {text}$ at $x = {p}$ and at $x = {q}$. At which "
            "height does it pass "
            f"over $x = {at}$?",
            f"Let $R$ be the polynomial of degree at most one that agrees with $P(x) = {text}$ at $x = {p}$ "
            f"and $x = {q}$. "
            f"{find(rng)} $R({at})$.{as_integer(rng)}",
        )
    )

    def at_point(x: int) -> int:
        value = 0
        for c in coefficients:
            value = value * x + c
        return value

    vp, vq = at_point(p), at_point(q)
    slope = (vp - vq) // (p - q)
    shift = vp - slope * p
    answer = slope * at + shift
    steps = [*_horner(coefficients, p, "P"), *_horner(coefficients, q, "P")]
    steps += [
        Step("the slope of the remainder", f"({vp} - {signed(vq)}) / ({p} - {signed(q)})", str(slope)),
        Step("the constant of the remainder", f"{vp} - {signed(slope)} · {signed(p)}", str(shift)),
        Step(f"the remainder at {at}", f"{signed(slope)} · {at} + {signed(shift)}", str(answer)),
    ]
    check = []
    for x, value in ((p, vp), (q, vq)):
        work = " + ".join(f"{signed(c)} · {signed(x)}^{degree - i}" for i, c in enumerate(coefficients))
        check.append(Step(f"P({x}) from the powers of {x}", work, str(value)))
    work = f"{signed(vq)} · ({at} - {signed(p)}) / ({q} - {signed(p)})"
    work += f" + {signed(vp)} · ({at} - {signed(q)}) / ({p} - {signed(q)})"
    check.append(Step(f"Lagrange's interpolation at {at}", work, str(answer)))
    return Problem(
        "polynomial_remainder",
        "12",
        question,
        f"the value at {at} of the line through the points at {p} and {q}",
        f"The remainder is a line that agrees with P at {p} and at {q}, so two values of P decide it.",
        tuple(steps),
        str(answer),
        "Plain powers and Lagrange's formula give a second route.",
        tuple(check),
        (
            (
                "Why does the remainder agree with P there?",
                f"At x = {p} and x = {q} the divisor is zero, so only the remainder is left.",
            ),
            (
                "Is a power of x missing, so that Horner's scheme needs a zero?",
                f"I write every coefficient, zeros included: {', '.join(map(str, coefficients))}.",
            ),
        ),
    )


def trace_of_power(rng: random.Random, level: int) -> Problem:
    a, b, c, d = (rng.randint(-4, 6) for _ in range(4))
    if b == 0 or c == 0:
        b, c = 2, 3
    power = 3 + level + rng.randint(0, 1)
    matrix = f"\\begin{{pmatrix}} {a} & {b} \\\\ {c} & {d} \\end{{pmatrix}}"
    who = person(rng)
    question = rng.choice(
        (
            f"Let $A = {matrix}$. {find(rng)} the trace of $A^{{{power}}}$.",
            f"{who} multiplies the matrix ${matrix}$ with itself until {power} factors are used. "
            f"{find(rng)} the sum of the "
            f"two diagonal entries of the product.",
            f"The eigenvalues of $M = {matrix}$ are $\\lambda$ and $\\mu$ (possibly complex). {find(rng)} "
            f"$\\lambda^{{{power}}} + \\mu^{{{power}}}$.{as_integer(rng)}",
        )
    )
    t, det = a + d, a * d - b * c
    steps = [
        Step("the trace of A", f"{a} + {signed(d)}", str(t)),
        Step("the determinant of A", f"{signed(a)} · {signed(d)} - {signed(b)} · {signed(c)}", str(det)),
    ]
    values = [2, t]
    for k in range(2, power + 1):
        work = f"{signed(t)} · {signed(values[-1])} - {signed(det)} · {signed(values[-2])}"
        values.append(t * values[-1] - det * values[-2])
        steps.append(Step(f"the trace of A^{k}", work, str(values[-1])))
    check: list[Step] = []
    p, q, r, s = a, b, c, d
    for k in range(2, power + 1):
        rows = ((p, a, q, c), (p, b, q, d), (r, a, s, c), (r, b, s, d))
        new = [w * x + y * z for w, x, y, z in rows]
        for name, (w, x, y, z), value in zip(
            ("top left", "top right", "lower left", "lower right"), rows, new, strict=True
        ):
            work = f"{signed(w)} · {signed(x)} + {signed(y)} · {signed(z)}"
            check.append(Step(f"the {name} entry of A^{k}", work, str(value)))
        p, q, r, s = new
    check.append(Step("the sum on the diagonal", f"{p} + {signed(s)}", str(p + s)))
    return Problem(
        "trace_of_power",
        "15",
        question,
        f"the trace of A^{power}",
        f"By Cayley and Hamilton A^2 = {t} A - {signed(det)} I, so the traces T_k of the powers satisfy T_k "
        f"= {t} T_(k-1) - "
        f"{signed(det)} T_(k-2).",
        tuple(steps),
        str(values[-1]),
        "Multiplying the matrices out entry by entry is slower but sure.",
        tuple(check),
        (
            ("What is the trace of A^0?", "A^0 is the identity, so its trace is 2."),
            (
                "May the eigenvalues be complex?",
                "Yes, but the sum of their powers stays an integer by the recursion.",
            ),
        ),
    )


def tridiagonal(rng: random.Random, level: int) -> Problem:
    while True:
        size = 3 + (level + 1) // 2
        diagonal = [rng.randint(1, 7) * rng.choice((1, 1, 1, -1)) for _ in range(size)]
        upper = [rng.randint(1, 4) for _ in range(size - 1)]
        lower = [rng.choice((-2, -1, 1, 2, 3)) for _ in range(size - 1)]
        minors = [1, diagonal[0]]
        for i in range(1, size):
            minors.append(diagonal[i] * minors[-1] - upper[i - 1] * lower[i - 1] * minors[-2])
        if all(minors):
            break
    entries = [
        [diagonal[i] if i == j else upper[i] if j == i + 1 else lower[j] if i == j + 1 else 0 for j in range(size)]
        for i in range(size)
    ]
    matrix = " \\\\ ".join(" & ".join(map(str, row)) for row in entries)
    matrix = f"\\begin{{pmatrix}} {matrix} \\end{{pmatrix}}"
    who = person(rng)
    listed = [", ".join(map(str, row)) for row in (diagonal, upper, lower)]
    question = rng.choice(
        (
            f"{find(rng)} the determinant of the matrix $${matrix}.$$",
            f"{who} fills a {size} by {size} table with zeros and then writes {listed[0]} along the main "
            f"diagonal, {listed[1]} "
            f"directly above it and {listed[2]} directly below it (each from top left). What is the "
            "determinant?",
            f"A box in space of dimension {size} is spanned by the rows of $${matrix}.$$ {find(rng)} its "
            "oriented volume, "
            f"that is, the determinant.{as_integer(rng)}",
        )
    )
    steps = [Step("the leading minor D_1", str(diagonal[0]), str(minors[1]))]
    pivots = [Fraction(minors[1])]
    check = [Step("the first pivot", str(diagonal[0]), str(diagonal[0]))]
    for i in range(1, size):
        tail = f"{signed(upper[i - 1])} · {signed(lower[i - 1])}"
        work = f"{signed(diagonal[i])} · {signed(minors[i])} - {tail} · {signed(minors[i - 1])}"
        steps.append(Step(f"the leading minor D_{i + 1}", work, str(minors[i + 1])))
        pivots.append(Fraction(minors[i + 1], minors[i]))
        check.append(Step(f"pivot number {i + 1}", f"{diagonal[i]} - {tail} / {over(pivots[-2])}", str(pivots[-1])))
    check.append(Step("the product of the pivots", " · ".join(over(p) for p in pivots), str(minors[-1])))
    return Problem(
        "tridiagonal",
        "15",
        question,
        f"the determinant of this {size} by {size} matrix",
        "Only three diagonals hold numbers, so expanding along the last row gives D_k = d_k D_(k-1) - "
        "u_(k-1) l_(k-1) D_(k-2).",
        tuple(steps),
        str(minors[-1]),
        "Gaussian elimination gives the determinant as the product of the pivots.",
        tuple(check),
        (
            ("What is D_0 in the recursion?", "The empty minor is 1."),
            (
                "Is the sign of the second term right?",
                "Expanding twice moves one row and one column, so it is a minus sign.",
            ),
        ),
    )
