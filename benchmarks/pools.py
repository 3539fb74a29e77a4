"""Pools of any size in the shape of s1's, made from the demo pool: same columns, trace lengths, rates of grades."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.demo.pool import make_demo

# s1's mean trace and how far lengths spread; a token is about 3.6 characters
TRACE_TOKENS, SIGMA, CHARACTERS_PER_TOKEN = 3_600, 0.8, 3.6
ROWS_PER_FILE, ROWS_PER_GROUP = 10_000, 1_000
NUM_DOMAINS = 51


def write_pool(
    folder: Path, num_rows: int, *, with_traces: bool, mean_tokens: int = TRACE_TOKENS, seed: int = 0
) -> Path:
    """Write parquet files of together `num_rows` rows; deterministic for a seed."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.Generator(np.random.PCG64(seed))
    rows = _rows(num_rows, rng, with_traces=with_traces, mean_tokens=mean_tokens)
    for number in range(-(-num_rows // ROWS_PER_FILE)):
        writer = None
        for _ in range(ROWS_PER_FILE // ROWS_PER_GROUP):
            batch = [row for _, row in zip(range(ROWS_PER_GROUP), rows, strict=False)]
            if not batch:
                break
            table = pa.Table.from_pylist(batch)
            writer = writer or pq.ParquetWriter(
                folder / f"part-{number:05d}.parquet", table.schema, compression="zstd"
            )
            writer.write_table(table)
        if writer:
            writer.close()
    return folder


def write_benchmark(path: Path, num_problems: int = 728) -> Path:
    """Write an evaluation set of the size of AIME24, MATH500 and GPQA Diamond together."""
    base = make_demo().benchmark
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for number in range(num_problems):
            problem = base[number % len(base)]
            text = problem["problem"] if number < len(base) else f"{problem['problem']} Give it for case {number}."
            file.write(json.dumps({"id": str(number), "problem": text, "answer": problem["answer"]}) + "\n")
    return path


def _rows(
    num_rows: int, rng: np.random.Generator, *, with_traces: bool, mean_tokens: int
) -> Iterator[dict[str, Any]]:
    base = make_demo().rows
    traces = [text for row in base for text in row["thinking_trajectories"]]
    paragraphs = [part for text in traces for part in text.split("\n") if len(part) > 20]
    mu = np.log(mean_tokens) - SIGMA**2 / 2
    for number in range(num_rows):
        row = dict(base[number % len(base)])
        if number >= len(base):
            row["question"] = f"{row['question']} Take it as case {number}."
        tokens = min(int(rng.lognormal(mu, SIGMA)), 30_000) + 20
        row["gemini_length"] = tokens
        row["domain"] = f"{int(rng.integers(NUM_DOMAINS)):02d}"
        # the pool's own attempts are long texts that s1's pool has not
        for name in ("qwen7b_attempt", "qwen32b_attempt"):
            row.pop(name, None)
        row["thinking_trajectories"] = [_trace(paragraphs, tokens, rng)] if with_traces else []
        if not with_traces:  # a trace goes together with its attempt, grade and length
            row["attempt"] = row["isgeminicorrect"] = row["gemini_length"] = None
        if rng.random() < 0.083:
            row["isqwen7bcorrect"] = row["isqwen32bcorrect"] = None
        yield row


def _trace(paragraphs: list[str], tokens: int, rng: np.random.Generator) -> str:
    parts: list[str] = []
    size = 0
    while size < tokens * CHARACTERS_PER_TOKEN:
        part = paragraphs[int(rng.integers(len(paragraphs)))]
        parts.append(part)
        size += len(part) + 2
    return "\n\n".join(parts)
