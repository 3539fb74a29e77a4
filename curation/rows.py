"""One raw row of a file -> PoolRow, or the reason why it cannot be read."""

import json
import math
import re
import reprlib
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from curation.difficulty import LARGE_MODEL, SMALL_MODEL
from curation.errors import RowError
from curation.layouts import MAX_NAME, Layout, TraceColumns, is_storable
from curation.records import Attempt, PoolRow, Trace

# a text longer than this many characters is not a question, a solution or a trace
MAX_TEXT = 64 * 2**20
MAX_DOMAIN = 1_000

_GRADES = {"yes": True, "true": True, "1": True, "1.0": True, "no": False, "false": False, "0": False, "0.0": False}
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60
# a decimal text of about 3,000 digits; Python refuses to write more than 4,300
_MAX_BITS = 10_000
_MISSING = ("", "none", "null", "nan", "n/a")
_THINK = re.compile(r"\A\s*<think>(.*?)(?:</think>(.*))?\Z", re.DOTALL)
_S1 = re.compile(r"\A\s*<\|im_start\|>think\n(.*?)(?:\n?<\|im_start\|>answer\n(.*))?\Z", re.DOTALL)


class RowReader:
    """Reads the raw rows of one file by its layout.

    Args:
        layout: which column is which field.
        source: the source of every row, in place of the file's column; "" keeps the column's.
        default_source: the source of rows that name none.
        small_model, large_model: whose attempts the columns of the small and the large grade judge.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        source: str = "",
        default_source: str = "",
        small_model: str = SMALL_MODEL,
        large_model: str = LARGE_MODEL,
    ) -> None:
        self.layout = layout
        # looked up for every field of every row
        self._columns, self._instead = layout.columns, layout.instead
        self.source = source
        self.default_source = default_source
        self.models = {"small": small_model, "large": large_model}

    def read(self, line: int, raw: Mapping[str, Any]) -> PoolRow:
        """The row in our own terms.

        Raises:
            RowError: a value that is not what its field holds; the message names column, value and what is allowed.
        """
        get = self._get
        question, from_messages = self._question(raw)
        solution = _text(get(raw, "solution"), "solution", numbers=True)
        answer = _text(get(raw, "answer"), "answer", numbers=True)
        small_grade, large_grade = self._role_grade(raw, "small"), self._role_grade(raw, "large")
        traces, attempts = self._traces(raw, from_messages, {"small": small_grade, "large": large_grade})
        source = self.source or _text(get(raw, "source"), "source", limit=MAX_NAME) or self.default_source
        return PoolRow(
            line=line,
            question=question,
            source=source,
            solution=solution or answer,
            answer=answer,
            cot=_text(get(raw, "cot"), "cot"),
            cot_type=_text(get(raw, "cot_type"), "cot_type", limit=MAX_NAME),
            metadata=_metadata(get(raw, "metadata")),
            domain=_domain(get(raw, "domain")),
            small_grade=small_grade,
            large_grade=large_grade,
            traces=traces,
            attempts=attempts,
            is_attachment=self.layout.is_attachment,
        )

    def _get(self, raw: Mapping[str, Any], name: str) -> Any:
        column = self._columns.get(name)
        if column is None:
            return None
        return self.layout.value(raw, column) if column in self._instead else raw.get(column)

    def _question(self, raw: Mapping[str, Any]) -> tuple[str, str]:
        """The question, and the assistant's message where the row is a conversation."""
        reply = ""
        value = self._get(raw, "question")
        if "messages" in self.layout.columns:
            if value is None:
                value, reply = _conversation(self._get(raw, "messages"))
            else:
                reply = _reply_with_thinking(self._get(raw, "messages"))
        if value is None or (isinstance(value, float) and math.isnan(value)):
            raise RowError(f"question is missing ({'NaN' if value is not None else 'null'}); a text is needed")
        question = _text(value, "question")
        if not question.strip():
            raise RowError("question is empty; a text is needed")
        return question, reply

    def _role_grade(self, raw: Mapping[str, Any], role: str) -> bool | None:
        return _grade(self._get(raw, f"{role}_grade"), self._columns.get(f"{role}_grade", ""))

    def _traces(
        self, raw: Mapping[str, Any], reply: str, grades: Mapping[str, bool | None]
    ) -> tuple[tuple[Trace, ...], tuple[Attempt, ...]]:
        layout = self.layout
        generator = _text(self._get(raw, "generator"), "generator", limit=MAX_NAME) or layout.generator
        judge = _text(self._get(raw, "judge"), "judge", limit=MAX_NAME)
        if layout.is_attempts:
            text = _text(self._get(raw, "attempt"), "attempt")
            grade = _grade(self._get(raw, "correct"), "correct")
            attempt = Attempt(generator, text, grade, judge or layout.columns.get("correct", ""))
            return (), (attempt,) if text or grade is not None else ()
        traces = [trace for columns in layout.traces for trace in _read_trace(raw, layout, columns, generator, judge)]
        if not any(trace.thinking for trace in traces):
            thinking, text = split_thinking(reply or _text(self._get(raw, "response"), "response"))
            known = traces[0] if traces else Trace("", generator=generator)
            if thinking or (text and not known.attempt):
                traces[:1] = [replace(known, thinking=thinking, attempt=text or known.attempt)]
        attempts = []
        for name, model in self.models.items():
            text = _text(self._get(raw, f"{name}_attempt"), f"{name}_attempt")
            if text:  # a bare grade says no more than the row's own small_grade or large_grade
                attempts.append(Attempt(model, text, grades[name], layout.columns.get(f"{name}_grade", "")))
        return tuple(traces), tuple(attempts)


