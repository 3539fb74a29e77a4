"""Problems of number theory (11)."""

import random
from math import gcd, prod

from curation.demo.problem import Problem, Step
from curation.demo.wording import as_integer, find, listed, person, place

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23)


def _reduce(goal: str, left: str, total: int, modulus: int) -> Step:
    quotient, rest = divmod(total, modulus)
    return Step(goal, f"{left} - {quotient} · {modulus}", str(rest))


def modular_power(rng: random.Random, level: int) -> Problem:
    modulus = rng.randint(11, 40 + 25 * level)
    base = rng.choice([b for b in range(2, modulus) if gcd(b, modulus) == 1])
    exponent = rng.randint(2 ** (level + 2), 2 ** (level + 4))
    start = rng.choice([1, 1, rng.randint(2, 9)])
    power, answer = f"${base}^{{{exponent}}}$", start * pow(base, exponent, modulus) % modulus
    who, where = person(rng), place(rng)
    if start == 1:
        question = rng.choice(
            (
                f"{find(rng)} the remainder that {power} leaves on division by {modulus}.{as_integer(rng)}",
                f"{who} writes {power} as a multiple of {modulus} plus a remainder $r$ with $0 \\le r < "
                f"{modulus}$. "
                f"Which value has $r$?",
                f"A dial in {where} has {modulus} positions, numbered 0 to {modulus - 1}, and wraps around. "
                "It stands "
                f"at 1, and every press multiplies its position by {base}. Where does it stand after "
                f"{exponent} presses?",
                f"Let $N = {base}^{{{exponent}}}$. {who} subtracts {modulus} from $N$ as often as the "
                "result stays "
                f"non-negative. {find(rng)} the number that is left.",
            )
        )
    else:
        question = rng.choice(
            (
                f"{find(rng)} the remainder of $N = {start} \\cdot {base}^{{{exponent}}}$ modulo {modulus}."
                f"{as_integer(rng)}",
                f"A counter built by {who} holds a number from 0 to {modulus - 1}. It begins at {start}; "
                "each second "
                f"its content is multiplied by {base} and reduced modulo {modulus}. What does it show "
                f"{exponent} "
                f"seconds later?",
                f"In {where} a game has {modulus} squares in a ring, numbered from 0. A token on square "
                f"{start} jumps, "
                f"at each of {exponent} turns, from square $s$ to the square with number ${base}s$ modulo "
                f"{modulus}. "
                f"On which square does it end?",
            )
        )
    steps, value, reached = [], base, 1
    for bit in bin(exponent)[3:]:
        reached, square = 2 * reached, value * value
        steps.append(_reduce(f"{base}^{reached} modulo {modulus}", f"{value} · {value}", square, modulus))
        value = square % modulus
        if bit == "1":
            reached += 1
            steps.append(_reduce(f"{base}^{reached} modulo {modulus}", f"{value} · {base}", value * base, modulus))
            value = value * base % modulus
    if start > 1:
        steps.append(_reduce(f"the product with the start {start}", f"{start} · {value}", start * value, modulus))
    cycle, order = [Step(f"{base}^1 modulo {modulus}", str(base), str(base))], 1
    value = base
    while value != 1:
        order += 1
        cycle.append(_reduce(f"{base}^{order} modulo {modulus}", f"{value} · {base}", value * base, modulus))
        value = value * base % modulus
    short = exponent % order
    cycle.append(_reduce(f"the exponent modulo the period {order}", str(exponent), exponent, order))
    last = pow(base, short, modulus)
    cycle.append(
        _reduce(
            f"the answer from {base}^{short}, which is {last} modulo {modulus}",
            f"{start} · {last}",
            start * last,
            modulus,
        )
    )
    return Problem(
        "modular_power",
        "11",
        question,
        f"{start} · {base}^{exponent} modulo {modulus}" if start > 1 else f"{base}^{exponent} modulo {modulus}",
        f"Squaring and multiplying by {base} along the binary digits of {exponent} keeps all numbers below "
        f"{modulus}.",
        tuple(steps),
        str(answer),
        f"The powers of {base} modulo {modulus} repeat, so the exponent only matters modulo the period.",
        tuple(cycle),
        (
            (
                f"May I use the period at all, is {base} coprime to {modulus}?",
                f"Their greatest common divisor is "
                f"gcd({base}, {modulus}) = 1, so the powers run in a pure cycle that returns to 1.",
            ),
            (
                "Could the exponent be off by one?",
                f"The value is multiplied by {base} exactly {exponent} times, so the exponent is {exponent}.",
            ),
        ),
    )


