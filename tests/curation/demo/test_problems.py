import random
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import combinations, pairwise, permutations, product

import pytest

from curation.demo import algebra, combinatorics, computing, games, geometry, number_theory, probability
from curation.demo.benchmark import make_benchmark
from curation.demo.kinds import KINDS, Kind
from curation.demo.problem import Maker, Problem

from .evaluation import evaluate


def samples(make: Maker, count: int = 60, levels: tuple[int, ...] = (1, 2, 3, 4, 5, 6)) -> Iterator[Problem]:
    rng = random.Random(11)
    for i in range(count):
        yield make(rng, levels[i % len(levels)])


def integers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"-?\d+", text)]


def first_number(pattern: str, text: str) -> int:
    """The group of `pattern` that matched, as a number."""
    found = re.search(pattern, text)
    assert found, text
    return int(next(group for group in found.groups() if group))


def amount(problem: Problem, noun: str) -> int:
    return first_number(rf"(\d+) {noun}\b", problem.question)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.make.__name__)
def test_every_equation_of_the_working_and_of_the_check_is_true(kind: Kind) -> None:
    for problem in samples(kind.make):
        for step in (*problem.steps, *problem.check_steps):
            if not step.work.endswith("becomes"):  # letters, not numbers
                assert evaluate(step.work) == Fraction(step.value), (problem.question, step)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.make.__name__)
def test_working_and_check_both_end_in_the_answer(kind: Kind) -> None:
    for problem in samples(kind.make):
        assert problem.steps[-1].value == problem.check_steps[-1].value == problem.answer


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.make.__name__)
def test_answers_are_reduced_and_statements_are_finished_sentences(kind: Kind) -> None:
    for problem in samples(kind.make):
        if kind.cot_type != "crossword":
            assert str(Fraction(problem.answer)) == problem.answer
        assert "  " not in problem.question
        assert re.search(r"[.?]\)?(?:\$\$)?$", problem.question), problem.question


def test_benchmark_equations_are_true() -> None:
    scenarios, shorts, embeddings, lines = make_benchmark(random.Random(3))
    for problem in (*scenarios, *shorts, *embeddings, *lines):
        for step in problem.steps:
            assert evaluate(step.work) == Fraction(step.value), (problem.question, step)


# from here on: the answer from the words of the statement alone, by brute force


def solve_power(problem: Problem) -> str:
    numbers = integers(problem.target)
    start, base, exponent, modulus = numbers if len(numbers) == 4 else (1, *numbers)
    assert all(str(number) in problem.question for number in (base, exponent, modulus))
    value = start % modulus
    for _ in range(exponent):
        value = value * base % modulus
    return str(value)


def solve_remainders(problem: Problem) -> str:
    question = problem.question
    pairs = re.findall(r"(\d+) (?:is|are) left over in \w+ of (\d+)", question) or re.findall(
        r"equiv (\d+) \\pmod\{(\d+)\}", question
    )
    bound = re.search(r"more than (\d+)|n > (\d+)", question)
    number = int(bound[1] or bound[2]) + 1 if bound else 1
    while any(number % int(modulus) != int(rest) for rest, modulus in pairs):
        number += 1
    return str(number)


def solve_committee(problem: Problem) -> str:
    special = problem.target.split()[-1]
    other = next(pair[1 - pair.index(special)] for *pair, _ in combinatorics.GROUPS if special in pair)
    size, least, *rest = integers(problem.target)
    most = rest[0] if rest else least if "exactly" in problem.target else size
    people = [1] * amount(problem, special) + [0] * amount(problem, other)
    return str(sum(least <= sum(chosen) <= most for chosen in combinations(people, size)))


def solve_rows(problem: Problem) -> str:
    rule = re.search(r"no two (\w+)|all \d+ (\w+)", problem.target)
    assert rule
    special, together = rule[1] or rule[2], rule[2] is not None
    colours = "amber|blue|coral|denim|ecru|grey|jade|lilac|olive|rust"
    stock = {colour: int(count) for count, colour in re.findall(rf"(\d+) ({colours})\b", problem.question)}
    row = [colour for colour, count in stock.items() for _ in range(count)]
    good = 0
    for pattern in set(permutations(row)):
        places = [i for i, colour in enumerate(pattern) if colour == special]
        gaps = [after - before for before, after in pairwise(places)]
        good += all(gap == 1 for gap in gaps) if together else all(gap > 1 for gap in gaps)
    return str(good)