def split_thinking(reply: str) -> tuple[str, str]:
    """Split a reply into (thinking, attempt) at think tags or s1's delimiters; without either it is all attempt.

    Thinking that never ends has an empty attempt; a reply that starts inside its thinking (the opening tag stood in
    the prompt) is split at the closing tag.
    """
    match = _THINK.match(reply) or _S1.match(reply)
    if match:
        return match[1].strip("\n"), (match[2] or "").strip("\n")
    thinking, closing, attempt = reply.partition("</think>")
    return (thinking.strip("\n"), attempt.strip("\n")) if closing else ("", reply)


def _read_trace(
    raw: Mapping[str, Any], layout: Layout, columns: TraceColumns, generator: str, judge: str
) -> list[Trace]:
    """The traces of one generator in a row: none, one, or one a trajectory (the first has grade and length)."""

    def get(column: str) -> Any:
        return layout.value(raw, column) if column else None

    trajectories = _trajectories(get(columns.thinking), columns.thinking)
    attempt = _text(get(columns.attempt), columns.attempt)
    grade = _grade(get(columns.trace_grade), columns.trace_grade)
    tokens = _tokens(get(columns.trace_tokens), columns.trace_tokens)
    reason = _text(get(columns.grade_reason), columns.grade_reason)
    if not trajectories and attempt.lstrip().startswith("<think>"):
        thinking, attempt = split_thinking(attempt)
        trajectories = [thinking] if thinking else []
    if not trajectories and not attempt and grade is None and tokens is None:
        return []
    first = Trace(
        thinking=trajectories[0] if trajectories else "",
        attempt=attempt,
        generator=columns.generator or generator,
        grade=grade,
        judge=(judge or columns.trace_grade) if grade is not None else "",
        grade_reason=reason,
        tokens=tokens,
        tokenizer=columns.trace_tokens if tokens is not None else "",
    )
    return [first, *(Trace(thinking, generator=first.generator) for thinking in trajectories[1:])]


def _trajectories(value: Any, column: str) -> list[str]:
    """s1's list of one string; a plain text, or a list written as JSON in a CSV cell, is understood too."""
    listed = _listed(value)
    if listed is not None and all(item is None or isinstance(item, str) for item in listed):
        value = listed  # else "[1]" is a text in brackets
    if isinstance(value, list):
        if any(item is not None and not isinstance(item, str) for item in value):
            raise RowError(f"{column} holds {_shown(value)}; a list of texts is allowed")
        return [_checked(item, column, MAX_TEXT) for item in value if item]
    text = _text(value, column)
    return [text] if text else []


def _listed(value: Any) -> list[Any] | None:
    """The list that a text holds as JSON, as in a CSV cell; None where it holds none."""
    if not isinstance(value, str) or not value.startswith("[") or not value.rstrip().endswith("]"):
        return None
    try:
        listed = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return listed if isinstance(listed, list) else None


