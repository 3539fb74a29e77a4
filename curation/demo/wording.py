"""Words that make statements of one kind differ from each other."""

import random

# fmt: off
NAMES = (
    "Adaeze", "Aino", "Amara", "Anselm", "Basil", "Benat", "Carys", "Chandra", "Corin", "Dagny",
    "Darius", "Eilidh", "Elif", "Esteban", "Farida", "Fenna", "Gideon", "Greta", "Hamza", "Hana",
    "Idris", "Ilse", "Imani", "Jorun", "Kaito", "Kateri", "Leif", "Lior", "Maeve", "Malik",
    "Mirela", "Nadia", "Ngozi", "Noor", "Odile", "Omar", "Petra", "Quentin", "Rania", "Rohan",
    "Saoirse", "Sigrid", "Soren", "Tadeo", "Tamsin", "Uma", "Viggo", "Wanda", "Xenia", "Yusuf",
    "Zoltan", "Zuri",
)
PLACES = (
    "Alder Bay", "Birkfeld", "Castle Row", "Dunmore", "Eastwick", "Fernhill", "Glenrock",
    "Harrowgate", "Isle Point", "Juniper Lane", "Kestrel Hill", "Lowbridge", "Marlow End",
    "Northgate", "Oakhaven", "Pinecrest", "Quarry Street", "Rookwood", "Saltmarsh", "Thornbury",
    "Upper Vale", "Westholm", "Yarrow Green", "Zinnia Court",
)
# fmt: on
FIND = ("Find", "Determine", "Compute", "Work out", "Calculate")


def person(rng: random.Random) -> str:
    return rng.choice(NAMES)


def place(rng: random.Random) -> str:
    return rng.choice(PLACES)


def find(rng: random.Random) -> str:
    return rng.choice(FIND)


def listed(items: list[str], last: str = "and") -> str:
    """Write `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"


def ordinal(number: int) -> str:
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def as_fraction(rng: random.Random) -> str:
    """A sentence, with the blank before it, that asks for an exact value."""
    return rng.choice(
        (
            " Give the answer as a reduced fraction.",
            " Write the result in lowest terms.",
            " State it as an exact fraction in lowest terms.",
            " An exact value is wanted, as a fraction that cannot be reduced (or an integer).",
        )
    )


def as_integer(rng: random.Random) -> str:
    """A sentence, with the blank before it, or nothing."""
    return rng.choice(("", "", " The answer is an integer.", " Answer with one integer.", " Give an exact integer."))
