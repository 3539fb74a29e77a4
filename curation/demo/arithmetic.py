"""Arithmetic as one does it by hand: splitting products, casting out nines, plausible slips."""

import random
import re
from fractions import Fraction

from curation.demo.problem import Step

NUMBER = r"(?:\d+|\(-\d+\)|-\d+)"
FACTOR = rf"{NUMBER}(?:\^\d+)?"
PRODUCT = rf"{FACTOR}(?: · {FACTOR})*"
SUM = re.compile(rf"{PRODUCT}(?: [+-] {PRODUCT})*")


POWER = re.compile(rf"{NUMBER}\^(?:[2-9]|\d\d+)")


def _value(factor: str) -> int:
    base, _, exponent = factor.partition("^")
    return _product([int(base.strip("()"))] * int(exponent or 1))


def _terms(work: str) -> list[tuple[int, list[int]]]:
    """Read a sum of products of integers as (sign, factors) pairs, powers worked out; or []."""
    if not SUM.fullmatch(work):
        return []
    pieces = re.split(r" ([+-]) ", work)
    signs = [1, *[1 if sign == "+" else -1 for sign in pieces[1::2]]]
    return [
        (sign, [_value(factor) for factor in piece.split(" · ")])
        for sign, piece in zip(signs, pieces[0::2], strict=True)
    ]


def _product(factors: list[int]) -> int:
    result = 1
    for factor in factors:
        result *= factor
    return result


def _split_product(a: int, b: int) -> str:
    tens, ones = b - b % 10, b % 10
    return f"{a} · {b} is {a} · {tens} = {a * tens} and {a} · {ones} = {a * ones}, together {a * b}"


def by_hand(rng: random.Random, step: Step) -> str:
    """Work the step out in small pieces, or "" when it is no sum of integer products."""
    terms = _terms(step.work)
    if not terms:
        return ""
    lines = [f"{power} is {_value(power)}" for power in dict.fromkeys(POWER.findall(step.work))]
    values = []
    for sign, factors in terms:
        value = _product(factors)
        values.append(sign * value)
        if len(factors) == 2 and min(factors) > 10:
            a, b = factors if rng.random() < 0.5 else factors[::-1]
            lines.append(_split_product(a, b))
        elif len(factors) > 1:
            lines.append(f"{' · '.join(str(f) if f >= 0 else f'({f})' for f in factors)} is {value}")
    if len(values) > 1:
        total = values[0]
        for value in values[1:]:
            lines.append(f"{total} {'minus' if value < 0 else 'plus'} {abs(value)} is {total + value}")
            total += value
    return "; ".join(lines)


def by_remainder(rng: random.Random, step: Step) -> str:
    """Check the step modulo a small number, or "" when it is no sum of integer products."""
    terms = _terms(step.work)
    if not terms or not re.fullmatch(r"-?\d+", step.value):
        return ""
    modulus = rng.choice((7, 9, 10, 11))
    parts = [sign * _product(factors) % modulus for sign, factors in terms]
    right = int(step.value) % modulus
    adding = " + ".join(map(str, parts))
    rest = f", which comes to {right}" if len(parts) > 1 else ""
    return f"modulo {modulus} the left side gives {adding}{rest}, and {step.value} leaves {right} as well"


def by_size(rng: random.Random, step: Step) -> str:
    """Look at a fraction from another side (as a decimal, its parts), or "" for an integer or a word."""
    if not re.fullmatch(r"-?\d+/\d+", step.value):
        return ""
    number = Fraction(step.value)
    top, bottom = number.numerator, number.denominator
    thousandths = abs(top) * 1000 // bottom
    decimal = f"{'-' if top < 0 else ''}{thousandths // 1000}.{thousandths % 1000:03d}..."
    looks = [
        f"as a decimal this is {decimal}, a sensible size",
        f"it lies between {top // bottom} and {top // bottom + 1}, with decimals {decimal}",
        f"{top} and {bottom} have no common factor, so the fraction is in lowest terms",
        f"{step.value} times {bottom} is {top}, and going back through {step.work} I find nothing wrong",
    ]
    if 0 < number < 1:
        looks.append(f"what is missing to 1 is {1 - number}, which looks right too")
    return rng.choice(looks)


def _close_to(rng: random.Random, number: Fraction) -> Fraction:
    if number.denominator == 1:
        n = int(number)
        return Fraction(rng.choice((n + 1, n - 1, n + 2, n - 2, n + 10, n - 10, 2 * n, n + 9, n - 9, n // 2)))
    top, bottom = number.numerator, number.denominator
    return rng.choice(
        (
            Fraction(top + 1, bottom),
            Fraction(top - 1, bottom),
            Fraction(top, bottom + 1),
            number / 2,
            2 * number,
            1 - number,
        )
    )


def slip(rng: random.Random, value: str) -> str:
    """A wrong value such as a slip would give: of the form, sign and size of `value`, and not equal to it."""
    if not re.fullmatch(r"-?\d+(/\d+)?", value):
        i, letters = rng.randrange(len(value)), list(value)
        letters[i] = chr((ord(letters[i]) - 65 + rng.choice((1, 25))) % 26 + 65)
        return "".join(letters)
    number = Fraction(value)
    for _ in range(50):
        wrong = _close_to(rng, number)
        inside = not 0 < number < 1 or 0 < wrong < 1
        if (
            wrong != number
            and inside
            and (wrong < 0) == (number < 0)
            and (wrong.denominator > 1) == (number.denominator > 1)
        ):
            return str(wrong)
    return str(number + 1 if number >= 0 else number - 1)
