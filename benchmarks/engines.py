"""Budget forcing on the transformers engine against the loop of the paper's README, on the same model and machine.

The loop takes one prompt at a time: generate up to an end of thinking, append "Wait", generate again from the whole
text, then the answer. Both are greedy in float32, so the ids have to be equal; how many are is part of the result.
"""

import random
import time
from collections.abc import Sequence
from typing import Any

from inference.delimiters import Delimiters
from inference.engines.protocol import Request
from inference.engines.transformers import TransformersEngine
from inference.forcing_plan import BudgetForcing, ForcingPlan

# a random model writes no id in particular: a share of its ids ends thinking, so that rounds have about 60 tokens
END_SHARE = 0.015
WAIT, NEWLINE = (5,), (6,)
ANSWER, FORCED = (7, 8), (7, 8, 9, 10)
STOP = 11
FIRST_FREE = 16
SIZES: dict[str, dict[str, Any]] = {
    # of a reasoner for a laptop: 0.8 million parameters
    "reasoner": {"hidden_size": 128, "intermediate_size": 352, "num_hidden_layers": 4, "num_attention_heads": 4},
    "tiny": {"hidden_size": 192, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 6},
    # the shape of Qwen2.5-0.5B
    "0.5b": {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14},
}
VOCABULARY = {"reasoner": 320, "tiny": 2_048, "0.5b": 151_936}


class AllIds:
    """As much of a tokenizer as the engine asks for."""

    def __init__(self, num_ids: int) -> None:
        self._num_ids = num_ids

    def get_vocab(self) -> dict[str, int]:
        return {str(id_): id_ for id_ in range(self._num_ids)}


def measure(
    *, size: str = "tiny", device: str = "cpu", num_prompts: int = 64, thinking_tokens: int = 192, baseline: int = 64
) -> dict[str, Any]:
    """Seconds of both at 0, 2 and 8 Waits.

    Args:
        thinking_tokens: the cap.
        baseline: prompts that the loop is given; its seconds are scaled to `num_prompts`, as they add up.
    """
    model = make_model(size, device)
    rng = random.Random(0)
    num_ids = VOCABULARY[size]
    ends = tuple((id_,) for id_ in rng.sample(range(FIRST_FREE, num_ids), int(END_SHARE * num_ids)))
    prompts = [
        tuple(rng.randrange(FIRST_FREE, num_ids) for _ in range(rng.randint(20, 120))) for _ in range(num_prompts)
    ]
    cases = {}
    for num_ignore in (0, 2, 8):
        plan = make_plan(ends, num_ignore, thinking_tokens)
        engine = TransformersEngine(model, AllIds(num_ids), max_rows=num_prompts)
        list(engine.generate([Request("warm", prompts[0], plan)]))
        began = time.perf_counter()
        requests = [Request(str(place), prompt, plan) for place, prompt in enumerate(prompts)]
        samples = {sample.key: sample for sample in engine.generate(requests)}
        seconds = time.perf_counter() - began
        began = time.perf_counter()
        by_loop = [readme_loop(model, prompt, plan) for prompt in prompts[:baseline]]
        loop_seconds = (time.perf_counter() - began) * num_prompts / baseline
        tokens = sum(len(sample.ids) for sample in samples.values())
        equal = sum(list(samples[str(place)].ids) == ids for place, ids in enumerate(by_loop))
        cases[f"{num_ignore} waits"] = {
            "seconds": round(seconds, 3),
            "tokens_per_second": round(tokens / seconds),
            "thinking_tokens": sum(sample.thinking_tokens for sample in samples.values()),
            "readme_loop_seconds": round(loop_seconds, 3),
            "times_faster": round(loop_seconds / seconds, 1),
            "equal_ids": f"{equal} of {len(by_loop)}",
        }
    return {"model": size, "prompts": num_prompts, **engine.fingerprint(), **cases}


def readme_loop(model: Any, prompt: Sequence[int], plan: ForcingPlan) -> list[int]:
    """The ids after one prompt; the cap holds over all rounds together, as it does in the engine."""
    options, ends = plan.options, [ids[0] for ids in plan.delimiters.ends]
    assert options.max_thinking_tokens is not None
    assert options.max_answer_tokens is not None
    ids: list[int] = []
    for waits in range(options.num_ignore + 1):
        new = _generate(model, [*prompt, *ids], options.max_thinking_tokens - len(ids), ends, min(waits, 1))
        has_ended = new[-1] in ends
        ids += new[:-1] if has_ended else new
        if not has_ended:
            ids += [*NEWLINE, *FORCED]
            break
        if waits == options.num_ignore or len(ids) + len(WAIT) >= options.max_thinking_tokens:
            ids += ANSWER
            break
        ids += WAIT
    answer = _generate(model, [*prompt, *ids], options.max_answer_tokens, [STOP], 0)
    return ids + (answer[:-1] if answer[-1] == STOP else answer)


def _generate(model: Any, ids: list[int], max_tokens: int, ends: list[int], min_tokens: int) -> list[int]:
    import torch

    inputs = torch.tensor([ids], device=model.device)
    out = model.generate(
        inputs,
        attention_mask=torch.ones_like(inputs),
        max_new_tokens=max_tokens,
        min_new_tokens=min_tokens,
        eos_token_id=ends,
        pad_token_id=0,
        do_sample=False,
    )
    new: list[int] = out[0, len(ids) :].tolist()
    return new


def make_plan(ends: tuple[tuple[int, ...], ...], num_ignore: int, thinking_tokens: int) -> ForcingPlan:
    delimiters = Delimiters(
        profile="benchmark",
        start=(4,),
        ends=ends,
        answer=ANSWER,
        stops=((STOP,),),
        reopens=(),
        separator=NEWLINE,
        forced_answer=FORCED,
        line_ends=frozenset(NEWLINE),
    )
    options = BudgetForcing(max_thinking_tokens=thinking_tokens, num_ignore=num_ignore, max_answer_tokens=16)
    return ForcingPlan(delimiters, options, ignore_ids=(WAIT,), natural_end=ANSWER, forced_end=FORCED)


def make_model(size: str, device: str) -> Any:
    import torch
    from transformers import AutoModelForCausalLM, Qwen2Config

    config = Qwen2Config(
        vocab_size=VOCABULARY[size],
        num_key_value_heads=2,
        max_position_embeddings=4_096,
        initializer_range=0.1,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=STOP,
        **SIZES[size],
    )
    torch.manual_seed(0)
    maker: Any = AutoModelForCausalLM
    return maker.from_config(config).eval().to(device)
