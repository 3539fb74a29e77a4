"""The bundled benchmark: problems with wordings and scenarios that the pool does not use."""

import random
from collections.abc import Callable
from math import comb

from curation.demo.problem import Problem, Step
from curation.demo.wording import FIND, find

NUM_SCENARIOS = 40
NUM_SHORT = 12
NUM_EMBEDDING = 8


def _problem(kind: str, domain: str, question: str, target: str, plan: str, steps: list[Step]) -> Problem:
    last = steps[-1]
    return Problem(
        kind,
        domain,
        question,
        target,
        plan,
        tuple(steps),
        last.value,
        "I simply do the lines over.",
        tuple(steps),
    )


def bus_line(rng: random.Random) -> Problem:
    aboard, stops = rng.randint(9, 40), rng.randint(5, 12)
    on = rng.randint(4, 9)
    off = rng.randint(1, on - 1)
    question = (
        f"A night bus pulls out of its terminal carrying {aboard} passengers, and at every one of the next "
        f"{stops} stops exactly "
        f"{off} of them step off while {on} newcomers climb in; how many passengers sit in the bus after "
        "the last of these stops?"
    )
    gain = on - off
    steps = [
        Step("the gain at a stop", f"{on} - {off}", str(gain)),
        Step("the passengers at the end", f"{aboard} + {stops} · {gain}", str(aboard + stops * gain)),
    ]
    return _problem(
        "bus_line",
        "11",
        question,
        "the passengers at the end",
        "Each stop changes the number equally.",
        steps,
    )


def handshakes(rng: random.Random) -> Problem:
    guests, feuds = rng.randint(9, 40), rng.randint(2, 8)
    question = (
        f"During a congress dinner each of the {guests} delegates shakes hands exactly once with every "
        "other delegate, except "
        f"that {feuds} feuding pairs refuse to greet one another. Count the handshakes of the evening."
    )
    pairs = comb(guests, 2)
    steps = [
        Step("all pairs", f"C({guests},2)", str(pairs)),
        Step("the handshakes", f"{pairs} - {feuds}", str(pairs - feuds)),
    ]
    return _problem(
        "handshakes",
        "05",
        question,
        "the handshakes",
        "Handshakes are pairs without the feuding ones.",
        steps,
    )


def trailing_zeros(rng: random.Random) -> Problem:
    top = rng.randint(30, 124)
    question = (
        f"An accountant multiplies together all the whole numbers from one up to {top} and prints the "
        "gigantic product on a long "
        f"strip of paper. With how many zeros does the printed product end?"
    )
    fives, more = top // 5, top // 25
    steps = [
        Step("the multiples of 5", f"({top} - {top % 5}) / 5", str(fives)),
        Step("the multiples of 25", f"({top} - {top % 25}) / 25", str(more)),
        Step("the factors 5 in the product", f"{fives} + {more}", str(fives + more)),
    ]
    return _problem(
        "trailing_zeros",
        "11",
        question,
        "the zeros at the end",
        "Factors 5 are scarcer than factors 2.",
        steps,
    )


def crate_rod(rng: random.Random) -> Problem:
    a, b, c = (rng.randint(3, 25) for _ in range(3))
    question = (
        f"Inside a wooden crate whose edges measure {a}, {b} and {c} decimetres somebody wedges the longest "
        "straight thin rod that "
        f"the crate can hold; what is the square of the rod's length in square decimetres?"
    )
    steps = [Step("the squared diagonal", f"{a}^2 + {b}^2 + {c}^2", str(a * a + b * b + c * c))]
    return _problem("crate_rod", "51", question, "the squared diagonal", "Pythagoras in space.", steps)


def three_dice(rng: random.Random) -> Problem:
    total = rng.randint(7, 14)
    ways = [max(0, 6 - abs(total - first - 7)) for first in range(1, 7)]
    question = (
        "Three ordinary dice coloured crimson, ivory and teal are thrown onto a tray, and the pips that "
        f"show add up to {total}. "
        f"In how many of the 216 outcomes does this occur?"
    )
    answer = sum(ways)
    steps = [Step("the outcomes, by the crimson die", " + ".join(map(str, ways)), str(answer))]
    return _problem(
        "three_dice", "60", question, f"the outcomes with total {total}", "I split by the crimson die.", steps
    )


