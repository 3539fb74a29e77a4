"""Evaluation sets in the database."""

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from django.db import transaction

from curation.errors import ConfigError, InputError, RowError
from inference.benchmarks import Problem as ProblemRecord
from inference.benchmarks import read_problem
from s1web import bulk
from s1web.pool.contamination import mark_questions
from s1web.pool.models import Benchmark, Problem
from s1web.pool.readers import open_table
from s1web.pool.rejected import RejectedRows
from s1web.pool.version import bump

_MAX_NAME = 100


@dataclass
class BenchmarkResult:
    """What loading an evaluation set did, in problems."""

    name: str
    read: int = 0
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    rejected_file: str | None = None
    seconds: float = field(default=0.0)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def load_benchmark(path: str, name: str) -> BenchmarkResult:
    """Load an evaluation set, whole or not at all; problems it already has are updated by their id.

    Changed and new problems are compared with the pool at the next check for contamination.

    Raises:
        InputError, ConfigError: a file or a name that cannot be used.
    """
    started = time.monotonic()
    check_name(name)
    result = BenchmarkResult(name)
    problems: dict[str, ProblemRecord] = {}
    with RejectedRows(f"benchmark-{name}-{Path(path).name.partition('.')[0]}") as rejected:
        for batch in open_table(path).batches(None):
            for line, raw in batch:
                result.read += 1
                try:
                    if isinstance(raw, RowError):
                        raise raw
                    problem = read_problem(raw)
                    if problems.setdefault(problem.key, problem) != problem:
                        raise RowError(f"id {problem.key!r:.80} is there twice with another text; ids are unique")
                except RowError as error:
                    rejected.add(path, line, str(error), raw)
        result.rejected = rejected.num_rows
        if not problems:
            raise InputError(
                f"{path}: none of its {result.read:,} rows is a problem; a row has id, problem, answer; "
                f"the first: {rejected.first_reason}"
            )
        _store(name, problems, result)
    result.rejected_file = rejected.path
    result.seconds = round(time.monotonic() - started, 3)
    return result


def check_name(name: str) -> None:
    """Refuse what cannot name a benchmark.

    Raises:
        ConfigError: empty, or too long.
    """
    if not name.strip() or len(name) > _MAX_NAME:
        raise ConfigError(f"--name {name!r:.120} cannot name a benchmark; give 1 to {_MAX_NAME} characters")


@transaction.atomic
def _store(name: str, problems: dict[str, ProblemRecord], result: BenchmarkResult) -> None:
    bulk.take_turn()
    benchmark, _ = Benchmark.objects.get_or_create(name=name)
    known = {problem.key: problem for problem in benchmark.problems.all()}
    fresh: list[Problem] = []
    for key, record in problems.items():
        stored = known.get(key)
        if stored is None:
            fresh.append(
                Problem(
                    benchmark=benchmark, key=key, text=record.text, answer=record.answer, choices=list(record.choices)
                )
            )
            continue
        if (stored.text, stored.answer, tuple(stored.choices)) == (record.text, record.answer, record.choices):
            continue
        result.updated += 1
        if stored.text != record.text:
            stored.checked_question_id = 0
            hit = list(stored.contaminations.values_list("question_id", flat=True))
            stored.contaminations.all().delete()
            mark_questions(hit)
        stored.text, stored.answer, stored.choices = record.text, record.answer, list(record.choices)
        stored.save()
    Problem.objects.bulk_create(fresh, batch_size=500)
    result.new = len(fresh)
    result.unchanged = result.read - result.rejected - result.new - result.updated
    if result.new or result.updated:
        # questions are no longer compared with everything that there is
        bump()
