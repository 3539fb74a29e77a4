"""All questions of a listing as a file, made while it is read: memory does not grow with the pool."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from s1web.browse.columns import Columns
from s1web.browse.filters import Listing
from s1web.browse.queries import Row, read_rows
from s1web.browse.store import looked
from s1web.pool.models import Question

FORMATS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
_PIECE = 200
_TEXTS = ("text", "solution", "answer")
# a spreadsheet takes what begins so for a formula
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_GRADES = {True: "right", False: "wrong", None: ""}


def read_csv(listing: Listing) -> Iterator[str]:
    """A table of the hash, the columns shown and the whole question; missing values are empty."""
    names = ["hash", *(name for name in listing.shown if name not in ("hash", "question")), "question"]
    yield _line(names)
    for columns, row, texts in _read(listing):
        found = _facts(columns, row) | {"question": texts["text"]}
        yield _line([_cell(found[name]) for name in names])


def read_jsonl(listing: Listing) -> Iterator[str]:
    """One object a line: everything that lists show, the whole texts, and the question's own trace."""
    for columns, row, texts in _read(listing):
        facts = _facts(columns, row)
        trace = {"generator": texts["generator"], "thinking": texts["thinking"], "attempt": texts["attempt"]}
        found = facts | {
            "quality": list(row.quality),
            "question": texts["text"],
            "solution": texts["solution"],
            "answer": texts["answer"],
            "trace": trace if texts["trace_id"] else None,
        }
        yield json.dumps(found, ensure_ascii=False) + "\n"


def _facts(columns: Columns, row: Row) -> dict[str, Any]:
    titles = columns.cluster_titles
    return {
        "hash": row.question_hash,
        "source": row.source,
        "domain": row.domain,
        "cot_type": row.cot_type,
        "cluster": None if row.cluster is None else titles[row.cluster],
        "small": _GRADES[row.small_grade],
        "large": _GRADES[row.large_grade],
        "trace": _GRADES[row.trace_grade],
        "tokens": row.trace_tokens,
        "quality": " ".join(row.quality),
        "contamination": row.contamination,
        "review": row.review,
        "selected": "yes" if row.is_selected else "no",
    }


def _read(listing: Listing) -> Iterator[tuple[Columns, Row, dict[str, Any]]]:
    columns = looked(is_fresh=True).columns
    for rows in read_rows(columns, listing, _PIECE):
        pks = [row.pk for row in rows]
        found = Question.objects.filter(pk__in=pks).values(
            "pk", *_TEXTS, "trace_id", "trace__generator", "trace__thinking", "trace__attempt"
        )
        texts = {item["pk"]: {name.removeprefix("trace__"): value for name, value in item.items()} for item in found}
        for row in rows:
            # one that has gone meanwhile is left out
            if row.pk in texts:
                yield columns, row, texts[row.pk]


def _line(cells: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
