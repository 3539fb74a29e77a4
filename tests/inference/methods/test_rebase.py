"""REBASE: how the width is shared out, and the search against one that is written as plainly as can be."""

import math
import random
from dataclasses import replace
from decimal import Decimal, localcontext

import pytest

from curation.errors import ConfigError
from inference.engines.scripted import TraceEngine
from inference.methods.rebase import Rebase, allocate
from inference.methods.registry import method_from_json
from inference.rewards import ScriptedReward
from inference.runner import run
from tests.inference.models import make_tokenizer
from tests.inference.settings import (
    SHORT,
    ShuffledEngine,
    check_account,
    ids_of,
    make_setting,
    make_trial,
    one_outcome,
)

END, STOP, BLANK = ids_of("<|im_start|>"), ids_of("<|im_end|>"), ids_of("\n") * 2


def slow_allocate(width, rewards, temperature):
    """The same with 60 digits and whole numbers of children taken one node at a time."""
    with localcontext() as context:
        context.prec = 60
        weights = {place: (Decimal(reward) / Decimal(temperature)).exp() for place, reward in enumerate(rewards)}
        widths, left = [0] * len(rewards), width
        while weights:
            best = max(weights, key=lambda place: (rewards[place], -place))
            share = left * weights[best] / sum(weights.values())
            # within the last digits of floating point a share is the whole number that it stands beside
            nearest = share.to_integral_value()
            up = share.to_integral_value(rounding="ROUND_CEILING")
            widths[best] = int(nearest if abs(share - nearest) < Decimal("1e-9") else up)
            left -= widths[best]
            del weights[best]
        return widths


@pytest.mark.parametrize(
    ("width", "rewards", "temperature", "widths"),
    [
        (4, [0.5, 0.5], 0.2, [2, 2]),
        (5, [0.5, 0.5], 0.2, [3, 2]),
        (4, [0.1, 0.9], 0.01, [0, 4]),
        (4, [0.9, 0.1], 1e9, [2, 2]),
        (1, [0.2, 0.3, 0.1], 0.2, [0, 1, 0]),
        (0, [0.2, 0.3], 0.2, [0, 0]),
        (3, [], 0.2, []),
        # shares 2/3 and 1/3 of 6, and of 4: rounded up from the best down
        (6, [math.log(2), 0.0], 1.0, [4, 2]),
        (4, [0.0, math.log(2)], 1.0, [1, 3]),
    ],
)
def test_the_width_goes_to_nodes_in_proportion_to_the_softmax_of_their_rewards(width, rewards, temperature, widths):
    assert allocate(width, rewards, temperature) == widths


def test_no_width_is_lost_and_it_is_as_slow_arithmetic_says():
    rng = random.Random(0)
    for _ in range(2_000):
        rewards = [rng.choice([0.0, 0.25, 0.5, 1.0, rng.random()]) for _ in range(rng.randint(1, 9))]
        width, temperature = rng.randrange(0, 65), rng.choice([0.05, 0.2, 1.0, 30.0])
        widths = allocate(width, rewards, temperature)
        assert sum(widths) == width
        assert widths == slow_allocate(width, rewards, temperature)


def reward_of(_problem, steps):
    """Some number from 0 to 1 that hangs on all steps."""
    return sum(ord(letter) * place for place, letter in enumerate("".join(steps), start=1)) % 101 / 100


class Walks(dict):
    """Traces made from a request's key and a seed: a few words, then a blank line, an end, or nothing."""

    def __init__(self, seed, *, ends=0.4):
        super().__init__()
        self.seed, self.ends = seed, ends

    def __contains__(self, key):
        return True

    def __missing__(self, key):
        rng = random.Random(f"{self.seed} {key}")
        words = [ids_of(rng.choice([" so", " the", " sum", " is", " step"])) for _ in range(rng.randint(0, 5))]
        end = END if rng.random() < self.ends else BLANK if rng.random() < 0.8 else ids_of(" think") * 9
        return sum(words, ()) + end


class Answering(TraceEngine):
    """Answers where an answer is asked for: plans of answers do not stop at a blank line."""

    def _one(self, request):
        if BLANK in request.plan.delimiters.stops:
            return super()._one(request)
        number = sum(request.prompt_ids) % 3
        answer = (*ids_of(f"\nAnswer: {number}"), *STOP)
        (sample,) = TraceEngine({request.key: answer}, context_tokens=self.context_tokens).generate([request])
        return sample