def theatre(rng: random.Random) -> Problem:
    first, more, count = rng.randint(12, 30), rng.randint(2, 5), rng.randint(10, 28)
    last = first + (count - 1) * more
    question = (
        f"An open-air theatre seats {first} spectators in its front row and {more} spectators more in each "
        "following row than in "
        f"the row before it, up to the back row, which is number {count}. How many spectators fill the "
        "theatre?"
    )
    steps = [
        Step("the last row", f"{first} + ({count} - 1) · {more}", str(last)),
        Step("all seats", f"{count} · ({first} + {last}) / 2", str(count * (first + last) // 2)),
    ]
    return _problem("theatre", "40", question, "all seats", "The rows form an arithmetic progression.", steps)


def pie_stall(rng: random.Random) -> Problem:
    cheap, dear = rng.randint(2, 5), rng.randint(6, 9)
    plums, pears = rng.randint(11, 48), rng.randint(7, 36)
    number, money = plums + pears, plums * cheap + pears * dear
    question = (
        f"A stall charged {cheap} crowns for a plum pie and {dear} crowns for a pear pie; by sunset "
        f"{number} pies had gone and the "
        f"cash box held {money} crowns. How many of the pies sold were pear pies?"
    )
    steps = [
        Step("the price of plum pies only", f"{number} · {cheap}", str(number * cheap)),
        Step("what is missing", f"{money} - {number * cheap}", str(money - number * cheap)),
        Step("the pear pies", f"{money - number * cheap} / ({dear} - {cheap})", str(pears)),
    ]
    return _problem("pie_stall", "15", question, "the pear pies", "Suppose first that all were plum pies.", steps)


def braking(rng: random.Random) -> Problem:
    rate, seconds = 2 * rng.randint(1, 4), rng.randint(3, 9)
    speed, wait = rate * seconds, rng.randint(2, 4)
    question = (
        f"A lorry rolls at {speed} metres per second when a deer appears; its driver needs {wait} seconds "
        "to react, and then the "
        f"brakes take {rate} metres per second off the speed in every second. How many metres does the "
        "lorry still cover?"
    )
    steps = [
        Step("the way during the reaction", f"{speed} · {wait}", str(speed * wait)),
        Step("the braking way", f"{speed}^2 / (2 · {rate})", str(speed * speed // (2 * rate))),
        Step(
            "both",
            f"{speed * wait} + {speed * speed // (2 * rate)}",
            str(speed * wait + speed * speed // (2 * rate)),
        ),
    ]
    return _problem("braking", "70", question, "the stopping distance", "Reaction and braking are two phases.", steps)


def alloy(rng: random.Random) -> Problem:
    p, q = 10 * rng.randint(2, 5), 10 * rng.randint(6, 9)
    a, b = 10 * rng.randint(3, 25), 10 * rng.randint(3, 25)
    question = (
        f"A jeweller melts {a} grams of an alloy that is {p} percent silver together with {b} grams of "
        f"another alloy that is {q} "
        f"percent silver. How many grams of pure silver does the resulting ingot contain?"
    )
    x, y = a * p // 100, b * q // 100
    steps = [
        Step("silver from the first", f"{a} · {p} / 100", str(x)),
        Step("silver from the second", f"{b} · {q} / 100", str(y)),
        Step("all silver", f"{x} + {y}", str(x + y)),
    ]
    return _problem("alloy", "98", question, "the silver in the ingot", "Silver is kept when metals melt.", steps)


def moved_mean(rng: random.Random) -> Problem:
    count, mean, lift = rng.randint(5, 15), rng.randint(50, 80), rng.randint(1, 2)
    new = mean + lift
    question = (
        f"A trainee averaged {mean} points over the first {count} examinations of a course, and the "
        "following examination lifted "
        f"that average to exactly {new} points. How many points did the following examination bring?"
    )
    steps = [
        Step("the old total", f"{count} · {mean}", str(count * mean)),
        Step("the new total", f"({count} + 1) · {new}", str((count + 1) * new)),
        Step(
            "the points of the last one",
            f"{(count + 1) * new} - {count * mean}",
            str((count + 1) * new - count * mean),
        ),
    ]
    return _problem(
        "moved_mean",
        "62",
        question,
        "the points of the last examination",
        "Averages come from totals.",
        steps,
    )


SCENARIOS = (
    bus_line,
    handshakes,
    trailing_zeros,
    crate_rod,
    three_dice,
    theatre,
    pie_stall,
    braking,
    alloy,
    moved_mean,
)


def short(rng: random.Random) -> Problem:
    """A question of four to seven words."""
    verb = find(rng)
    kind = rng.randrange(4)
    if kind == 0:
        base, exponent, modulus = rng.randint(3, 19), rng.randint(3, 6), rng.choice((23, 29, 31, 37, 41, 43))
        value, power = pow(base, exponent, modulus), base**exponent
        question = f"{verb} {base}^{exponent} modulo {modulus}."
        work = f"{power} - {power // modulus} · {modulus}"
        steps = [Step("the power", f"{base}^{exponent}", str(power)), Step("its remainder", work, str(value))]
    elif kind == 1:
        exponent = rng.randint(14, 60)
        digits = str(2**exponent)
        question = f"{verb} the digit sum of 2^{exponent}."
        adding = " + ".join(digits)
        steps = [
            Step("the power", f"2^{exponent}", digits),
            Step("its digit sum", adding, str(sum(map(int, digits)))),
        ]
    elif kind == 2:
        n, k = rng.randint(9, 20), rng.randint(2, 4)
        question = f"{verb} C({n},{k}) minus C({n},{k - 1})."
        a, b = comb(n, k), comb(n, k - 1)
        steps = [
            Step("the first number", f"C({n},{k})", str(a)),
            Step("the second number", f"C({n},{k - 1})", str(b)),
            Step("the difference", f"{a} - {b}", str(a - b)),
        ]
    else:
        first, last = rng.randint(2, 9), rng.randint(30, 90)
        question = f"{verb} the sum {first}+...+{last}."
        value = (first + last) * (last - first + 1) // 2
        steps = [Step("the sum", f"({first} + {last}) · ({last} - {first} + 1) / 2", str(value))]
    return _problem("short", "11", question, "this value", "This is a matter of computing.", steps)


def embedding(rng: random.Random, inner: Problem) -> Problem:
    """A longer problem in which the words of `inner` stand one after another."""
    factor = rng.randint(2, 9)
    question = (
        f"Upon a crumpled worksheet a pupil deciphers this line: {inner.question} Having obeyed it, the "
        "pupil multiplies what came "
        f"out by {factor}. Which final number belongs underneath?"
    )
    answer = int(inner.answer) * factor
    steps = [*inner.steps, Step("the final number", f"{inner.answer} · {factor}", str(answer))]
    return _problem("embedding", "11", question, "the number underneath", "First the line, then the factor.", steps)


def make_benchmark(rng: random.Random) -> tuple[list[Problem], list[Problem], list[Problem], list[Problem]]:
    """Draw (scenarios, short ones, ones that embed a short line, those lines); all but the lines are used."""
    seen: set[str] = set()

    def fresh(make: Callable[[random.Random], Problem]) -> Problem:
        while True:
            problem = make(rng)
            # two of the short lines that differ in the verb alone ask the same
            key = problem.question.split(" ", 1)[1] if problem.question.split(" ", 1)[0] in FIND else problem.question
            if key not in seen:
                seen.add(key)
                return problem

    scenarios = [fresh(SCENARIOS[i % len(SCENARIOS)]) for i in range(NUM_SCENARIOS)]
    shorts = [fresh(short) for _ in range(NUM_SHORT)]
    lines = [fresh(short) for _ in range(NUM_EMBEDDING)]
    return scenarios, shorts, [embedding(rng, line) for line in lines], lines
