"""The runner: trials go through an engine as it takes them, in any order, with the same outcome."""

import random
from collections import Counter

import pytest

from curation.errors import ConfigError
from inference.engines.scripted import TraceEngine
from inference.engines.transformers import TransformersEngine
from inference.methods.base import Account, seed_of
from inference.methods.registry import method_from_json
from inference.rewards import ScriptedReward
from inference.runner import run
from inference.sampling import Sampling
from tests.inference.models import make_tokenizer, random_model
from tests.inference.settings import SHORT, ShuffledEngine, check_account, make_setting, make_trial, trace

NONE = method_from_json({"name": "none", "max_answer_tokens": 8})
METHODS = [
    {"name": "none", "max_answer_tokens": 5},
    {"name": "budget_forcing", "forcing": SHORT | {"max_thinking_tokens": 30, "num_ignore": 1}},
    {"name": "token_conditional", "num_tokens": 20, "forcing": SHORT},
    {"name": "step_conditional", "num_steps": 4, "forcing": SHORT | {"max_thinking_tokens": 30}},
    {"name": "class_conditional", "length": "short", "forcing": SHORT | {"max_thinking_tokens": 30}},
    {"name": "rejection_sampling", "max_thinking_tokens": 12, "max_attempts": 4, "at_limit": "cut"} | SHORT,
    {"name": "majority_voting", "num_samples": 3, "forcing": SHORT | {"max_thinking_tokens": 30}},
    {"name": "best_of_n", "num_samples": 3, "forcing": SHORT | {"max_thinking_tokens": 30}},
    {"name": "rebase", "num_samples": 4, "max_thinking_tokens": 40, "max_step_tokens": 12} | SHORT,
]
REWARD = ScriptedReward(lambda _problem, steps: len(steps[-1]) % 7 / 7)


def trials(count, *, repeats=1):
    return [
        make_trial(f"p{place}", repeat, text=f"{place} + 30") for place in range(count) for repeat in range(repeats)
    ]


@pytest.fixture(scope="module")
def engine():
    return TransformersEngine(random_model(), make_tokenizer(), max_rows=7)


@pytest.mark.parametrize("row", METHODS, ids=lambda row: row["name"])
def test_outcomes_of_a_model_hang_neither_on_order_nor_on_company(engine, row):
    """Every method on a real model: beside others in two orders, and alone."""
    method = method_from_json(row)
    setting = make_setting(context_tokens=engine.context_tokens, reward_model=REWARD, seed=3)
    wanted = trials(6, repeats=2)
    together = {outcome.trial.key: outcome for outcome in run(wanted, method, engine, setting)}
    random.Random(1).shuffle(wanted)
    again = {outcome.trial.key: outcome for outcome in run(wanted, method, engine, setting)}
    assert len(together) == 12
    assert again == together
    alone = next(run(wanted[:1], method, engine, setting))
    assert alone == together[alone.trial.key]
    for outcome in together.values():
        assert outcome.error is None
        check_account(outcome)
    if row["name"] not in ("none", "budget_forcing") and "conditional" not in row["name"]:
        # repeats of a problem are drawn anew
        assert any(
            together[f"p{place}/0"].samples[0].sample.ids != together[f"p{place}/1"].samples[0].sample.ids
            for place in range(6)
        )


def test_a_trace_and_its_answer_in_parts_are_the_ids_of_one_generation(engine):
    """Both ends, the model's own and the forced one, with the delimiters that the machine would put in."""
    greedy = Sampling(temperature=1.0, top_k=1)
    setting = make_setting(context_tokens=engine.context_tokens, sampling=greedy)
    forcing = SHORT | {"max_thinking_tokens": 40}
    whole = {"name": "budget_forcing", "forcing": forcing}
    parts = {"name": "rejection_sampling", "max_attempts": 1, "at_limit": "cut"} | forcing
    expected = {each.trial.key: each for each in run(trials(16), method_from_json(whole), engine, setting)}
    ways = Counter()
    for outcome in run(trials(16), method_from_json(parts), engine, setting):
        one = expected[outcome.trial.key]
        answer = outcome.samples[1]
        ids = answer.request.prompt_ids[len(outcome.prompt.ids) :] + answer.sample.ids
        assert ids == one.samples[0].sample.ids
        assert outcome.final.text == one.final.text
        ways[outcome.notes["fits"]] += 1
    assert ways[True] >= 3
    assert ways[False] >= 3


@pytest.mark.parametrize("seed", range(5))
def test_samples_that_come_back_in_any_order_change_no_outcome(seed):
    method = method_from_json({"name": "majority_voting", "num_samples": 5, "forcing": SHORT})
    rng = random.Random(7)
    traces = {
        f"p{place}/0/{attempt}": trace(" so the", f"\nAnswer: {rng.randrange(3)}")
        for place in range(20)
        for attempt in range(5)
    }
    setting = make_setting()
    in_order = {each.trial.key: each for each in run(trials(20), method, TraceEngine(traces), setting)}
    shuffled = ShuffledEngine(TraceEngine(traces), rows=13, seed=seed)
    assert {each.trial.key: each for each in run(trials(20), method, shuffled, setting)} == in_order
    assert len({each.final.extraction.answer for each in in_order.values()}) == 3


