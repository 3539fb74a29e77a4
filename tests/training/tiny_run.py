"""A run that takes seconds: a random model with a tokenizer, a few rows, and the file that describes it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROWS = [
    {"question": f"What is {number} and four?", "thinking": f"{number} and four.\n\n" * 3, "attempt": str(number + 4)}
    for number in range(1, 9)
]


def write_run(folder: Path, rows: Sequence[dict[str, str]] = ROWS, **settings: Any) -> Path:
    """run.json with its model and rows in that folder; settings go before those of a tiny run."""
    from tests.inference.models import random_model
    from tests.training.templates import make_tokenizer

    tokenizer = make_tokenizer()
    tokenizer.save_pretrained(folder / "model")
    random_model(vocab_size=len(tokenizer), hidden=16).save_pretrained(folder / "model")
    data = folder / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    values = {
        "model": str(folder / "model"),
        "data": str(data),
        "block_size": 512,
        "batch_size": 4,
        "max_steps": 3,
        "dtype": "float32",
        "device": "cpu",
    }
    path = folder / "run.json"
    path.write_text(json.dumps(values | settings), encoding="utf-8")
    return path
