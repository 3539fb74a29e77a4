"""What pages and commands read of the pool; nothing here writes."""

from collections import Counter
from typing import Any

from django.db.models import Count

from curation.sources import SOURCES
from s1web.pool.models import LoadedRow


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