def _reply_with_thinking(messages: Any) -> str:
    """The reply of a conversation beside a question column, where it is a model's: it shows its thinking.

    Without thinking it is the reference solution once more, as in NuminaMath.
    """
    try:
        _, reply = _conversation(messages)
    except RowError:
        return ""
    return reply if split_thinking(reply)[0] else ""


def _conversation(messages: Any) -> tuple[str | None, str]:
    """(question, reply) of a conversation with one question; keys role/content or from/value."""
    if messages is None:
        return None, ""
    messages = _listed(messages) or messages
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise RowError(f"messages holds {_shown(messages)}; a list of role and content is allowed")
    turns: dict[str, list[Any]] = {}
    for message in messages:
        role = message.get("role", message.get("from"))
        turns.setdefault(str(role), []).append(message.get("content", message.get("value")))
    questions = turns.get("user", []) + turns.get("human", [])
    replies = turns.get("assistant", []) + turns.get("gpt", [])
    if len(questions) != 1 or len(replies) > 1:
        raise RowError(
            f"messages has {len(questions)} user and {len(replies)} assistant turns; "
            "one question with at most one reply is allowed"
        )
    return _text(questions[0], "messages"), _text(replies[0], "messages") if replies else ""


def _text(value: Any, column: str, *, numbers: bool = False, limit: int = MAX_TEXT) -> str:
    """The text, "" where it is missing (null, or NaN as pandas writes it)."""
    if type(value) is str:
        return _checked(value, column, limit)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if numbers and isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        if isinstance(value, int) and value.bit_length() > _MAX_BITS:
            raise RowError(f"{column} holds a number of more than 3,000 digits; write it as a text")
        if isinstance(value, float) and math.isinf(value):
            raise RowError(f"{column} holds {_shown(value)}; a text or a finite number is allowed")
        return str(value)
    raise RowError(f"{column} holds {_shown(value)}; a text is allowed")


def _checked(text: str, column: str, limit: int) -> str:
    if len(text) > limit:
        raise RowError(f"{column} has {len(text):,} characters; at most {limit:,} are allowed")
    if "\0" in text:
        raise RowError(f"{column} holds a NUL character (U+0000), which a database text cannot hold; remove it")
    # long texts are looked at when the row gets its identity
    if limit < MAX_TEXT and not is_storable(text):
        raise RowError(f"{column} holds half a surrogate pair, which no UTF-8 text can hold; repair the text")
    return text


def _grade(value: Any, column: str) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        lowered = value.strip().lower()
        if lowered in _MISSING:
            return None
        if lowered in _GRADES:
            return _GRADES[lowered]
    raise RowError(f"{column} holds {_shown(value)}; true, false or nothing is allowed")


def _tokens(value: Any, column: str) -> int | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        if value.strip().lower() in _MISSING:
            return None
        try:
            value = float(value)
        except ValueError:
            raise RowError(f"{column} holds {_shown(value)}; a number of tokens is allowed") from None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value < 2**31 or value != int(value):
        raise RowError(f"{column} holds {_shown(value)}; a whole number of tokens from 0 is allowed")
    return int(value)


def _domain(value: Any) -> str:
    """A two-digit code (a number gets its leading zero back) or any label, stripped."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 100 and value == int(value):
        return f"{int(value):02d}"
    return _text(value, "domain", limit=MAX_DOMAIN).strip()


def _metadata(value: Any) -> str:
    """Metadata stays the text that it is; a JSON object or list becomes its text."""
    if isinstance(value, dict | list):
        try:
            return _checked(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str), "metadata", MAX_TEXT)
        except (ValueError, RecursionError) as error:
            raise RowError(f"metadata cannot be written as JSON: {error}") from None
    return _text(value, "metadata", numbers=True)


def _shown(value: Any) -> str:
    """What came, short enough for a line."""
    kind = {dict: "an object", list: "a list", bool: "true or false", bytes: "bytes"}.get(type(value))
    if kind is None:
        kind = "a number" if isinstance(value, int | float) else f"a {type(value).__name__}"
        kind = "a text" if isinstance(value, str) else kind
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, int) and abs(value) > 10**60:
        return f"{kind} of more than 60 digits"
    # it stops at a depth and a length: a value may be nested as deeply, and be as long, as a file allows
    text = repr(value) if isinstance(value, int | float) else _SHORT.repr(value)
    return f"{kind} ({text if len(text) <= 60 else text[:57] + '...'})"