def solve_paths(problem: Problem) -> str:
    points = [(int(x), int(y)) for x, y in re.findall(r"\((\d+),(\d+)\)", problem.target)]
    (width, height), blocked = points[0], set(points[1:])

    def paths(x: int, y: int) -> int:
        if (x, y) in blocked or x > width or y > height:
            return 0
        return 1 if (x, y) == (width, height) else paths(x + 1, y) + paths(x, y + 1)

    return str(paths(0, 0))


def solve_urn(problem: Problem) -> str:
    rule = re.search(r"(exactly|at least) (\d+) (\w+) in (\d+) draws", problem.target)
    assert rule
    least, drawn = int(rule[2]), int(rule[4])
    statement = problem.question.replace(f"{rule[1]} {least} {rule[3]}", "")
    whole = re.search(r"\d+ of (\d+) \w+ are chosen.*?; (\d+) of the", statement)
    if whole:
        total, good = int(whole[1]), int(whole[2])
    else:
        stock = re.findall(r"(\d+) (red|blue|white|green|black|yellow)\b", statement)
        good = sum(int(count) for count, colour in stock if colour == rule[3])
        total = sum(int(count) for count, _ in stock)
    draws = [sum(chosen) for chosen in combinations([1] * good + [0] * (total - good), drawn)]
    hits = sum(count == least if rule[1] == "exactly" else count >= least for count in draws)
    return str(Fraction(hits, len(draws)))


def solve_trace(problem: Problem) -> str:
    matrix = re.search(r"pmatrix\} (-?\d+) & (-?\d+) \\\\ (-?\d+) & (-?\d+)", problem.question)
    assert matrix
    a, b, c, d = map(int, matrix.groups())
    p, q, r, s = 1, 0, 0, 1
    for _ in range(integers(problem.target)[0]):
        p, q, r, s = p * a + q * c, p * b + q * d, r * a + s * c, r * b + s * d
    return str(p + s)


def solve_polygon(problem: Problem) -> str:
    corners = [(int(x), int(y)) for x, y in re.findall(r"\((-?\d+),(-?\d+)\)", problem.question)]
    sides = list(zip(corners, corners[1:] + corners[:1], strict=True))
    if problem.target.startswith("the area"):
        return str(Fraction(abs(sum(x * v - u * y for (x, y), (u, v) in sides)), 2))
    inside = 0
    for px, py in product(range(-15, 30), repeat=2):
        crossings, on_side = 0, False
        for (x, y), (u, v) in sides:
            cross = (u - x) * (py - y) - (v - y) * (px - x)
            on_side |= cross == 0 and min(x, u) <= px <= max(x, u) and min(y, v) <= py <= max(y, v)
            if (y > py) != (v > py) and (cross > 0) == (v > y):
                crossings += 1
        inside += not on_side and crossings % 2
    return str(inside)


def solve_walk(problem: Problem) -> str:
    turn = {"north": 1j, "south": -1j, "east": 1, "west": -1}
    legs = re.findall(r"(\d+) m (north|south|east|west)", problem.question)
    end = sum(int(length) * turn[name] for length, name in legs)
    return str(int(end.real) ** 2 + int(end.imag) ** 2)


def solve_switches(problem: Problem) -> str:
    question = problem.question
    letters = sorted(set(re.findall(r"\b[A-J]\b", question)))
    on = re.search(r"\b(true|lit|open|awake)\b", question)[1]  # type: ignore[index]
    rules: list[Callable[[dict[str, bool]], bool]] = []
    for a, b in re.findall(rf"if ([A-J]) is {on} then so is ([A-J])", question):
        rules.append(lambda s, a=a, b=b: not s[a] or s[b])  # type: ignore[misc]
    for b, a in re.findall(rf"([A-J]) is {on} only if ([A-J]) is", question):
        rules.append(lambda s, a=a, b=b: not s[b] or s[a])  # type: ignore[misc]
    for a, b in re.findall(rf"([A-J]) and ([A-J]) are not both {on}", question):
        rules.append(lambda s, a=a, b=b: not (s[a] and s[b]))  # type: ignore[misc]
    for a, b in re.findall(rf"at least one of ([A-J]) and ([A-J]) is {on}", question):
        rules.append(lambda s, a=a, b=b: s[a] or s[b])  # type: ignore[misc]
    states = (dict(zip(letters, bits, strict=True)) for bits in product((False, True), repeat=len(letters)))
    return str(sum(all(rule(state) for rule in rules) for state in states))


