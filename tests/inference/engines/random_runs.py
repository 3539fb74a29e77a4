"""Runs of models with random weights: prompts, plans whose ends such a model writes, and the plain loop's rules."""

import random
from dataclasses import replace

from inference.delimiters import PROFILES, build_delimiters
from inference.engines.protocol import Request
from inference.forcing_plan import BudgetForcing, make_plan
from inference.sampling import Sampling
from tests.inference.models import make_tokenizer
from tests.inference.plain_loop import Rules, generate, plain_loop

MAX_ANSWER = 5


def random_prompts(count, *, seed=1, longest=40):
    rng = random.Random(seed)
    known = len(make_tokenizer())
    return [tuple(rng.randrange(known) for _ in range(rng.randint(1, longest))) for _ in range(count)]


def plan_with_ends(ends, **options):
    """A plan whose thinking ends at any of many sequences, as a random model writes no particular one often."""
    tokenizer = make_tokenizer()
    delimiters = build_delimiters(replace(PROFILES["s1"], reopens=()), tokenizer)
    # room for the Waits of most prompts, but not of all
    cap = 32 + 8 * options.get("num_ignore", 0)
    options = {"max_thinking_tokens": cap, "max_answer_tokens": MAX_ANSWER, "answer_reserve": 8} | options
    return make_plan(BudgetForcing(**options), replace(delimiters, ends=tuple(ends)), tokenizer)


def rules_of(plan):
    delimiters, options = plan.delimiters, plan.options
    return Rules(
        ends=delimiters.ends,
        answer=delimiters.answer,
        forced=delimiters.forced_answer,
        newline=delimiters.separator,
        line_ends=delimiters.line_ends,
        stops=delimiters.stops,
        wait=plan.ignore_ids,
        num_ignore=options.num_ignore,
        cap=options.max_thinking_tokens,
        max_answer=options.max_answer_tokens,
        known_ids=len(make_tokenizer()),
    )


def single_ids(count=24, seed=5):
    return [(id_,) for id_ in random.Random(seed).sample(range(3, len(make_tokenizer())), count)]


def sequences_that_come(model, prompts, seed=5):
    """A pair or a triple of ids from what the model writes behind each prompt, with no id twice in it."""
    rng = random.Random(seed)
    for prompt in prompts:
        ids, _ = generate(model, prompt, max_tokens=24, until=(), known_ids=len(make_tokenizer()))
        place, length = rng.randrange(1, 16), rng.choice((2, 3))
        found = tuple(ids[place : place + length])
        if len(set(found)) == length:
            yield found


def run(engine, prompts, plan, *, sampling=None):
    """The samples of the prompts in their order; each request draws by a seed of its own."""
    sampling = sampling or Sampling()
    requests = (
        Request(str(place), prompt, plan, replace(sampling, seed=place)) for place, prompt in enumerate(prompts)
    )
    samples = {sample.key: sample for sample in engine.generate(requests)}
    assert len(samples) == len(prompts)
    return [samples[str(place)] for place in range(len(prompts))]


def decided_prompts(model, plan, count=64, *, margin=2e-3):
    """Prompts, and what the plain loop writes behind them, where no id hangs on less than `margin` of a logit.

    vLLM's attention on a CPU rounds its logits by up to 4e-4 here: below that two engines may rightly differ.
    """
    prompts, expected = [], []
    for prompt in random_prompts(2 * count):
        margins = []
        ids = plain_loop(model, prompt, rules_of(plan), margins=margins)
        if min(margins, default=1.0) > margin:
            prompts.append(prompt)
            expected.append(ids)
        if len(prompts) == count:
            return prompts, expected
    raise AssertionError(f"{len(prompts)} of {2 * count} prompts are decided; {count} are needed")
