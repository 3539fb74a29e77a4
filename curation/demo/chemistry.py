"""Problems of chemistry (98) and biology (92)."""

import random
from fractions import Fraction

from curation.demo.problem import Problem, Step, over
from curation.demo.wording import as_fraction, find, listed, person, place


def dilution(rng: random.Random, level: int) -> Problem:
    solute = rng.choice(("salt", "sugar", "glucose", "copper sulfate", "potassium nitrate", "citric acid", "urea"))
    volume, content = 2 * rng.randint(2, 10), 12 * rng.randint(5, 30)
    rounds = 1 + (level + 1) // 2
    facts, steps, check = [], [], []
    mass, amount = Fraction(content), volume
    factor = Fraction(1)
    for i in range(1, rounds + 1):
        out = rng.randint(1, amount // 2)
        back = rng.randint(1, amount // 2)
        grams = rng.choice((0, 0, 6, 12)) if level > 3 else 0
        facts.append(
            f"one takes out {out} L and puts in {back} L of pure water"
            + (f" with {grams} g of fresh {solute}" if grams else "")
        )
        new = mass * Fraction(amount - out, amount) + grams
        tail = f" + {grams}" if grams else ""
        steps.append(
            Step(
                f"the mass after exchange {i}, in g",
                f"{over(mass)} · {amount - out} / {amount}{tail}",
                str(new),
            )
        )
        work = f"{over(mass)} - {out} · {over(mass / amount)}{tail}"
        check.append(Step(f"the mass after exchange {i}, by what is taken out", work, str(new)))
        factor *= Fraction(amount - out, amount)
        mass, volume_before = new, amount
        amount = amount - out + back
        steps.append(Step(f"the volume after exchange {i}, in L", f"{volume_before} - {out} + {back}", str(amount)))
    answer = mass / amount
    who, where = person(rng), place(rng)
    story = listed(facts, "and afterwards")
    question = rng.choice(
        (
            f"{who} dissolves {content} g of {solute} in water and fills up to {volume} L. Then {story}; "
            "everything is stirred well "
            f"before and after each exchange. {find(rng)} the final concentration in grams per "
            f"litre.{as_fraction(rng)}",
            f"A vessel in {where} contains {volume} L of a well-stirred solution with {content} g of "
            f"{solute}. In sequence, {story}. "
            f"Which concentration, in g/L, results (always fully mixed)?{as_fraction(rng)}",
            f"{volume} litres of solution hold {content} g of {solute}, evenly mixed at all times. If "
            f"{story}, what is the "
            f"concentration in g/L in the end?{as_fraction(rng)}",
        )
    )
    steps.append(Step("the concentration in g/L", f"{over(mass)} / {amount}", str(answer)))
    check.append(Step("the final concentration", f"{over(mass)} / {amount}", str(answer)))
    return Problem(
        "dilution",
        "98",
        question,
        "the final concentration in g/L",
        f"Taking out a share of the volume takes out the same share of the {solute}.",
        tuple(steps),
        str(answer),
        "Instead of the share that stays I can compute the grams that leave.",
        tuple(check),
        (
            ("Does adding water change the mass of the solute?", "No, only the volume."),
            ("Is the volume the same before each exchange?", "Not always, so I keep track of it."),
        ),
    )


def reaction_yield(rng: random.Random, level: int) -> Problem:
    length = 2 + level
    letters = "ABCDEFGHIJ"[: length + 1]
    moles = rng.randint(2, 12) * 30
    facts, steps = [], []
    amount, share = Fraction(moles), Fraction(1)
    for i in range(length):
        used, made = rng.choice(((1, 1), (1, 2), (2, 1), (3, 2), (2, 3), (1, 3)))
        percent = 5 * rng.randint(8, 20)
        facts.append(f"{used} {letters[i]} gives {made} {letters[i + 1]} with a yield of {percent} %")
        ratio = Fraction(made, used) * Fraction(percent, 100)
        work = f"{over(amount)} · {made} / {used} · {percent} / 100"
        amount *= ratio
        share *= ratio
        steps.append(Step(f"the amount of {letters[i + 1]} in mol", work, str(amount)))
    mass = 2 * rng.randint(9, 90)
    answer = amount * mass
    steps.append(Step(f"the mass of {letters[length]} in grams", f"{over(amount)} · {mass}", str(answer)))
    who, where = person(rng), place(rng)
    chain = listed(facts)
    question = rng.choice(
        (
            f"A substance A is turned into {letters[length]} through the steps: {chain} (numbers in front "
            "of letters are moles; a yield "
            f"is the share of the theoretical amount). {who} starts with {moles} mol of A. {find(rng)} the "
            "mass of "
            f"{letters[length]} in grams, its molar mass being {mass} g/mol.{as_fraction(rng)}",
            f"In a plant at {where} {moles} mol of A enter a chain of reactions in which, by moles, "
            f"{chain}, each yield being relative "
            f"to full conversion. The product {letters[length]} has the molar mass {mass} g/mol. How many "
            "grams of it are obtained?"
            f"{as_fraction(rng)}",
            f"Reactions, counted in moles: {chain}. Yields are fractions of complete conversion. From "
            f"{moles} mol of A one obtains how "
            f"many grams of {letters[length]} (molar mass {mass} g/mol)?{as_fraction(rng)}",
        )
    )
    check = (
        Step("the factor of the whole chain", f"{over(amount)} / {moles}", str(share)),
        Step("the final mass from it", f"{moles} · {over(share)} · {mass}", str(answer)),
    )
    return Problem(
        "reaction_yield",
        "98",
        question,
        f"the mass of {letters[length]} in grams",
        "Each step multiplies the amount by the ratio of the coefficients and by the yield.",
        tuple(steps),
        str(answer),
        "All factors can be collected into one before the start amount comes in.",
        check,
        (
            (
                "Is a yield relative to moles or to mass?",
                "To the theoretical amount, so moles and mass give the same share.",
            ),
            ("Which way round is the ratio of coefficients?", "Moles made over moles used."),
        ),
    )


def age_classes(rng: random.Random, level: int) -> Problem:
    animal = rng.choice(("voles", "beetles", "finches", "newts", "minnows", "hares", "crickets"))
    seasons = 2 + level
    young, adult = 4 * rng.randint(2, 12), 2 * rng.randint(2, 15)
    births, survive = rng.randint(2, 4), rng.choice((2, 3, 4))
    keep = rng.random() < 0.5
    who, where = person(rng), place(rng)
    stay = "all adults live on" if keep else "all adults die after breeding"
    rule = (
        f"from one season to the next every adult has {births} young, 1 in {survive} of the young becomes an "
        f"adult, the other young die, and {stay}"
    )
    question = rng.choice(
        (
            f"On {where} island there are {young} young and {adult} adult {animal}. In a simple model "
            "(fractions of an animal allowed) "
            f"{rule}. {find(rng)} the number of {animal} after {seasons} seasons, young and adults "
            f"together.{as_fraction(rng)}",
            f"{who} models {animal} in two age classes, starting from {young} young and {adult} adults. "
            f"Here {rule}; results need not "
            f"be integers. How large is the total population after {seasons} seasons?{as_fraction(rng)}",
            f"Two classes describe a population of {animal}: at first {adult} adults and {young} young. In "
            f"the model {rule}. Without "
            f"rounding, {find(rng).lower()} the total after {seasons} seasons.{as_fraction(rng)}",
        )
    )
    y, a = Fraction(young), Fraction(adult)
    steps = []
    totals = [(y, a)]
    for i in range(1, seasons + 1):
        kept = f"{over(a)} + " if keep else ""
        new_a = y / survive + (a if keep else 0)
        steps.append(Step(f"the young in season {i}", f"{births} · {over(a)}", str(births * a)))
        steps.append(Step(f"the adults in season {i}", f"{kept}{over(y)} / {survive}", str(new_a)))
        y, a = births * a, new_a
        totals.append((y, a))
    answer = y + a
    steps.append(Step("all animals together", f"{over(y)} + {over(a)}", str(answer)))
    gain = Fraction(births, survive)
    check = []
    for i in range(2, seasons + 1):
        before, two = totals[i - 1][1], totals[i - 2][1]
        head = f"{over(before)} + " if keep else ""
        check.append(
            Step(
                f"the adults in season {i} from those before",
                f"{head}{over(gain)} · {over(two)}",
                str(totals[i][1]),
            )
        )
    check.append(Step("young and adults at the end", f"{births} · {over(totals[-2][1])} + {over(a)}", str(answer)))
    return Problem(
        "age_classes",
        "92",
        question,
        f"the total population after {seasons} seasons",
        "I carry the pair (young, adults) from season to season.",
        tuple(steps),
        str(answer),
        f"The adults alone obey a recursion over two seasons with the factor {gain}.",
        tuple(check),
        (
            ("Do the newborn count as adults in the same season?", "No, they are young for one season."),
            ("Do I round animals?", "No, the model allows fractions."),
        ),
    )
