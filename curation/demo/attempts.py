"""Attempts of a small and of a large model, right or wrong, and reading answers out of texts."""

import random
import re

from curation.demo.arithmetic import slip
from curation.demo.problem import Problem
from curation.demo.traces import capital, equation

BOX = re.compile(r"\\boxed\{([^{}]*)\}")

# per cent, by level 1 to 6; the small model's chances depend on whether the large one succeeds
LARGE_RIGHT = (86, 71, 56, 41, 29, 19)
SMALL_RIGHT_TOO = (78, 67, 56, 46, 36, 26)
SMALL_RIGHT_ALONE = (20, 14, 9, 6, 4, 2)
TRACE_RIGHT_IF_SOLVED = 88
TRACE_RIGHT_IF_HARD = 54  # the paper's share among its 1,000


def boxed_answer(text: str) -> str | None:
    """The last boxed answer of an attempt, or None when there is no box."""
    found = BOX.findall(text)
    return str(found[-1]) if found else None


def is_right(text: str, problem: Problem) -> bool:
    """Grade an attempt: its boxed answer is the true one; no box is wrong."""
    return boxed_answer(text) == problem.answer


def draw_outcomes(rng: random.Random, level: int) -> tuple[bool, bool, bool]:
    """Who succeeds on a problem of this level: (small model, large model, author of the trace)."""
    large = rng.randrange(100) < LARGE_RIGHT[level - 1]
    chances = SMALL_RIGHT_TOO if large else SMALL_RIGHT_ALONE
    small = rng.randrange(100) < chances[level - 1]
    trace = rng.randrange(100) < (TRACE_RIGHT_IF_SOLVED if small or large else TRACE_RIGHT_IF_HARD)
    return small, large, trace


def small_attempt(rng: random.Random, problem: Problem, right: bool) -> str:
    """A short attempt: little working, then the box; some of the wrong ones break off without an answer."""
    opening = rng.choice(
        ("To solve this, we proceed step by step.", "Let's compute.", "We need " + problem.target + ".")
    )
    shown = problem.steps[: rng.randint(0, min(2, len(problem.steps) - 1))]
    lines = [opening, *[f"{capital(step.goal)} is {equation(step)}." for step in shown]]
    if not right and rng.randrange(100) < 8:
        return "\n".join([*lines, "From here the numbers become too large, and I cannot continue."])
    answer = problem.answer if right else slip(rng, problem.answer)
    return "\n".join([*lines, f"Thus the answer is $\\boxed{{{answer}}}$."])


def large_attempt(rng: random.Random, problem: Problem, right: bool) -> str:
    """An attempt with most of the working; a wrong one goes astray at the last step."""
    lines = [problem.plan]
    for i, step in enumerate(problem.steps[:-1], 1):
        lines.append(f"{i}. {capital(step.goal)}: {equation(step)}.")
    answer = problem.answer if right else slip(rng, problem.answer)
    last = problem.steps[-1]
    lines.append(f"{len(problem.steps)}. {capital(last.goal)}: {equation(last, answer)}.")
    return "\n".join([*lines, f"The final answer is $\\boxed{{{answer}}}$."])
