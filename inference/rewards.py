"""Process reward models: how good each step of a solution is, from 0 to 1 (s1 §6.2; Lightman et al. 2023)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

Aggregate = Literal["last", "min", "product", "mean"]
AGGREGATES: tuple[Aggregate, ...] = get_args(Aggregate)


@dataclass(frozen=True, slots=True)
class Solution:
    """What is to be scored.

    Attributes:
        problem: the question's text.
        steps: in order; joined they are the solution's text.
        first: rewards are wanted from this step on; those before were scored already.
    """

    problem: str
    steps: tuple[str, ...]
    first: int = 0


@dataclass(frozen=True, slots=True)
class Scored:
    """Attributes:
    rewards: of the solution's steps from `first` on, each from 0 to 1.
    tokens: that the model read for them.
    """

    rewards: tuple[float, ...]
    tokens: int


class RewardModel(Protocol):
    """Scores the steps of solutions. What it gives hangs on the solution alone, not on what is scored beside it."""

    def score(self, solutions: Sequence[Solution]) -> list[Scored]:
        """One result a solution, in their order."""


class ScriptedReward:
    """Rewards by a function of the steps up to the scored one; a token is a character. For tests and pages."""

    def __init__(self, reward: Callable[[str, tuple[str, ...]], float]) -> None:
        self._reward = reward

    def score(self, solutions: Sequence[Solution]) -> list[Scored]:
        return [
            Scored(
                tuple(
                    self._reward(solution.problem, solution.steps[: place + 1])
                    for place in range(solution.first, len(solution.steps))
                ),
                tokens=sum(map(len, (solution.problem, *solution.steps))),
            )
            for solution in solutions
        ]


def score_checked(model: RewardModel, solutions: Sequence[Solution]) -> list[Scored]:
    """`model.score`, held to its word.

    Raises:
        ValueError: another number of rewards than steps, or one outside 0 to 1.
    """
    if not solutions:
        return []
    scored = model.score(solutions)
    for solution, result in zip(solutions, scored, strict=True):
        wanted = len(solution.steps) - solution.first
        if len(result.rewards) != wanted:
            raise ValueError(f"the reward model gave {len(result.rewards)} rewards for {wanted} steps; give one each")
        outside = next((reward for reward in result.rewards if not 0 <= reward <= 1), None)
        if outside is not None:
            raise ValueError(f"the reward model gave {outside}; rewards from 0 to 1 are allowed")
    return scored


def aggregate(rewards: Sequence[float], how: Aggregate) -> float:
    """One reward of a solution from those of its steps; at least one."""
    if how == "last":
        return rewards[-1]
    if how == "min":
        return min(rewards)
    return math.prod(rewards) if how == "product" else sum(rewards) / len(rewards)
