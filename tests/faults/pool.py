"""Files that keep jobs busy: the demo pool's rows over and over, each with traces of its own."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.demo.pool import make_demo
from s1web.management.commands.demo_data import _train_tokenizer
from tests.s1web.pools import write_lines

ROWS_PER_FILE = 500
TRACE_CHARACTERS = 8_500  # a file is above 4 MiB, from which an import reads ahead in a process of its own


@dataclass(frozen=True)
class Files:
    """No question is in two files, so that they give the same pool in any order."""

    pool: tuple[Path, ...]
    benchmark: Path
    tokenizer: Path


def write_files(folder: Path, *, num_files: int, rows_per_file: int, seed: int = 0) -> Files:
    """Write the pool's files, a benchmark that overlaps with them, and a tokenizer."""
    demo = make_demo(num_questions=300)
    rng = random.Random(seed)
    paragraphs = [part for row in demo.rows for text in row["thinking_trajectories"] for part in text.split("\n\n")]
    pool = []
    for number in range(num_files):
        rows = [
            _row(demo.rows[place % len(demo.rows)], f"{number}-{place}", paragraphs, rng)
            for place in range(rows_per_file)
        ]
        pool.append(write_lines(folder / f"part-{number:02d}.jsonl", rows))
    tokenizer = folder / "tokenizer.json"
    _train_tokenizer(pool[0], tokenizer)
    return Files(tuple(pool), write_lines(folder / "benchmark.jsonl", demo.benchmark), tokenizer)


def _row(row: dict[str, Any], case: str, paragraphs: list[str], rng: random.Random) -> dict[str, Any]:
    parts: list[str] = []
    size = 0
    while size < TRACE_CHARACTERS:
        parts.append(rng.choice(paragraphs))
        size += len(parts[-1])
    # a length that came with the row would be one of another trace
    kept = {name: value for name, value in row.items() if name != "gemini_length"}
    return kept | {
        "question": f"{row['question']} Take it as case {case}.",
        "thinking_trajectories": ["\n\n".join(parts)],
    }