def solve_loop(problem: Problem) -> str:
    value = first_number(r"\$x\$ to (\d+)|the number (\d+)\.|from (\d+) by|^x = (\d+)", problem.question)
    modulus = first_number(r"mod(?:ulo)? (\d+)|division by (\d+)", problem.question)
    add = first_number(r"x/2 \+ (\d+)|halved and increased by (\d+)|x / 2 \+ (\d+)", problem.question)
    odd = re.search(
        r"(\d+)x \+ (\d+)|multiplied by (\d+), increased by (\d+)|\((\d+) \* x \+ (\d+)\)", problem.question
    )
    assert odd
    factor, shift = (int(group) for group in odd.groups() if group)
    for _ in range(integers(problem.target)[0]):
        value = value // 2 + add if value % 2 == 0 else (factor * value + shift) % modulus
    return str(value)


def solve_postfix(problem: Problem) -> str:
    stack: list[int] = []
    for symbol in re.search(r"`([-+*\d ]+)`", problem.question)[1].split():  # type: ignore[index]
        if symbol in "+-*":
            b, a = stack.pop(), stack.pop()
            stack.append(a + b if symbol == "+" else a - b if symbol == "-" else a * b)
        else:
            stack.append(int(symbol))
    assert len(stack) == 1
    return str(stack[0])


def solve_roots(problem: Problem) -> str:
    power = integers(problem.target)[0]
    e1, e2, e3 = integers(problem.plan.split(", Newton")[0].removeprefix("With the elementary symmetric values "))
    roots = [r for r in range(-10, 11) if r**3 - e1 * r * r + e2 * r - e3 == 0]
    assert len(roots) == 3
    return str(sum(r**power for r in roots))


def solve_nim(problem: Problem) -> str:
    heaps = re.search(r"[Hh]eaps (?:of|with) ([\d, and]+)|Heap sizes ([\d, and]+)", problem.question)
    assert heaps
    piles = integers(heaps[0])

    def xor(numbers: list[int]) -> int:
        total = 0
        for number in numbers:
            total ^= number
        return total

    wins = [
        piles[i] - left
        for i in range(len(piles))
        for left in range(piles[i])
        if xor([*piles[:i], left, *piles[i + 1 :]]) == 0
    ]
    return str(len(wins)) if "how many ways" in problem.question else str(min(wins))


@pytest.mark.parametrize(
    ("make", "solve", "levels"),
    [
        (number_theory.modular_power, solve_power, (1, 2, 3, 4, 5, 6)),
        (number_theory.remainder_system, solve_remainders, (1, 2, 3, 4)),
        (combinatorics.committee, solve_committee, (1, 2, 3)),
        (combinatorics.rows_of_tiles, solve_rows, (1,)),
        (combinatorics.grid_paths, solve_paths, (1, 2, 3)),
        (probability.urn, solve_urn, (1, 2, 3, 4)),
        (algebra.trace_of_power, solve_trace, (1, 2, 3, 4, 5, 6)),
        (algebra.power_sums, solve_roots, (1, 2, 3, 4, 5, 6)),
        (geometry.lattice_polygon, solve_polygon, (1, 2, 3, 4, 5, 6)),
        (geometry.compass_walk, solve_walk, (1, 2, 3, 4, 5, 6)),
        (computing.loop, solve_loop, (1, 2, 3, 4, 5, 6)),
        (computing.reverse_polish, solve_postfix, (1, 2, 3, 4, 5, 6)),
        (games.switches, solve_switches, (1, 2, 3, 4, 5, 6)),
        (games.nim, solve_nim, (1, 2, 3, 4, 5, 6)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_brute_force_on_the_statement_gives_the_answer(
    make: Maker, solve: Callable[[Problem], str], levels: tuple[int, ...]
) -> None:
    for problem in samples(make, 24, levels):
        assert solve(problem) == problem.answer, problem.question
