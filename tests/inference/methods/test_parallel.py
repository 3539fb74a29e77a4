"""Majority voting and best-of-N: which of several samples is the answer, and that all are paid for."""

import pytest

from curation.errors import ConfigError
from inference.answers import extract_answer
from inference.delimiters import find_profile
from inference.methods.base import Candidate, Ending
from inference.methods.registry import method_from_json
from inference.methods.voting import vote
from inference.rewards import ScriptedReward
from tests.inference.settings import SHORT, make_setting, make_trial, one_outcome, trace


def answers(*given):
    """Traces with these answers; None for one without."""
    return [trace(" so the", "no idea" if answer is None else f"Answer: {answer}") for answer in given]


def majority(*given, **options):
    trial = options.pop("trial", None)
    setting = options.pop("setting", None)
    method = {"name": "majority_voting", "num_samples": len(given), "forcing": SHORT} | options
    return one_outcome(method, answers(*given), trial=trial, setting=setting)


@pytest.mark.parametrize(
    ("given", "chosen", "votes"),
    [
        pytest.param(("7", "8", "8"), 1, {"0": 1, "1": 2}, id="most votes"),
        pytest.param(("7", "8"), 0, {"0": 1, "1": 1}, id="a tie: the first"),
        pytest.param(("7", "8", "8", "7"), 0, {"0": 2, "1": 2}, id="a tie of pairs: the first"),
        pytest.param((None, None, "8"), 2, {"0": 1}, id="no answer has no vote"),
        pytest.param((None, None), None, {}, id="no answer at all"),
        pytest.param(("023", "8", "23"), 0, {"0": 2, "1": 1}, id="equal integers are one answer"),
    ],
)
def test_the_answer_with_most_votes_wins(given, chosen, votes):
    outcome = majority(*given)
    assert outcome.chosen == chosen
    assert outcome.notes == {"votes": votes}
    assert [candidate.extraction.answer for candidate in outcome.candidates] == list(given)
    assert outcome.account.requests == len(given)
    assert outcome.account.thinking_tokens == 2 * len(given)


def test_a_choice_by_letter_and_by_text_is_one_vote():
    trial = make_trial(choices=("1 eV", "2 eV"), answer="B")
    outcome = majority("A", "B) 2 eV", "(B)", trial=trial)
    assert [candidate.group for candidate in outcome.candidates] == [0, 1, 1]
    assert outcome.chosen == 1


class OneHalf:
    """A verifier that knows one half."""

    def verify(self, pairs):
        from inference.equivalence import Grade

        return [Grade({*pair} <= {"1/2", "0.5"}, "math_verify") for pair in pairs]


def test_a_verifier_says_which_answers_are_equal():
    given = ("8", "1/2", "0.5")
    assert majority(*given).chosen == 0
    assert majority(*given, setting=make_setting(verifier=OneHalf())).chosen == 1


def test_forcing_and_majority_go_together():
    outcome = majority("7", "8", forcing=SHORT | {"max_thinking_tokens": 1})
    assert outcome.account.thinking_tokens == 2
    assert {paid.sample.events[0].kind for paid in outcome.samples} == {"cap_hit"}


def test_samples_have_a_temperature_and_seeds_of_their_own():
    outcome = majority("7", "8", "9", temperature=0.6)
    assert {paid.request.sampling.temperature for paid in outcome.samples} == {0.6}
    assert len({paid.request.sampling.seed for paid in outcome.samples}) == 3


def candidates(*rewarded):
    return [
        Candidate((place,), "", extract_answer("" if answer is None else f"Answer: {answer}"), reward)
        for place, (answer, reward) in enumerate(rewarded)
    ]


@pytest.mark.parametrize(
    ("how", "rewarded", "chosen"),
    [
        ("best", [("7", 0.2), ("8", 0.9), ("7", 0.8)], 1),
        ("best", [("7", 0.5), ("8", 0.5)], 0),
        ("best", [(None, 0.9), ("8", 0.1)], 1),
        ("weighted_majority", [("7", 0.6), ("8", 0.9), ("7", 0.5)], 0),
        ("weighted_majority", [("7", 0.2), ("8", 0.9), ("7", 0.5)], 1),
        ("weighted_majority", [("7", 0.2), ("8", 0.6), ("8", 0.7)], 2),
        ("weighted_majority", [(None, 0.9), (None, 0.9), ("8", 0.0)], 2),
        ("majority", [("7", 0.1), ("8", 0.9), ("7", 0.1)], 0),
        ("best", [(None, 0.9)], None),
    ],
)
def test_rewards_decide_as_they_are_told_to(how, rewarded, chosen):
    ending = vote(candidates(*rewarded), make_trial().problem, make_setting(), how)
    assert isinstance(ending, Ending)
    assert ending.chosen == chosen


# what a solution's last step is worth; other steps by how often they say "sum"
REWARD = ScriptedReward(
    lambda _problem, steps: {"Answer: 7": 0.4, "Answer: 8": 0.6}.get(steps[-1], 0.1 + 0.2 * steps[-1].count("sum"))
)


def best_of(traces, **options):
    method = {"name": "best_of_n", "num_samples": len(traces), "forcing": SHORT} | options
    return one_outcome(method, traces, setting=make_setting(reward_model=REWARD))


def test_the_best_sample_by_its_last_step_is_the_answer():
    outcome = best_of(answers("7", "8", "7"))
    assert outcome.chosen == 1
    assert [paid.reward for paid in outcome.samples] == [0.4, 0.6, 0.4]
    weighted = best_of(answers("7", "8", "7"), final="weighted_majority")
    assert weighted.final.extraction.answer == "7"


@pytest.mark.parametrize(
    ("aggregate", "rewards"),
    [("last", [0.4, 0.6]), ("min", [0.3, 0.1]), ("product", [0.3 * 0.5 * 0.4, 0.1 * 0.6]), ("mean", [0.4, 0.35])],
)
def test_steps_are_blank_line_apart_and_the_answer_is_the_last_one(aggregate, rewards):
    traces = [trace(" sum\n\n sum sum", "Answer: 7"), trace(" so", "Answer: 8")]
    outcome = best_of(traces, aggregate=aggregate)
    assert [candidate.reward for candidate in outcome.candidates] == pytest.approx(rewards)
    assert outcome.chosen == rewards.index(max(rewards))


def test_what_the_reward_model_reads_is_on_the_account():
    outcome = best_of(answers("7", "8"))
    assert outcome.account.reward_tokens == 2 * len("12 + 30" + " so the" + "Answer: 7")


def test_without_a_reward_model_best_of_n_says_so():
    method = method_from_json({"name": "best_of_n", "num_samples": 2})
    with pytest.raises(ConfigError, match="method best_of_n needs a process reward model; give reward_model"):
        method.bind(make_setting())
    assert find_profile("s1")