def slow_rebase(options, walks, prompt_ids, problem):
    """The search with lists of words and one node at a time, from the paper's description.

    Returns:
        (answers with their rewards and path lengths, nodes drawn at each depth, thinking tokens)
    """
    tokenizer = make_tokenizer()
    keys = iter(range(10**6))
    tree = [{"ids": (), "steps": [], "rewards": []}]
    shares = [options.num_samples]
    leaves, drawn, thinking = [], [], 0
    while sum(shares):
        children = []
        for node, share in zip(tree, shares, strict=True):
            for _ in range(share):
                walk = walks[f"p/0/{next(keys)}"]
                step, way = (), "length"
                limit = min(options.max_step_tokens, options.max_thinking_tokens - len(node["ids"]))
                for id_ in walk:
                    if (id_,) == END:
                        way = "end"
                        break
                    step += (id_,)
                    if step[-2:] == BLANK:
                        way = "blank"
                        break
                    if len(step) == limit:
                        break
                else:
                    way = "end"  # behind its last id a trace ends its thinking
                thinking += len(step)
                ids = node["ids"] + step
                steps = [*node["steps"], tokenizer.decode(step)]
                child = {"ids": ids, "steps": steps, "rewards": [*node["rewards"], reward_of(problem, steps)]}
                if way != "end" and (len(ids) >= options.max_thinking_tokens or len(drawn) + 1 == options.max_steps):
                    way = "forced"
                child["way"] = way
                children.append(child)
        drawn.append(len(children))
        leaves += [child for child in children if child["way"] in ("end", "forced")]
        tree = [child for child in children if child["way"] not in ("end", "forced")]
        shares = slow_allocate(
            options.num_samples - len(leaves), [child["rewards"][-1] for child in tree], options.reward_temperature
        )
    answers = []
    for leaf in leaves:
        opening = "<|im_start|>answer"
        if leaf["way"] == "forced":
            last = tokenizer.decode(leaf["ids"][-1:])
            opening = ("" if last.endswith("\n") else "\n") + "<|im_start|>answer\nFinal Answer:"
        asked = prompt_ids + leaf["ids"] + ids_of(opening)
        number = sum(asked) % 3
        text = ("\nFinal Answer:" if leaf["way"] == "forced" else "") + f"\nAnswer: {number}"
        answers.append((str(number), reward_of(problem, [*leaf["steps"], text]), len(leaf["ids"])))
    return answers, drawn, thinking


@pytest.mark.parametrize("seed", range(60))
def test_the_search_is_the_one_that_is_written_plainly(seed):
    rng = random.Random(seed)
    options = Rebase(
        num_samples=rng.randint(1, 12),
        reward_temperature=rng.choice([0.05, 0.2, 1.0]),
        max_step_tokens=rng.choice([3, 6, 40]),
        max_steps=rng.choice([1, 2, 5, 100]),
        max_thinking_tokens=rng.choice([1, 7, 25]),
        **SHORT,
    )
    setting = make_setting(reward_model=ScriptedReward(reward_of))
    walks = Walks(seed, ends=rng.choice([0.1, 0.4, 0.8]))
    engine = ShuffledEngine(Answering(walks), rows=5, seed=seed)
    (outcome,) = run([make_trial()], options, engine, setting)
    check_account(outcome)
    expected, drawn, thinking = slow_rebase(options, walks, outcome.prompt.ids, "12 + 30")
    found = [
        (
            candidate.extraction.answer,
            candidate.reward,
            sum(
                len(paid.sample.ids) + len(paid.put_back)
                for paid in (outcome.samples[place] for place in candidate.samples[:-1])
            ),
        )
        for candidate in outcome.candidates
    ]
    assert found == expected
    assert len(found) == options.num_samples
    assert outcome.notes["drawn"] == drawn
    assert outcome.account.thinking_tokens == thinking
    assert outcome.account.requests == sum(drawn) + options.num_samples
    assert all(length <= options.max_thinking_tokens for _, _, length in found)
    totals = {answer: sum(reward for other, reward, _ in expected if other == answer) for answer, _, _ in expected}
    assert outcome.final.extraction.answer == max(totals, key=totals.get)


