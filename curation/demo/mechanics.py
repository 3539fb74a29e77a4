"""Problems of mechanics (70) and heat (80)."""

import random
from fractions import Fraction

from curation.demo.problem import Problem, Step, over, sum_of
from curation.demo.wording import as_fraction, as_integer, find, listed, person, place


def motion_phases(rng: random.Random, level: int) -> Problem:
    vehicle = rng.choice(("tram", "lift", "drone", "cart", "train", "ferry", "sledge", "robot"))
    phases = 2 + level
    speed, facts, steps, check = 2 * rng.randint(0, 6), [], [], []
    start, times_, speeds = speed, [], [speed]
    for i in range(1, phases + 1):
        seconds = 2 * rng.randint(1, 8)
        rate = rng.choice((0, 1, 2, 3, -1, -2))
        if speed + rate * seconds < 0:
            rate = 1
        if rate == 0 and speed == 0:
            rate = 2
        verb = (
            "keeps its speed" if rate == 0 else ("speeds up" if rate > 0 else "slows down") + f" at {abs(rate)} m/s^2"
        )
        facts.append(f"{verb} for {seconds} s")
        new = speed + rate * seconds
        sign = "-" if rate < 0 else "+"
        steps.append(Step(f"the speed after phase {i}", f"{speed} {sign} {abs(rate)} · {seconds}", str(new)))
        way = (speed + new) * seconds // 2
        steps.append(Step(f"the way in phase {i}", f"({speed} + {new}) / 2 · {seconds}", str(way)))
        check.append(
            Step(
                f"the way in phase {i} by v·t + a·t^2/2",
                f"{speed} · {seconds} {sign} {abs(rate)} · {seconds}^2 / 2",
                str(way),
            )
        )
        times_.append(way)
        speed = new
        speeds.append(new)
    average = rng.random() < 0.3
    who, where = person(rng), place(rng)
    initial = "from rest" if start == 0 else f"with a speed of {start} m/s"
    ask = "its average speed over the whole time, in m/s" if average else "the total distance covered, in metres"
    close = as_fraction(rng) if average else as_integer(rng)
    question = (
        rng.choice(
            (
                f"On a straight track near {where} a {vehicle} starts {initial}. It "
                f"{listed(facts, 'and finally')}. {find(rng)} {ask}."
                f"{close}",
                f"{who} steers a {vehicle} along a line. It begins {initial} and then "
                f"{listed(facts, 'and at last')}. {find(rng)} {ask}."
                f"{close}",
                f"A {vehicle} moves along a straight line. At time zero it goes {initial}; afterwards it "
                f"{listed(facts, 'and then')}. "
                f"What is {ask.replace(', in', ', measured in')}?{close}",
            )
        )
        .replace("goes from rest", "is at rest")
        .replace("goes with a speed of", "has a speed of")
    )
    total = sum(times_)
    seconds_all = [int(fact.split(" for ")[1].split()[0]) for fact in facts]
    answer = Fraction(total)
    steps.append(Step("the total way", sum_of(times_), str(total)))
    check.append(Step("the total way", sum_of(times_), str(total)))
    if average:
        duration = sum(seconds_all)
        answer = Fraction(total, duration)
        steps.append(Step("the total time", sum_of(seconds_all), str(duration)))
        steps.append(Step("the average speed", f"{total} / {duration}", str(answer)))
        check.append(Step("the average speed", f"{total} / ({sum_of(seconds_all)})", str(answer)))
    return Problem(
        "motion_phases",
        "70",
        question,
        ask,
        "In each phase the mean of the speeds at its ends times its length is the way.",
        tuple(steps),
        str(answer),
        "The formula v·t + a·t^2/2 gives each way without the mean speed.",
        tuple(check),
        (
            (
                "Does it ever move backwards?",
                f"The speeds at the ends of the phases are {', '.join(map(str, speeds))}, never negative, so no.",
            ),
            (
                "Is a mean of speeds allowed?",
                "Within a phase the acceleration is constant, so yes; over several phases it is not.",
            ),
        ),
    )


