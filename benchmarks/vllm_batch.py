"""Budget forcing inside vLLM's running batch against the loop around it, on the same engine, model and machine.

The loop goes in rounds, as the paper's does around a server: every prompt generates up to an end of thinking, "Wait"
is appended, all are sent again, and a last round gives the answers. vLLM's prefix cache is on for both, so that the
loop computes little twice. Both are greedy in float32; how many ids are equal is part of the result.
"""

import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.engines import FIRST_FREE, FORCED, NEWLINE, STOP, VOCABULARY, WAIT, make_model, make_plan
from inference.engines.protocol import Request
from inference.engines.vllm import VLLMEngine
from inference.forcing_plan import ForcingPlan

# a share of a random model's ids ends thinking: rounds have about 32 tokens, and 12 to 100 of them are common
END_SHARE = 0.03
WAITS = (0, 2, 4, 8, 16)
CONTEXT = 2_048
SIZE = "reasoner"


def measure(*, num_prompts: int = 64, repeats: int = 3) -> dict[str, Any]:
    """Seconds of both at 0, 2, 4, 8 and 16 Waits: the median of so many runs, taken in turns."""
    with tempfile.TemporaryDirectory(prefix="s1web-vllm-") as folder:
        _save(Path(folder))
        engine = VLLMEngine.load(folder, context_tokens=CONTEXT, max_rows=num_prompts, kv_cache_gib=1, compiles=False)
    rng = random.Random(0)
    num_ids = VOCABULARY[SIZE]
    ends = tuple((id_,) for id_ in rng.sample(range(FIRST_FREE, num_ids), int(END_SHARE * num_ids)))
    prompts = [
        tuple(rng.randrange(FIRST_FREE, num_ids) for _ in range(rng.randint(20, 120))) for _ in range(num_prompts)
    ]
    cases: dict[str, Any] = {}
    for num_ignore in WAITS:
        plan = make_plan(ends, num_ignore, thinking_tokens=64 * (num_ignore + 1))
        inside: list[float] = []
        in_rounds: list[float] = []
        for _ in range(repeats):
            ours, seconds = _timed(lambda plan=plan: _inside(engine, prompts, plan))
            inside.append(seconds)
            theirs, seconds = _timed(lambda plan=plan: rounds_loop(engine, prompts, plan))
            in_rounds.append(seconds)
        tokens = sum(map(len, ours))
        cases[f"{num_ignore} waits"] = {
            "seconds": round(statistics.median(inside), 3),
            "tokens_per_second": round(tokens / statistics.median(inside)),
            "loop_in_rounds_seconds": round(statistics.median(in_rounds), 3),
            "times_faster": round(statistics.median(in_rounds) / statistics.median(inside), 2),
            "tokens": tokens,
            "equal_ids": f"{sum(one == other for one, other in zip(ours, theirs, strict=True))} of {num_prompts}",
        }
    return {"model": SIZE, "prompts": num_prompts, **engine.fingerprint(), **cases}


def _timed(work: Any) -> tuple[list[list[int]], float]:
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def _inside(engine: VLLMEngine, prompts: Sequence[tuple[int, ...]], plan: ForcingPlan) -> list[list[int]]:
    engine.forget()
    requests = [Request(str(place), prompt, plan) for place, prompt in enumerate(prompts)]
    samples = {sample.key: sample for sample in engine.generate(requests)}
    return [list(samples[str(place)].ids) for place in range(len(prompts))]


def rounds_loop(engine: VLLMEngine, prompts: Sequence[tuple[int, ...]], plan: ForcingPlan) -> list[list[int]]:
    """The ids after each prompt; the cap holds over all rounds together, as it does in the engine."""
    engine.forget()
    options, ends = plan.options, [ids[0] for ids in plan.delimiters.ends]
    cap, max_answer = options.max_thinking_tokens, options.max_answer_tokens
    assert cap is not None
    assert max_answer is not None
    ids: list[list[int]] = [[] for _ in prompts]
    thinking = list(range(len(prompts)))
    for waits in range(options.num_ignore + 1):
        asked = [([*prompts[place], *ids[place]], cap - len(ids[place]), min(waits, 1)) for place in thinking]
        still = []
        for place, new in zip(thinking, _generate(engine, asked, ends), strict=True):
            has_ended = new[-1] in ends
            ids[place] += new[:-1] if has_ended else new
            if not has_ended:
                ids[place] += [*NEWLINE, *FORCED]
            elif waits == options.num_ignore or len(ids[place]) + len(WAIT) >= cap:
                ids[place] += plan.natural_end
            else:
                ids[place] += WAIT
                still.append(place)
        thinking = still
    asked = [([*prompt, *new], max_answer, 0) for prompt, new in zip(prompts, ids, strict=True)]
    for place, answer in enumerate(_generate(engine, asked, [STOP])):
        ids[place] += answer[:-1] if answer[-1] == STOP else answer
    return ids


_names = count()


def _generate(engine: VLLMEngine, asked: list[tuple[list[int], int, int]], stops: list[int]) -> list[list[int]]:
    """One round: each (ids, tokens at most, tokens at least) up to a stop, which is the last id."""
    from vllm import SamplingParams
    from vllm.inputs import tokens_input
    from vllm.sampling_params import RequestOutputKind

    llm = engine._llm
    names = []
    for ids, max_tokens, min_tokens in asked:
        params = SamplingParams(
            temperature=0,
            max_tokens=max_tokens,
            min_tokens=min_tokens,
            stop_token_ids=stops,
            ignore_eos=True,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        name = f"round-{next(_names)}"
        names.append(name)
        llm.add_request(name, tokens_input(ids), params)
    found: dict[str, list[int]] = {}
    while llm.has_unfinished_requests():
        for output in llm.step():
            found[output.request_id] = list(output.outputs[0].token_ids)
    return [found[name] for name in names]


def _save(folder: Path) -> None:
    """The tiny model, with a tokenizer that knows each of its ids."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    vocabulary = {str(id_): id_ for id_ in range(VOCABULARY[SIZE])}
    make_model(SIZE, "cpu").save_pretrained(folder)
    tokenizer: Any = PreTrainedTokenizerFast
    tokenizer(tokenizer_object=Tokenizer(models.WordLevel(vocabulary, unk_token="0"))).save_pretrained(folder)
