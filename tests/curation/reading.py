"""Reading one row."""

from typing import Any

from curation.layouts import resolve
from curation.records import PoolRow
from curation.rows import RowReader


def read(raw: dict[str, Any], *mapping: str, **options: Any) -> PoolRow:
    return RowReader(resolve(list(raw), mapping), **options).read(3, raw)
