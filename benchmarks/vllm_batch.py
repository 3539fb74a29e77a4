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

from benchmarks.engines import FIRST_FREE, VOCABULARY, make_model, make_plan
from inference.benchmark_sources import load_benchmark
from inference.delimiters import build_delimiters, find_profile
from inference.engines.protocol import Request
from inference.engines.vllm import VLLMEngine
from inference.forcing_plan import BudgetForcing, ForcingPlan
from inference.forcing_plan import make_plan as plan_of
from inference.prompts import PromptBuilder

# a share of a random model's ids ends thinking: rounds have about 32 tokens, and 12 to 100 of them are common
END_SHARE = 0.03
WAITS = (0, 2, 4, 8, 16)
CONTEXT = 2_048
SIZE = "reasoner"


def measure(
    *, num_prompts: int = 64, repeats: int = 3, model: Path | None = None, problems: Path | None = None
) -> dict[str, Any]:
    """Seconds of both at 0, 2, 4, 8 and 16 Waits: the median of so many runs, taken in turns.

    Args:
        model: a folder of a model that thinks between s1's delimiters; None: random weights. A random model often
            falls into a loop, and the rounds then wait for its cap: one that was trained says more.
        problems: what it is asked, a benchmark as JSON lines.
    """
    if (model is None) != (problems is None):
        raise SystemExit("--vllm-model and --vllm-problems are given together")
    if model is None:
        folder = tempfile.TemporaryDirectory(prefix="s1web-vllm-")
        _save(Path(folder.name))
        engine = _load(Path(folder.name), num_prompts)
        prompts, plans = _random_work(num_prompts)
    else:
        assert problems is not None
        engine = _load(model, num_prompts)
        prompts, plans = _real_work(model, problems, num_prompts)
    _inside(engine, prompts, plans[0])  # what is done once is done
    cases: dict[str, Any] = {}
    for num_ignore, plan in plans.items():
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
    return {"model": model.name if model else SIZE, "prompts": num_prompts, **engine.fingerprint(), **cases}


def _load(folder: Path, num_prompts: int) -> VLLMEngine:
    return VLLMEngine.load(folder, context_tokens=CONTEXT, max_rows=num_prompts, kv_cache_gib=1, compiles=False)


def _random_work(num_prompts: int) -> tuple[list[tuple[int, ...]], dict[int, ForcingPlan]]:
    """Prompts of random ids, and a plan for each number of Waits."""
    rng = random.Random(0)
    num_ids = VOCABULARY[SIZE]
    ends = tuple((id_,) for id_ in rng.sample(range(FIRST_FREE, num_ids), int(END_SHARE * num_ids)))
    prompts = [
        tuple(rng.randrange(FIRST_FREE, num_ids) for _ in range(rng.randint(20, 120))) for _ in range(num_prompts)
    ]
    return prompts, {waits: make_plan(ends, waits, thinking_tokens=64 * (waits + 1)) for waits in WAITS}


def _real_work(model: Path, problems: Path, num_prompts: int) -> tuple[list[tuple[int, ...]], dict[int, ForcingPlan]]:
    """The same with a model's own prompts and delimiters."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(model)
    profile = find_profile("s1")
    builder = PromptBuilder(tokenizer, profile)
    asked = load_benchmark(str(problems)).problems[:num_prompts]
    delimiters = build_delimiters(profile, tokenizer)
    plans = {
        waits: plan_of(
            BudgetForcing(max_thinking_tokens=64 * (waits + 1), num_ignore=waits, max_answer_tokens=16),
            delimiters,
            tokenizer,
        )
        for waits in WAITS
    }
    return [builder.build(problem).ids for problem in asked], plans


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
    options, delimiters = plan.options, plan.delimiters
    ends, stops = [ids[0] for ids in delimiters.ends], [ids[0] for ids in delimiters.stops]
    wait = plan.ignore_ids[0]
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
                is_new_line = ids[place][-1] in delimiters.line_ends
                ids[place] += [*(() if is_new_line else delimiters.separator), *plan.forced_end]
            elif waits == options.num_ignore or len(ids[place]) + len(wait) >= cap:
                ids[place] += plan.natural_end
            else:
                ids[place] += wait
                still.append(place)
        thinking = still
    asked = [([*prompt, *new], max_answer, 0) for prompt, new in zip(prompts, ids, strict=True)]
    for place, answer in enumerate(_generate(engine, asked, stops)):
        ids[place] += answer[:-1] if answer[-1] in stops else answer
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