def remainder_system(rng: random.Random, level: int) -> Problem:
    count = min(2 + level // 2, 4)
    while True:
        moduli = sorted(rng.sample(range(4, 14 + 2 * level), count))
        if all(gcd(a, b) == 1 for i, a in enumerate(moduli) for b in moduli[:i]):
            break
    rests = [rng.randrange(1, m) for m in moduli]
    bound = rng.choice([0, 100 * rng.randint(2, 60)])
    things, rows = rng.choice(
        (
            ("plates", "stacks"),
            ("marchers", "rows"),
            ("bulbs", "beds"),
            ("stamps", "pages"),
            ("coins", "piles"),
            ("books", "shelves"),
            ("tiles", "strips"),
            ("eggs", "trays"),
        )
    )
    who, where = person(rng), place(rng)
    least = f"more than {bound} {things}" if bound else f"at least one of the {things}"
    if rng.random() < 0.35:
        facts = listed([f"$n \\equiv {r} \\pmod{{{m}}}$" for r, m in zip(rests, moduli, strict=True)])
        lowest = f"the smallest integer $n > {bound}$" if bound else "the smallest positive integer $n$"
        question = rng.choice(
            (f"{find(rng)} {lowest} with {facts}.", f"Let $n$ satisfy {facts}. {find(rng)} {lowest}.")
        )
    else:
        facts = listed(
            [
                f"{r} {'is' if r == 1 else 'are'} left over in {rows} of {m}"
                for r, m in zip(rests, moduli, strict=True)
            ]
        )
        question = rng.choice(
            (
                f"{who} sorts {things} in {where} into equal {rows}: {facts}. There are {least}. What is "
                "the smallest "
                f"possible number of {things}?",
                f"Counting the {things} of {who} gives the following: {facts}. Knowing that there are "
                f"{least}, "
                f"{find(rng).lower()} the least number that fits.",
                f"How many {things} does {who} own at the least, if {facts}, and there are {least}?",
            )
        )
    steps, value, modulus = [], rests[0], moduli[0]
    for rest, other in zip(rests[1:], moduli[1:], strict=True):
        factor = next(t for t in range(other) if (value + modulus * t - rest) % other == 0)
        goal = f"the number below {modulus * other} that leaves {rest} modulo {other} as well"
        steps.append(Step(goal, f"{value} + {modulus} · {factor}", str(value + modulus * factor)))
        value, modulus = value + modulus * factor, modulus * other
    answer = value
    if bound:
        rounds = max(0, -(-(bound + 1 - value) // modulus))
        answer = value + rounds * modulus
        steps.append(Step(f"the first such number above {bound}", f"{value} + {rounds} · {modulus}", str(answer)))
    check = [
        Step(f"the remainder modulo {m}", f"{answer} - {answer // m} · {m}", str(r))
        for r, m in zip(rests, moduli, strict=True)
    ]
    check.append(
        Step(
            f"the distance to the next smaller solution below {bound + 1}",
            f"{answer} - {modulus}",
            str(answer - modulus),
        )
    )
    check.append(Step("the number itself", f"{answer - modulus} + {modulus}", str(answer)))
    return Problem(
        "remainder_system",
        "11",
        question,
        f"the smallest number with these {count} remainders",
        f"I join the conditions one after another; since {listed([str(m) for m in moduli])} are pairwise "
        "coprime, the "
        f"solutions repeat with period {modulus}.",
        tuple(steps),
        str(answer),
        "Putting the number back into every condition shows that it fits.",
        tuple(check),
        (
            (
                "Are the divisors pairwise coprime?",
                f"Yes, no two of {listed([str(m) for m in moduli])} share a factor, so "
                f"exactly one residue modulo {modulus} works.",
            ),
            (
                "Is there a smaller one?",
                f"Solutions differ by multiples of {modulus}, and {answer} - {modulus} = "
                f"{answer - modulus} is not allowed.",
            ),
        ),
    )


def divisors(rng: random.Random, level: int) -> Problem:
    primes = sorted(rng.sample(PRIMES[: 4 + level // 2], min(2 + level // 2, 4)))
    powers = [rng.randint(1, 2 + level // 2) + (p < 4) for p in primes]
    number = prod(p**e for p, e in zip(primes, powers, strict=True))
    index = rng.randrange(len(primes))
    need = rng.randint(1, powers[index])
    factor = primes[index] ** need
    form = " \\cdot ".join(f"{p}^{{{e}}}" for p, e in zip(primes, powers, strict=True))
    given = rng.choice((f"${form}$", str(number))) if number < 10**6 else f"${form}$"
    ask = rng.choice(("count", "sum", "squares"))
    who = person(rng)
    noun = {
        "count": f"the number of positive divisors of $N$ that are multiples of {factor}",
        "sum": f"the sum of the positive divisors of $N$ that are multiples of {factor}",
        "squares": "how many positive divisors of $N$ are perfect squares",
    }[ask]
    story = {
        "count": f"{who} lists every positive divisor of {given} and strikes out those not divisible by "
        f"{factor}. "
        f"How many remain?",
        "sum": f"{who} lists every positive divisor of {given}, strikes out those not divisible by "
        f"{factor}, and adds up the rest. {find(rng)} this total.",
        "squares": f"{who} lists every positive divisor of {given} and circles the squares, 1 included. "
        "How many circles are drawn?",
    }[ask]
    question = rng.choice(
        (
            f"Let $N = {given.strip('$')}$. {find(rng)} {noun}.",
            story,
            f"For $N$ equal to {given}, {find(rng).lower()} {noun}.",
        )
    )
    steps, values = (
        [
            Step(
                "the size of N",
                " · ".join(f"{p}^{e}" for p, e in zip(primes, powers, strict=True)),
                str(number),
            )
        ],
        [],
    )
    for i, (prime, power) in enumerate(zip(primes, powers, strict=True)):
        low = need if i == index and ask != "squares" else 0
        if ask == "sum":
            value = sum(prime**j for j in range(low, power + 1))
            work = " + ".join(f"{prime}^{j}" for j in range(low, power + 1))
        elif ask == "count":
            value, work = power - low + 1, f"{power} - {low} + 1"
        else:
            value, work = power // 2 + 1, f"({power} - {power % 2}) / 2 + 1"
        steps.append(Step(f"the {'sum' if ask == 'sum' else 'choices'} for the prime {prime}", work, str(value)))
        values.append(value)
    answer = prod(values)
    steps.append(Step("the product over the primes", " · ".join(map(str, values)), str(answer)))
    cofactor = number // factor
    check, total = [], 1
    for prime, value in zip(primes, values, strict=True):
        check.append(Step(f"the product up to the prime {prime}", f"{total} · {value}", str(total * value)))
        total *= value
    idea = (
        f"The multiples of {factor} among the divisors are {factor} times the divisors of {cofactor}."
        if ask != "squares"
        else "A square divisor has an even exponent at every prime, so I count even exponents prime by prime."
    )
    return Problem(
        "divisors",
        "11",
        question,
        noun.replace("$", ""),
        f"I factor N into powers of {listed([str(p) for p in primes])} and treat each prime on its own.",
        tuple(steps),
        str(answer),
        idea,
        tuple(check),
        (
            (
                f"Does the condition touch the primes other than {primes[index]}?",
                "No, each other exponent stays free."
                if ask != "squares"
                else "Every prime is touched: all exponents have to be even.",
            ),
            (
                "Do 1 and N count as divisors?",
                "Yes, they are divisors, and the condition alone decides about them.",
            ),
        ),
    )