def energy_track(rng: random.Random, level: int) -> Problem:
    mass, height = 2 * rng.randint(1, 8), rng.randint(20, 60)
    body = rng.choice(("sled", "cart", "crate", "trolley", "wagon"))
    who, where = person(rng), place(rng)
    parts, steps, moves = [], [], []
    energy = mass * 10 * height
    first = energy
    steps.append(Step("the energy at the start, in joules", f"{mass} · 10 · {height}", str(energy)))
    for _ in range(level + 1):
        if rng.random() < 0.5:
            friction, length = rng.randint(1, 5) * mass // 2, rng.randint(2, 12)
            if friction * length >= energy:
                continue
            parts.append(f"a rough stretch of {length} m with a friction force of {friction} N")
            steps.append(
                Step(
                    f"the energy after part {len(parts)}",
                    f"{energy} - {friction} · {length}",
                    str(energy - friction * length),
                )
            )
            energy -= friction * length
            moves.append(-friction * length)
        else:
            rise = rng.choice((-1, 1)) * rng.randint(1, 6)
            if mass * 10 * rise >= energy:
                continue
            parts.append(f"a smooth {'climb' if rise > 0 else 'descent'} of {abs(rise)} m")
            work = f"{energy} {'-' if rise > 0 else '+'} {mass} · 10 · {abs(rise)}"
            energy -= mass * 10 * rise
            steps.append(Step(f"the kinetic energy after part {len(parts)}", work, str(energy)))
            moves.append(-mass * 10 * rise)
    squared = rng.random() < 0.5
    ask = "the square of its speed at the end, in m^2/s^2" if squared else "its kinetic energy at the end, in joules"
    route = listed(parts, "and finally")
    question = rng.choice(
        (
            f"A {body} of {mass} kg is let go at rest and slides without friction down a ramp that drops "
            f"{height} m. It then "
            f"passes, in this order, {route}. Take g = 10 m/s^2. {find(rng)} {ask}.",
            f"At {where} a {body} ({mass} kg) starts from rest {height} m above the valley floor and "
            "reaches the floor without "
            f"losses. After this come {route}. With g = 10 m/s^2, {find(rng).lower()} {ask}.",
            f"{who} releases a {mass} kg {body} at a height of {height} m; the way down is frictionless. "
            "What follows is "
            f"{route}. {find(rng)} {ask}, using 10 m/s^2 for the acceleration of free fall.",
        )
    )
    answer = Fraction(energy)
    change = sum(moves)
    check = [
        Step("all changes after the ramp together", sum_of(moves), str(change)),
        Step(
            "the kinetic energy at the end",
            f"{first} {'-' if change < 0 else '+'} {abs(change)}",
            str(energy),
        ),
    ]
    if squared:
        answer = Fraction(2 * energy, mass)
        steps.append(Step("the squared speed", f"2 · {energy} / {mass}", str(answer)))
        check.append(Step("the squared speed", f"{energy} / ({mass} / 2)", str(answer)))
    return Problem(
        "energy_track",
        "70",
        question,
        ask,
        "Energy is kept on smooth parts; friction takes force times length.",
        tuple(steps),
        str(answer),
        "Only the sum of gains and losses matters, so they can be collected first.",
        tuple(check),
        (
            (
                "Does a smooth climb give energy back?",
                "Only when the track descends again; a climb of h costs m·g·h.",
            ),
            (
                "Does the body get as far as the end?",
                f"Its kinetic energy stays positive all the way, the last value is {energy} J.",
            ),
        ),
    )


def heat_mixing(rng: random.Random, level: int) -> Problem:
    portions = [(rng.randint(1, 9), 5 * rng.randint(1, 15)) for _ in range(2 + level // 2)]
    vessel = rng.choice(
        ("an insulated tank", "a thermos", "a lined tub", "a calorimeter", "a vat with perfect insulation")
    )
    who, where = person(rng), place(rng)
    heater = 42 * rng.randint(1, 9) if level > 2 else 0
    removed = rng.randint(1, sum(m for m, _ in portions) - 1) if level > 1 else 0
    extra = (rng.randint(1, 8), 5 * rng.randint(1, 18))
    first = listed([f"{m} kg at {t} °C" for m, t in portions])
    heat = f" A heater then supplies {heater} kJ." if heater else ""
    change = f" After mixing one draws off {removed} kg and adds {extra[0]} kg at {extra[1]} °C." if removed else ""
    law = "specific heat of water 4.2 kJ/(kg K), no losses, no boiling"
    question = rng.choice(
        (
            f"Water is poured together in {vessel}: {first}.{heat}{change} {find(rng)} the final "
            f"temperature in °C ({law})."
            f"{as_fraction(rng)}",
            f"{who} fills {vessel} with {first} of water.{heat}{change} Which temperature in °C is reached "
            "in the end? "
            f"Assume: {law}.{as_fraction(rng)}",
            f"A laboratory in {where} combines water in {vessel}, namely {first}.{heat}{change} With {law}, "
            f"{find(rng).lower()} the temperature in °C at the end.{as_fraction(rng)}",
        )
    )
    mass, product = sum(m for m, _ in portions), sum(m * t for m, t in portions)
    temperature = Fraction(product, mass)
    steps = [
        Step("the first mass in kg", sum_of([m for m, _ in portions]), str(mass)),
        Step("the sum of mass times temperature", " + ".join(f"{m} · {t}" for m, t in portions), str(product)),
        Step("the temperature of the mixture", f"{product} / {mass}", str(temperature)),
    ]
    check = []
    if len(portions) > 1:
        m, t = portions[0][0], Fraction(portions[0][1])
        for i, (n, u) in enumerate(portions[1:], 2):
            new = (m * t + n * u) / (m + n)
            check.append(
                Step(
                    f"the temperature after portion {i}",
                    f"{over(t)} + {n} · ({u} - {over(t)}) / ({m} + {n})",
                    str(new),
                )
            )
            m, t = m + n, new
    if heater:
        new = temperature + Fraction(heater * 10, 42 * mass)
        steps.append(
            Step("the temperature after heating", f"{over(temperature)} + {heater} / (4.2 · {mass})", str(new))
        )
        check.append(Step("the heated mixture", f"({product} + {heater} / 4.2) / {mass}", str(new)))
        temperature = new
    if removed:
        left = mass - removed
        new = (left * temperature + extra[0] * extra[1]) / (left + extra[0])
        steps.append(Step("the mass that stays", f"{mass} - {removed}", str(left)))
        work = f"({left} · {over(temperature)} + {extra[0]} · {extra[1]}) / ({left} + {extra[0]})"
        steps.append(Step("the temperature after the exchange", work, str(new)))
        work = f"{over(temperature)} + {extra[0]} / {left + extra[0]} · ({extra[1]} - {over(temperature)})"
        check.append(Step("the exchange as a shift towards the added water", work, str(new)))
        temperature = new
    return Problem(
        "heat_mixing",
        "80",
        question,
        "the final temperature in °C",
        "Without losses, mass times temperature is additive, because the specific heat is the same everywhere.",
        tuple(steps),
        str(temperature),
        "Each addition shifts the temperature towards that of the added water by its share.",
        tuple(check),
        (
            ("Does drawing off change the temperature?", "No, only the mass."),
            ("Celsius or kelvin?", "Only differences matter in mixing, so degrees Celsius are fine."),
        ),
    )