TREE = {
    "p/0/0": (*ids_of(" so"), *BLANK),
    "p/0/1": (*ids_of(" the"), *BLANK),
    "p/0/2": (*ids_of(" sum"), *END),
    "p/0/3": (*ids_of(" is"), *END),
    "p/0/4": (*ids_of("\nAnswer: 42"), *STOP),
    "p/0/5": (*ids_of("\nAnswer: 7"), *STOP),
}


def small(**options):
    setting = make_setting(reward_model=ScriptedReward(lambda _problem, steps: 0.9 if " the" in steps[-1] else 0.1))
    method = {"name": "rebase", "num_samples": 2, "reward_temperature": 0.05} | SHORT | options
    return one_outcome(method, list(TREE.values()), setting=setting)


def test_the_better_step_gets_the_whole_width_and_what_was_dropped_is_put_back():
    outcome = small()
    text = make_tokenizer().decode
    assert [text(paid.request.prompt_ids).partition("think")[2] for paid in outcome.samples] == [
        "",
        "",
        " the\n\n",
        " the\n\n",
        " the\n\n sum<|im_start|>answer",
        " the\n\n is<|im_start|>answer",
    ]
    assert [paid.parent for paid in outcome.samples] == [None, None, 1, 1, 2, 3]
    assert [paid.put_back for paid in outcome.samples] == [BLANK, BLANK, (), (), (), ()]
    assert [candidate.samples for candidate in outcome.candidates] == [(1, 2, 4), (1, 3, 5)]
    # the rejected step is paid for too
    assert outcome.account.thinking_tokens == 3 + 3 + 1 + 1
    assert outcome.account.sampled_tokens == 3 + 3 + 2 + 2 + 8 + 7
    assert outcome.account.requests == 6


def test_what_the_reward_model_reads_is_on_the_account():
    steps = [
        " so\n\n",
        " the\n\n",
        " the\n\n sum",
        " the\n\n is",
        " the\n\n sum\nAnswer: 42",
        " the\n\n is\nAnswer: 7",
    ]
    assert small().account.reward_tokens == sum(len("12 + 30" + step) for step in steps)


def test_the_reward_of_a_path_is_put_together_as_told():
    assert [candidate.reward for candidate in small(aggregate="mean").candidates] == pytest.approx([1.1 / 3] * 2)
    assert [candidate.reward for candidate in small(aggregate="last").candidates] == [0.1, 0.1]


def test_a_cap_of_0_is_answered_at_once():
    answers = [(*ids_of(" 42"), *STOP)] * 3
    setting = make_setting(reward_model=ScriptedReward(reward_of))
    method = method_from_json({"name": "rebase", "num_samples": 3, "max_thinking_tokens": 0} | SHORT)
    outcome = one_outcome(method, answers, setting=setting)
    assert [candidate.text for candidate in outcome.candidates] == ["\nFinal Answer: 42"] * 3
    assert (outcome.account.thinking_tokens, outcome.account.requests) == (0, 3)


def test_a_path_that_fills_the_context_is_ended_by_force():
    setting = make_setting(context_tokens=64, reward_model=ScriptedReward(reward_of))
    walks = {f"p/0/{place}": ids_of(" so") * 99 for place in range(99)}
    options = Rebase(num_samples=3, max_step_tokens=10, **SHORT)
    (outcome,) = run([make_trial()], options, Answering(walks, context_tokens=64), setting)
    plan = outcome.samples[0].request.plan
    room = 64 - len(outcome.prompt.ids) - plan.closing_tokens - SHORT["answer_reserve"]
    assert outcome.account.thinking_tokens == 3 * room
    assert outcome.notes["drawn"] == [3] * math.ceil(room / 10)
    assert all(candidate.text.startswith("\nFinal Answer:") for candidate in outcome.candidates)


def test_without_a_reward_model_rebase_says_so():
    with pytest.raises(ConfigError, match="method rebase needs a process reward model; give reward_model"):
        Rebase(num_samples=2).bind(make_setting())


def test_steps_may_be_drawn_at_any_temperature():
    setting = make_setting(reward_model=ScriptedReward(reward_of))
    options = replace(Rebase(num_samples=2, **SHORT), temperature=0.4)
    outcome = one_outcome(options, list(TREE.values()) * 3, setting=setting)
    assert {paid.request.sampling.temperature for paid in outcome.samples} == {0.4}
