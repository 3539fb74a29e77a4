"""What pages and commands read of the pool; nothing here writes."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max, Min

from curation.sources import SOURCES
from s1web.pool.models import Benchmark, Contamination, LoadedRow, Problem, Question, Source, Trace


@dataclass(frozen=True)
class PoolFigures:
    """How much there is; `contaminated` counts questions with evidence that nobody overruled."""

    questions: int
    traces: int
    sources: int
    contaminated: int


def count_pool() -> PoolFigures:
    """Four counts, each answered from an index: no text is read."""
    standing = Contamination.objects.exclude(decision=Contamination.Decision.OVERRULED)
    return PoolFigures(
        questions=Question.objects.count(),
        traces=Trace.objects.count(),
        sources=Source.objects.count(),
        contaminated=standing.values("question").distinct().count(),
    )


def count_problems() -> list[tuple[str, int]]:
    """The benchmarks by name, each with its number of problems."""
    return list(Benchmark.objects.order_by("name").values_list("name").annotate(num_problems=Count("problems")))


def is_all_compared() -> bool:
    """Whether every question was compared with every problem; also True where there is none of either."""
    newest = Question.objects.aggregate(newest=Max("pk"))["newest"] or 0
    reached = Problem.objects.aggregate(reached=Min("checked_question_id"))["reached"]
    return reached is None or reached >= newest


def count_loaded_rows() -> int:
    """Rows of questions ever loaded, repeated questions counted each time; attachments are not questions."""
    return LoadedRow.objects.filter(is_attachment=False).count()


def count_sources() -> list[dict[str, Any]]:
    """Rows found beside the rows expected: s1's 16 sources, then the others under their own names."""
    found: Counter[str] = Counter()
    per_source = (
        LoadedRow.objects.filter(is_attachment=False)
        .values_list("source__preset", "source__name")
        .annotate(rows=Count("pk"))
    )
    for preset, name, rows in per_source:
        found[preset or name] += rows
    expected = {preset.name: preset.expected_rows for preset in SOURCES}
    others = sorted(found.keys() - expected.keys())
    return [
        {"source": name, "rows": found[name], "expected_rows": expected.get(name)} for name in [*expected, *others]
    ]
