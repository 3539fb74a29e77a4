import random
from dataclasses import replace

import pytest

from inference.budget_forcing import replay
from inference.delimiters import PROFILES, build_delimiters
from inference.engines.protocol import Request
from inference.engines.transformers import TransformersEngine
from inference.forcing_events import sampled_ids
from inference.forcing_plan import BudgetForcing, make_plan
from tests.inference.models import make_tokenizer, random_model
from tests.inference.plain_loop import Rules, plain_loop

MAX_ANSWER = 5


@pytest.fixture(scope="module")
def model():
    return random_model()


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


def pairs_and_triples(seed=5):
    rng = random.Random(seed)
    first, second, third = (rng.sample(range(3, len(make_tokenizer())), 60) for _ in range(3))
    pairs = [(a, b) for a in first[:40] for b in second]
    return pairs + [(a, b, c) for a in first[40:] for b in second[:16] for c in third[:16]]


def run(engine, prompts, plan):
    requests = (Request(str(place), prompt, plan) for place, prompt in enumerate(prompts))
    samples = {sample.key: sample for sample in engine.generate(requests)}
    assert len(samples) == len(prompts)
    return [samples[str(place)] for place in range(len(prompts))]


@pytest.mark.parametrize("num_ignore", [0, 1, 2, 8, 16])
def test_greedy_ids_are_those_of_the_plain_loop(model, num_ignore):
    # 23 rows, so that rows of many lengths leave and enter in between
    engine = TransformersEngine(model, make_tokenizer(), max_rows=23)
    plan = plan_with_ends(single_ids(), num_ignore=num_ignore, ignore_strings=("Wait", "", "\nHmm"))
    prompts = random_prompts(64)
    expected = [plain_loop(model, prompt, rules_of(plan)) for prompt in prompts]
    samples = run(engine, prompts, plan)
    assert sum(list(sample.ids) == ids for sample, ids in zip(samples, expected, strict=True)) == 64
    waits = [sum(event.kind == "suppressed_end" for event in sample.events) for sample in samples]
    assert max(waits) == num_ignore
    assert {"forced_end", "natural_end"} <= {event.kind for sample in samples for event in sample.events}


@pytest.mark.parametrize("strings", [("Wait",), ("",), ("Wait", "")])
def test_delimiters_of_several_ids_are_taken_out_of_the_cache_again(model, strings):
    engine = TransformersEngine(model, make_tokenizer(), max_rows=11)
    plan = plan_with_ends(pairs_and_triples(), num_ignore=4, ignore_strings=strings)
    prompts = random_prompts(32)
    expected = [plain_loop(model, prompt, rules_of(plan)) for prompt in prompts]
    samples = run(engine, prompts, plan)
    assert [list(sample.ids) for sample in samples] == expected
    dropped = [event.dropped for sample in samples for event in sample.events if event.kind == "suppressed_end"]
    assert {len(ids) for ids in dropped} == {2, 3}
    for request, sample in zip(prompts, samples, strict=True):
        again = replay(
            plan,
            sampled_ids(sample.ids, sample.events),
            max_new_tokens=engine.context_tokens - len(request),
            last_prompt_id=request[-1],
        )
        assert (tuple(again.ids), tuple(again.events)) == (sample.ids, sample.events)