def test_trials_are_opened_as_the_engine_takes_them_and_no_faster():
    """What is open at a time hangs on the engine's rows, whatever the number of trials."""
    method = method_from_json({"name": "majority_voting", "num_samples": 3, "forcing": SHORT})
    opened, finished, most = [], 0, 0

    def endless():
        for place in range(100_000):
            opened.append(place)
            yield make_trial(f"p{place}")

    class Same(dict):
        def __contains__(self, key):
            return True

        def __missing__(self, key):
            return trace(" so", "42")

    engine = ShuffledEngine(TraceEngine(Same()), rows=8, seed=0)
    outcomes = run(endless(), method, engine, make_setting())
    assert not opened
    for outcome in outcomes:
        finished += 1
        most = max(most, len(opened) - finished)
        assert outcome.account.requests == 3
        if finished == 3_000:
            break
    # 8 rows hold requests of 8 trials at most, and one more is being taken
    assert most <= 9
    assert engine.read <= 3 * (finished + 9)


def test_a_followup_enters_while_others_run():
    """Rejection's second attempt runs before the first ones of later trials: no rounds."""
    method = method_from_json({"name": "rejection_sampling", "max_thinking_tokens": 1, "max_attempts": 2} | SHORT)
    asked = []

    class Noting(TraceEngine):
        def _one(self, request):
            asked.append(request.key)
            return super()._one(request)

    traces = {f"p{place}/0/{attempt}": trace(" so the sum", "") for place in range(6) for attempt in range(2)}
    list(run(trials(6), method, ShuffledEngine(Noting(traces), rows=2, seed=0), make_setting()))
    assert len(asked) == 12
    # no more than two trials are between their first and their last attempt
    for place in range(len(asked)):
        seen = Counter(key.split("/")[0] for key in asked[: place + 1])
        assert sum(count == 1 for count in seen.values()) <= 2


def test_a_trial_that_cannot_be_served_says_why_and_the_others_go_on():
    wanted = [make_trial("good"), make_trial("long", text="12 + 30 " * 400), make_trial("too")]
    traces = {f"{key}/0/0": trace(" so", "42") for key in ("good", "long", "too")}
    for row in METHODS:
        if row["name"] in ("none", "budget_forcing", "rejection_sampling"):
            setting = make_setting(reward_model=REWARD)
            found = {
                outcome.trial.problem.key: outcome
                for outcome in run(wanted, method_from_json(row), TraceEngine(traces, context_tokens=512), setting)
            }
            assert found["long"].error
            assert "\n" not in found["long"].error
            assert (found["long"].candidates, found["long"].final) == ((), None)
            # nothing was computed for it, whether it was asked for or not
            assert found["long"].account == Account(requests=len(found["long"].samples))
            assert found["good"].trial.problem.key == "good"
            assert len(found) == 3


def test_voting_and_search_say_of_a_prompt_without_room_that_there_is_none():
    for row in METHODS[6:]:
        setting = make_setting(reward_model=REWARD)
        (outcome,) = run([make_trial(text="12 + 30 " * 400)], method_from_json(row), TraceEngine({}), setting)
        assert outcome.error
        assert outcome.final is None


def test_two_trials_of_one_name_are_refused():
    traces = {"p/0/0": trace(" so", "42")}
    engine = ShuffledEngine(TraceEngine(traces), rows=2, seed=0)
    with pytest.raises(ConfigError, match="request 'p/0/0' is asked for twice; give each problem its own key"):
        list(run([make_trial(), make_trial()], NONE, engine, make_setting()))


def test_a_setting_with_a_longer_context_than_the_engines_is_refused():
    with pytest.raises(ConfigError, match="context_tokens=512 in the setting; the engine has 64: give that or less"):
        run([make_trial()], NONE, TraceEngine({}, context_tokens=64), make_setting())


def test_no_trial_gives_no_outcome():
    assert list(run([], NONE, TraceEngine({}), make_setting())) == []


def test_a_seed_hangs_on_run_problem_repeat_and_attempt_alone():
    # a stored run has to come out the same for ever
    assert seed_of(0, "aime24-60", 0, 0) == 6087918704888912
    names = [
        (run_seed, key, repeat, attempt)
        for run_seed in (0, 1)
        for key in ("a", "b", "1")
        for repeat in range(20)
        for attempt in range(20)
    ]
    seeds = {seed_of(*name) for name in names}
    assert len(seeds) == len(names)
    assert 0 <= min(seeds) < max(seeds) < 2**53
    # 2,400 numbers up to 2 ** 53: their mean is in the middle
    assert abs(sum(seeds) / len(seeds) / 2**53 - 0.5) < 0.03
