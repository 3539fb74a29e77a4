"""Small runs for tests: rows of the test's own reasoner, a model with random weights, and what a run left behind."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

from tests.inference import reasoner
from tests.inference.models import random_model

ROOT = Path(__file__).resolve().parents[2]


def write_rows(path, count, *, seed=0):
    """Rows as an exported selection has them; lengths differ by a factor of three and more."""
    rng = random.Random(seed)
    with path.open("w", encoding="utf-8") as file:
        for _ in range(count):
            question, steps, answer = reasoner.make_problem(rng)
            trace = reasoner.make_trace(rng, steps)
            row = {"question": question, "thinking_trajectories": [trace], "attempt": str(answer)}
            file.write(json.dumps(row) + "\n")
    return path


def save_model(folder):
    """A model with random weights, and a tokenizer with a chat template."""
    tokenizer = reasoner.make_tokenizer(random.Random(0))
    model = random_model(
        hidden=32,
        vocab_size=len(tokenizer),
        initializer_range=0.08,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        context_tokens=512,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_run(folder, *, name="run", num_rows=40, **settings):
    """A run's file with its model and rows beside it: five steps an epoch, two epochs."""
    folder.mkdir(parents=True, exist_ok=True)
    model, rows = folder / "model", folder / f"rows{num_rows}.jsonl"
    if not model.is_dir():
        save_model(model)
    if not rows.exists():
        write_rows(rows, num_rows)
    row = {
        "model": str(model),
        "data": str(rows),
        "dtype": "float32",
        "batch_size": 8,
        "micro_batch_size": 8,
        "epochs": 2,
        "learning_rate": 3e-3,
        "device": "cpu",
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(row | settings))
    return path


def command(*arguments, processes=1, port=29_600):
    """python -m training.sft, or the same under torchrun in so many processes."""
    start = [sys.executable, "-m"]
    if processes > 1:
        start += ["torch.distributed.run", "--nproc-per-node", str(processes), "--master-port", str(port), "-m"]
    return subprocess.run(
        [*start, "training.sft", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def metrics_of(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def weights_of(folder):
    from safetensors.torch import load_file

    return load_file(folder / "model" / "model.safetensors")
