"""Runs to test with: small problems, a model that follows a table, and the files of a run."""

import json

import numpy as np

from inference.benchmark_sources import load_benchmark
from inference.engines.scripted import ScriptedEngine
from inference.evaluation.config import config_from_json
from inference.evaluation.folder import SAMPLES, read_jsonl
from inference.evaluation.work import Loaded, carry_out
from tests.inference.models import make_tokenizer, num_model_ids

CONTEXT = 512


def write_problems(path, count=12):
    """A benchmark of one-digit sums, as JSON lines."""
    rows = [
        {"id": f"p{n:03d}", "problem": f"{n % 5} + {n % 4} = ?", "answer": str((n % 5) + (n % 4))}
        for n in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


class DigitModel:
    """Logits by what stands before: digits and at times an end while it thinks, then `Answer: `, a digit, a stop."""

    def __init__(self):
        tokenizer = make_tokenizer()

        def ids_of(text):
            return tokenizer.encode(text, add_special_tokens=False)

        self._start, self._answer = ids_of("<|im_start|>answer")
        (self._stop,) = ids_of("<|im_end|>")
        self._digits = [ids_of(digit)[0] for digit in "0123456789"]
        self._mark = ids_of("\nAnswer: ")
        self._thinking = self._logits({**dict.fromkeys(self._digits, 0.0), self._start: 1.2})

    def __call__(self, ids):
        opened = [
            place for place in range(len(ids) - 1) if tuple(ids[place : place + 2]) == (self._start, self._answer)
        ]
        if not opened:
            return self._thinking
        behind = list(ids[opened[-1] + 2 :])
        if behind == self._mark[: len(behind)] and len(behind) < len(self._mark):
            return self._logits({self._mark[len(behind)]: 0.0})
        if behind[-1] in self._digits:
            return self._logits({self._stop: 0.0})
        return self._logits(dict.fromkeys(self._digits, 0.0))

    @staticmethod
    def _logits(likely):
        logits = np.full(num_model_ids(), -30.0, dtype=np.float32)
        logits[list(likely)] = list(likely.values())
        return logits


def make_config(benchmark, **changes):
    row = {
        "model": "digits",
        "benchmark": str(benchmark),
        "method": {"name": "budget_forcing", "forcing": {"max_thinking_tokens": 12, "max_answer_tokens": 12}},
        "template": "Q: {problem}\n",
        "sampling": {"temperature": 1.0},
        "seed": 3,
        "grading": {"math_verify": False},
    }
    return config_from_json(row | changes)


def make_loaded(config, *, engine=None):
    tokenizer = make_tokenizer()
    return Loaded(
        engine=engine or ScriptedEngine(DigitModel(), context_tokens=CONTEXT, num_ids=num_model_ids()),
        tokenizer=tokenizer,
        benchmark=load_benchmark(config.benchmark, shuffle_seed=config.shuffle_seed),
        eos_ids=(tokenizer.eos_token_id,),
        model_sha256="0" * 64,
        tokenizer_sha256="1" * 64,
    )


def evaluate(tmp_path, *, name="run", count=12, engine=None, config=None, **options):
    """(summary, the run's folder)."""
    benchmark = tmp_path / "sums.jsonl"
    if not benchmark.exists():
        write_problems(benchmark, count)
    config = config or make_config(benchmark)
    return carry_out(config, make_loaded(config, engine=engine), tmp_path / name, **options), tmp_path / name


def rows_of(folder):
    return sorted(read_jsonl(folder / SAMPLES), key=lambda row: row["key"])
