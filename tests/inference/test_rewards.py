"""Rewards of steps: how they are put together, and that a reward model keeps its word."""

import pytest

from inference.rewards import AGGREGATES, Scored, ScriptedReward, Solution, aggregate, score_checked


@pytest.mark.parametrize(("how", "value"), list(zip(AGGREGATES, (0.5, 0.2, 0.08, 0.5), strict=True)))
def test_one_reward_comes_of_those_of_the_steps(how, value):
    assert aggregate([0.8, 0.2, 0.5], how) == pytest.approx(value)


def test_a_script_scores_each_step_with_those_before_it():
    model = ScriptedReward(lambda problem, steps: len(problem + "".join(steps)) / 10)
    solutions = [Solution("p", ("a", "bc", "d")), Solution("p", ("a", "bc", "d"), first=2), Solution("p", ("a",), 1)]
    assert score_checked(model, solutions) == [
        Scored((0.2, 0.4, 0.5), 5),
        Scored((0.5,), 5),
        Scored((), 2),
    ]
    assert score_checked(model, []) == []


@pytest.mark.parametrize(
    ("rewards", "said"),
    [
        ((0.5,), "the reward model gave 1 rewards for 2 steps; give one each"),
        ((0.5, 1.5), "the reward model gave 1.5; rewards from 0 to 1 are allowed"),
        ((0.5, float("nan")), "the reward model gave nan; rewards from 0 to 1 are allowed"),
    ],
)
def test_a_reward_model_that_breaks_its_word_is_stopped(rewards, said):
    class Broken:
        def score(self, solutions):
            return [Scored(rewards, 1) for _ in solutions]

    with pytest.raises(ValueError, match=said):
        score_checked(Broken(), [Solution("p", ("a", "b"))])
