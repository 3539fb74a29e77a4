from dataclasses import replace

import pytest

from curation.errors import ConfigError
from inference.budget_forcing import replay
from inference.engines.protocol import Request
from inference.engines.transformers import TransformersEngine
from inference.forcing_events import sampled_ids
from tests.inference.engines.contract import CONTEXT, EngineContract
from tests.inference.engines.random_runs import (
    plan_with_ends,
    random_prompts,
    rules_of,
    run,
    sequences_that_come,
    single_ids,
)
from tests.inference.models import make_tokenizer, num_model_ids, random_model, transition_model
from tests.inference.plain_loop import plain_loop


class TestTransformersEngine(EngineContract):
    @pytest.fixture
    def make_engine(self):
        def make(logits):
            model = transition_model(logits, context_tokens=CONTEXT)
            return TransformersEngine(model, make_tokenizer(), max_rows=48)

        return make


@pytest.fixture(scope="module")
def model():
    return random_model()


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
    prompts = random_prompts(32)
    plan = plan_with_ends(sequences_that_come(model, prompts), num_ignore=4, ignore_strings=strings)
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


def test_a_row_gives_the_same_ids_alone_and_among_others(model):
    plan = plan_with_ends(single_ids(), num_ignore=2)
    prompts = random_prompts(12)
    together = run(TransformersEngine(model, make_tokenizer(), max_rows=12), prompts, plan)
    for max_rows, max_prefill_tokens in ((1, 1), (5, 64), (12, 1)):
        engine = TransformersEngine(model, make_tokenizer(), max_rows=max_rows, max_prefill_tokens=max_prefill_tokens)
        assert [sample.ids for sample in run(engine, prompts, plan)] == [sample.ids for sample in together]


def test_requests_that_a_sample_makes_ready_fill_the_empty_rows_at_once(model):
    """Long rows do not hold up those that wait: rows are not taken in rounds."""
    engine = TransformersEngine(model, make_tokenizer(), max_rows=32)
    long = plan_with_ends([], max_thinking_tokens=200)
    short = plan_with_ends([], max_thinking_tokens=2)
    prompt = random_prompts(1)[0]
    given = []

    def requests():
        yield from (Request(f"long {place}", prompt, long) for place in range(9))
        yield Request("first", prompt, short)
        while not given:
            yield None
        yield from (Request(f"short {place}", prompt, short) for place in range(20))

    for sample in engine.generate(requests()):
        given.append(sample.key)
    assert len(given) == 30
    assert all(key.startswith("long") for key in given[-9:])


def test_nothing_is_computed_twice(model):
    """Every prompt id and every id that stayed goes through the model once: also under Waits."""
    computed = []
    hook = model.register_forward_pre_hook(
        lambda _module, _args, kwargs: computed.append(
            int(kwargs["attention_mask"][:, -kwargs["input_ids"].shape[1] :].sum())
        ),
        with_kwargs=True,
    )
    plan = plan_with_ends(single_ids(), num_ignore=8)
    prompt = random_prompts(1, seed=3)[0]
    try:
        (sample,) = run(TransformersEngine(model, make_tokenizer()), [prompt], plan)
    finally:
        hook.remove()
    assert sum(event.kind == "suppressed_end" for event in sample.events) > 2
    # the last id drawn is a stop, or ends the answer: it is never fed
    is_cut_off = sample.finish_reason != "stop"
    assert sum(computed) == len(prompt) + len(sample.ids) - is_cut_off


def test_requests_are_read_only_as_rows_become_free(model):
    plan = plan_with_ends(single_ids())
    read = []

    def requests():
        for place, prompt in enumerate(random_prompts(200)):
            read.append(place)
            yield Request(str(place), prompt, plan)

    engine = TransformersEngine(model, make_tokenizer(), max_rows=8)
    samples = engine.generate(requests())
    next(samples)
    assert len(read) <= 16
    assert len(list(samples)) == 199


def test_a_finished_row_waits_without_walking_out_of_the_models_positions():
    # GPT-2 has a table of positions, and nothing behind its end
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=num_model_ids(), n_positions=128, n_embd=16, n_layer=1, n_head=2)
    engine = TransformersEngine(GPT2LMHeadModel(config).eval(), make_tokenizer(), max_rows=32)
    plan = plan_with_ends([(3,)], starts_thinking=False, max_answer_tokens=60)
    plan = replace(plan, delimiters=replace(plan.delimiters, stops=((0, 1, 2),)))
    # the first ends at the context's end, the others go on: one row of 20 stays in the batch
    samples = run(engine, [(5,) * 120] + [(7, 9)] * 19, plan)
    assert [len(sample.ids) for sample in samples] == [8] + [60] * 19
    assert [sample.finish_reason for sample in samples] == ["context_length"] + ["answer_length"] * 19


def test_bfloat16_runs_and_says_so(model):
    import torch

    low = random_model().to(torch.bfloat16)
    engine = TransformersEngine(low, make_tokenizer(), max_rows=8)
    plan = plan_with_ends(single_ids(), num_ignore=2)
    samples = run(engine, random_prompts(16), plan)
    assert all(sample.error is None for sample in samples)
    assert engine.fingerprint()["dtype"] == "bfloat16"


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_saved_model_is_loaded_and_gives_the_same_ids(model, tmp_path, attention):
    model.save_pretrained(tmp_path)
    make_tokenizer().save_pretrained(tmp_path)
    engine = TransformersEngine.load(tmp_path, max_rows=16, attention=attention)
    assert engine.fingerprint()["attention"] == attention
    plan = plan_with_ends(single_ids(), num_ignore=2)
    prompts = random_prompts(16)
    here = run(TransformersEngine(model, make_tokenizer()), prompts, plan)
    assert [sample.ids for sample in run(engine, prompts, plan)] == [sample.ids for sample in here]


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"dtype": "float16"}, "dtype='float16'; float32 or bfloat16 is allowed"),
        ({"device": "tpu?"}, "device='tpu\\?' is unknown"),
        ({"attention": "flash"}, "attention='flash'; sdpa or eager is allowed"),
        ({}, "model '.*' cannot be loaded: "),
    ],
)
def test_a_model_that_cannot_be_loaded_says_why_in_one_line(tmp_path, values, error):
    with pytest.raises(ConfigError, match=error) as caught:
        TransformersEngine.load(tmp_path / "nothing", **values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"max_rows": 0}, "max_rows=0; 1 or more is allowed"),
        ({"max_prefill_tokens": 0}, "max_prefill_tokens=0"),
        ({"context_tokens": 5_000}, "context_tokens=5000; 1 to 1024, the model's own, is allowed"),
    ],
)
def test_a_limit_that_cannot_be_used_is_named(model, values, error):
    with pytest.raises(ConfigError, match=error):
        TransformersEngine(model, make_tokenizer(), **values)


def test_a_model_with_a_sliding_window_is_refused():
    windowed = random_model(use_sliding_window=True, sliding_window=8, max_window_layers=1)
    with pytest.raises(
        ConfigError, match="layers of kind sliding_attention; engine transformers takes full attention"
    ):
        TransformersEngine(windowed, make_tokenizer())
