"""Pool files and benchmarks for the tests: written to a folder, loaded by the project's own services."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from curation.hashing import question_hash
from s1web.pool.benchmarks import BenchmarkResult, load_benchmark
from s1web.pool.loading import LoadOptions, LoadResult, load_pool
from s1web.pool.models import Question


def write_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> Path:
    """One JSON object a line."""
    lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines), encoding="utf-8", newline="\n")
    return path


def load_rows(folder: Path, rows: Sequence[Mapping[str, Any]], name: str = "rows", **options: Any) -> LoadResult:
    return load_pool([str(write_lines(folder / f"{name}.jsonl", rows))], LoadOptions(**options))


def load_problems(
    folder: Path, texts: Sequence[str] | Mapping[str, str], name: str = "evaluation"
) -> BenchmarkResult:
    """Texts become problems p0, p1, ...; a mapping gives id -> text."""
    problems = texts if isinstance(texts, Mapping) else {f"p{place}": text for place, text in enumerate(texts)}
    records = [{"id": key, "problem": text, "answer": "7"} for key, text in problems.items()]
    return load_benchmark(str(write_lines(folder / f"{name}.jsonl", records)), name)


def find(text: str) -> Question:
    """The question of that text."""
    return Question.objects.get(question_hash=question_hash(text))
