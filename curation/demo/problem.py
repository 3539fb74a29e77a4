"""What a generated problem consists of, whichever kind it is."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Step:
    """One step of a worked solution: `goal` is what is sought, and the equation `work = value` is true."""

    goal: str
    work: str
    value: str


@dataclass(frozen=True)
class Problem:
    """A question with its worked solution.

    Args:
        kind: name of the generator, such as `modular_power`.
        domain: two-digit code of the Mathematics Subject Classification.
        target: what is asked for, as a noun phrase in the middle of a sentence.
        plan: the method, in a sentence or two.
        steps: the worked solution; the last value is `answer`.
        answer: a number (integer, reduced fraction or decimal) or a word, without a unit.
        check_idea: one sentence about another route to the answer.
        check_steps: that route; it ends in `answer` too.
        doubts: pairs of a doubt and its reply, material for reasoning traces.
    """

    kind: str
    domain: str
    question: str
    target: str
    plan: str
    steps: tuple[Step, ...]
    answer: str
    check_idea: str
    check_steps: tuple[Step, ...]
    doubts: tuple[tuple[str, str], ...] = ()


Maker = Callable[[random.Random, int], Problem]  # (rng, level 1..6) -> Problem


def signed(number: int | Fraction) -> str:
    """Write a number for use inside an expression: a negative one stands in brackets."""
    return f"({number})" if number < 0 else str(number)


def sum_of(numbers: list[int] | list[Fraction]) -> str:
    """Write `3 + 4 - 5` for [3, 4, -5]."""
    text = str(numbers[0])
    for number in numbers[1:]:
        text += f" - {-number}" if number < 0 else f" + {number}"
    return text


def over(number: int | Fraction) -> str:
    """Write a fraction for use as a factor: `(3/4)`, an integer as `signed` does."""
    return f"({number})" if number < 0 or Fraction(number).denominator > 1 else str(number)
