"""The columns of an exported selection, by layout."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from training.formatting import RenderChat, messages, training_text


@dataclass(frozen=True, slots=True)
class ExportTrace:
    """A trace as an export sees it."""

    generator: str
    thinking: str
    attempt: str
    grade: bool | None
    grade_reason: str


@dataclass(frozen=True, slots=True)
class ExportRow:
    """A selected question with all its traces; `trace` is the one that the recipe looked at."""

    question_hash: str
    question: str
    solution: str
    cot: str
    cot_type: str
    source: str
    metadata: str
    trace: ExportTrace | None
    traces: Sequence[ExportTrace] = field(default_factory=tuple)


_S1K = [
    ("solution", pa.string()),
    ("question", pa.string()),
    ("cot_type", pa.string()),
    ("source_type", pa.string()),
    ("metadata", pa.string()),
    ("cot", pa.string()),
    ("thinking_trajectories", pa.list_(pa.string())),
    ("attempt", pa.string()),
]
# s1K-1.1 gives each of its two trace authors columns of their own; these words tell whose a trace is
_AUTHORS = {"gemini": ("gemini",), "deepseek": ("deepseek", "r1")}
_MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])

SCHEMAS: dict[str, pa.Schema] = {
    "s1k": pa.schema(_S1K),
    "s1k-1.1": pa.schema(
        [
            *_S1K[:6],
            *(
                (f"{author}_{part}", pa.string())
                for author in _AUTHORS
                for part in ("thinking_trajectory", "attempt", "grade", "grade_reason")
            ),
        ]
    ),
    "messages": pa.schema(
        [("question_hash", pa.string()), ("source_type", pa.string()), ("messages", pa.list_(_MESSAGE))]
    ),
    "text": pa.schema([*_S1K, ("text", pa.string())]),
}
LAYOUTS = tuple(SCHEMAS)
# layouts in which a row without a trace would say nothing
NEED_TRACE = ("messages", "text")


def to_columns(layout: str, row: ExportRow, render: RenderChat | None = None) -> dict[str, Any]:
    """One row in a layout's columns; missing values are null.

    Args:
        render: the chat template of layout `text`; Qwen2.5-Instruct's where none is given.
    """
    return _LAYOUTS[layout](row, render)


def _s1k(row: ExportRow, render: RenderChat | None) -> dict[str, Any]:
    has_thinking = row.trace is not None and row.trace.thinking
    return {
        **_question_columns(row),
        "thinking_trajectories": [row.trace.thinking] if row.trace and has_thinking else [],
        "attempt": row.trace.attempt if row.trace else None,
    }


def _s1k_1_1(row: ExportRow, render: RenderChat | None) -> dict[str, Any]:
    columns = _question_columns(row)
    for author, markers in _AUTHORS.items():
        trace = next((t for t in row.traces if any(word in t.generator.lower() for word in markers)), None)
        columns[f"{author}_thinking_trajectory"] = trace.thinking if trace else None
        columns[f"{author}_attempt"] = trace.attempt if trace else None
        grade = trace.grade if trace else None
        columns[f"{author}_grade"] = None if grade is None else ("Yes" if grade else "No")
        columns[f"{author}_grade_reason"] = (trace.grade_reason or None) if trace else None
    return columns


def _messages(row: ExportRow, render: RenderChat | None) -> dict[str, Any]:
    assert row.trace is not None
    return {
        "question_hash": row.question_hash,
        "source_type": row.source,
        "messages": messages(row.question, row.trace.thinking, row.trace.attempt),
    }


def _text(row: ExportRow, render: RenderChat | None) -> dict[str, Any]:
    assert row.trace is not None
    text = training_text(row.question, row.trace.thinking, row.trace.attempt, render)
    return {**_s1k(row, render), "text": text}


def _question_columns(row: ExportRow) -> dict[str, Any]:
    return {
        "solution": row.solution or None,
        "question": row.question,
        "cot_type": row.cot_type or None,
        "source_type": row.source,
        "metadata": row.metadata or None,
        "cot": row.cot or None,
    }


_LAYOUTS: dict[str, Callable[[ExportRow, RenderChat | None], dict[str, Any]]] = {
    "s1k": _s1k,
    "s1k-1.1": _s1k_1_1,
    "messages": _messages,
    "text": _text,
}
