"""Choosing one of several answers: by votes, by votes weighted with rewards, or by the best reward (s1 §6.2)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

from inference.benchmarks import Problem
from inference.equivalence import Item, grade_by_rules, group_answers
from inference.methods.base import Candidate, Ending, Setting
from inference.prompts import LETTERS
from inference.voting import NO_ANSWER

Final = Literal["majority", "weighted_majority", "best"]
FINALS: tuple[Final, ...] = get_args(Final)


def vote(candidates: Sequence[Candidate], problem: Problem, setting: Setting, how: Final) -> Ending:
    """The candidates with their groups, and which of them is the final answer.

    majority: the first candidate of the answer with most votes; weighted_majority: of the answer whose candidates'
    rewards add up to most; best: the candidate with the highest reward. Of equals the first one, which is as good as
    a draw, since samples come in no order. A candidate without an answer has no vote and is never chosen; where none
    has one, there is no final answer.
    """
    answers = [_named(candidate.extraction.answer, problem) for candidate in candidates]
    groups = group_answers(answers, setting.verifier)
    grouped = [replace(candidate, group=group) for candidate, group in zip(candidates, groups, strict=True)]
    voters = [place for place, group in enumerate(groups) if group != NO_ANSWER]
    weights: dict[int, float] = {}
    for place in voters:
        weight = 1.0 if how == "majority" else _reward(grouped[place])
        before = weights.get(groups[place], 0.0)
        weights[groups[place]] = max(before, weight) if how == "best" else before + weight
    if not voters:
        return Ending(grouped, None, {"votes": {}})
    # the first group of equals is the one whose first answer came first
    winner = max(weights, key=lambda group: weights[group])
    members = [place for place in voters if groups[place] == winner]
    chosen = members[0] if how == "majority" else max(members, key=lambda place: _reward(grouped[place]))
    votes = {str(group): groups.count(group) for group in weights}
    return Ending(grouped, chosen, {"votes": votes})


def _reward(candidate: Candidate) -> float:
    assert candidate.reward is not None
    return candidate.reward


def _named(answer: str | None, problem: Problem) -> str | None:
    """The answer, or the letter of the choice that it names: `C` and `C) 5 eV` are one vote."""
    for letter, _ in zip(LETTERS, problem.choices, strict=False):
        if grade_by_rules(Item(answer, letter, choices=problem.choices)).is_right:
            return letter
    return answer
