"""Which column of a pool file is which field, so that s1's own files and common layouts load without mapping."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from curation.errors import ConfigError, InputError

# the longest name that the database keeps: of a source, a model, a judge or a tokenizer
MAX_NAME = 500
# field -> column names that mean it, the first one there wins, and a row that lacks it is read by the next;
# compared without case
ALIASES: dict[str, tuple[str, ...]] = {
    "question": ("question", "problem", "query"),
    "solution": ("solution", "reference_solution"),
    "answer": ("answer", "final_answer", "expected_answer", "gold"),
    "source": ("source_type", "source"),
    "cot_type": ("cot_type",),
    "metadata": ("metadata",),
    "cot": ("cot",),
    "domain": ("domain",),
    "thinking": (
        "thinking_trajectories",
        "thinking_trajectory",
        "thinking_trace",
        "thinking",
        "reasoning_content",
        "reasoning",
    ),
    "attempt": ("attempt",),
    "response": ("response", "generation", "completion", "output"),
    "messages": ("messages", "conversations"),
    "small_grade": ("isqwen7bcorrect", "small_grade"),
    "large_grade": ("isqwen32bcorrect", "large_grade"),
    "small_attempt": ("qwen7b_attempt", "small_attempt"),
    "large_attempt": ("qwen32b_attempt", "large_attempt"),
    "trace_grade": ("isgeminicorrect", "trace_grade"),
    "trace_tokens": ("gemini_length", "trace_tokens"),
    "generator": ("generator", "model"),
    "correct": ("correct",),
    "judge": ("correct_by", "judge"),
}
FIELDS = tuple(ALIASES)
_TRACE_SUFFIXES = {
    "thinking": ("_thinking_trajectory", "_thinking_trajectories"),
    "attempt": ("_attempt",),
    "trace_grade": ("_grade",),
    "grade_reason": ("_grade_reason",),
    "trace_tokens": ("_length",),
}
# s1's column isgeminicorrect and gemini_length say whose trace stands in thinking_trajectories
_GEMINI_COLUMNS = ("isgeminicorrect", "gemini_length")


@dataclass(frozen=True, slots=True)
class TraceColumns:
    """The columns of one generator's trace; "" where the file has none for it."""

    generator: str = ""
    thinking: str = ""
    attempt: str = ""
    trace_grade: str = ""
    grade_reason: str = ""
    trace_tokens: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """Field -> column of one file.

    Attributes:
        columns: the fields that the file has; a column serves one field, or several where the user says so.
        instead: column -> the further columns of the same field, read in this order where a row has null in it.
        traces: one entry a generator; the first is the row's own trace.
        generator: whose trace the row holds, where no column says so.
        is_attempts: rows are ordinary models' attempts at questions (question, model, attempt, correct).
        is_attachment: rows bring traces or attempts by named models to questions.
        ignored: columns that no field takes.
    """

    columns: Mapping[str, str]
    traces: tuple[TraceColumns, ...]
    generator: str = ""
    is_attempts: bool = False
    is_attachment: bool = False
    ignored: tuple[str, ...] = ()
    needed: frozenset[str] = field(default_factory=frozenset)
    instead: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def value(self, raw: Mapping[str, Any], column: str) -> Any:
        """What a row has in a column, or in one that means the same; None where it has nothing."""
        value = raw.get(column)
        if column in self.instead and _is_missing(value):
            others = (raw.get(name) for name in self.instead[column])
            return next((other for other in others if not _is_missing(other)), value)
        return value


def _is_missing(value: Any) -> bool:
    """Null, or NaN as pandas writes it: the one value that is not equal to itself."""
    return value is None or (isinstance(value, float) and value != value)


def parse_mapping(pairs: Iterable[str], names: Sequence[str]) -> dict[str, list[str]]:
    """Read `column=field` pairs into field -> columns.

    `field=column` is understood too, where only that reading names a column of the file.

    Raises:
        ConfigError: a pair without "=", a field that is not known, or a column that is not there.
    """
    mapping: dict[str, list[str]] = {}
    for pair in pairs:
        left, equals, right = pair.partition("=")
        left, right = left.strip(), right.strip()
        if not equals or not left or not right:
            raise ConfigError(f"--map {pair!r} is not column=field; for example --map subject=domain")
        if left in names and right in FIELDS:
            column, field_name = left, right
        elif right in names and left in FIELDS:
            column, field_name = right, left
        elif right in FIELDS or (left in FIELDS and left not in names):
            column = left if right in FIELDS else right
            raise ConfigError(f"--map {pair}: no column {column!r}; the file has {_listing(names)}")
        else:
            raise ConfigError(f"--map {pair}: no field {right!r}; allowed: {', '.join(FIELDS)}")
        mapping.setdefault(field_name, []).append(column)
    for field_name, columns in mapping.items():
        if len(columns) > 1:
            raise ConfigError(f"--map gives {field_name} twice: columns {', '.join(columns)}; give it one")
    return mapping


def resolve(names: Sequence[str], mapping: Iterable[str] = (), presets: Mapping[str, str] | None = None) -> Layout:
    """Decide which column is which field.

    Args:
        names: the file's columns.
        mapping: the user's `column=field` pairs; they win over the names that are known.
        presets: column -> field of the source's preset (`sources.SourcePreset.columns`).

    Raises:
        ConfigError: a pair of the mapping that cannot be followed.
        InputError: no column holds the question, or a column that is needed has an impossible name.
    """
    columns = {name: found[0] for name, found in parse_mapping(mapping, names).items()}
    there = set(names)
    taken = set(columns.values())
    for column, name in (presets or {}).items():
        if column in there and name not in columns and column not in taken:
            columns[name] = column
            taken.add(column)
    lowered = {name.lower(): name for name in reversed(names)}
    instead: dict[str, tuple[str, ...]] = {}
    for name, aliases in ALIASES.items():
        found = [lowered[alias] for alias in aliases if alias in lowered]
        if name not in columns and found and found[0] not in taken:
            columns[name] = found[0]
            instead[found[0]] = tuple(column for column in found[1:] if column not in taken)
            taken.update(found)
    if "question" not in columns and "messages" not in columns:
        raise InputError(
            f"no column holds the question: the file has {_listing(names)}; say which with --map COLUMN=question"
        )
    return _with_traces(names, columns, {column: others for column, others in instead.items() if others})


def _with_traces(names: Sequence[str], columns: dict[str, str], instead: Mapping[str, tuple[str, ...]]) -> Layout:
    own = TraceColumns(
        thinking=columns.get("thinking", ""),
        attempt=columns.get("attempt", ""),
        trace_grade=columns.get("trace_grade", ""),
        trace_tokens=columns.get("trace_tokens", ""),
    )
    lowered = {name.lower() for name in names}
    has_thinking = bool({"thinking", "response", "messages"} & columns.keys())
    is_named = "generator" in columns
    is_attempts = is_named and "attempt" in columns and not has_thinking and not own.trace_grade
    is_attachment = is_attempts or (is_named and bool({"thinking", "response"} & columns.keys()))
    if is_attachment and not own.trace_grade:
        own = replace(own, trace_grade=columns.get("correct", ""))
    named = _prefixed_traces(names, columns)
    if named and not own.thinking:
        # s1K-1.1: isgeminicorrect and gemini_length belong to the gemini_ columns
        place = next((place for place, trace in enumerate(named) if "gemini" in trace.generator.lower()), 0)
        named[place] = replace(
            named[place],
            attempt=named[place].attempt or own.attempt,
            trace_grade=named[place].trace_grade or own.trace_grade,
            trace_tokens=named[place].trace_tokens or own.trace_tokens,
        )
        traces = named
    else:
        has_own = any((own.thinking, own.attempt, own.trace_grade, own.trace_tokens))
        traces = [own, *named] if has_own else named
    unused = {"correct", "judge", "generator"} - (set(columns) if is_attachment else set())
    columns = {name: column for name, column in columns.items() if name not in unused}
    used = set(columns.values()).union(
        *(
            (trace.thinking, trace.attempt, trace.trace_grade, trace.grade_reason, trace.trace_tokens)
            for trace in traces
        )
    ) - {""}
    used = used.union(*(instead.get(column, ()) for column in used))
    _check_names(used)
    return Layout(
        columns=columns,
        traces=() if is_attempts else tuple(traces),
        generator="gemini" if lowered.intersection(_GEMINI_COLUMNS) else "",
        is_attempts=is_attempts,
        is_attachment=is_attachment,
        ignored=tuple(name for name in names if name not in used),
        needed=frozenset(used),
        instead=instead,
    )


def _check_names(columns: Iterable[str]) -> None:
    """A column's name becomes the name of a judge, a generator or a tokenizer; refuse what cannot be kept as one."""
    for column in columns:
        if len(column) > MAX_NAME:
            raise InputError(
                f"column {column[:40]!r}... has a name of {len(column):,} characters; at most {MAX_NAME} are allowed"
            )
        if not is_storable(column):
            raise InputError(f"column {column!r} has a name that no database text can hold; rename it")


def is_storable(text: str) -> bool:
    """Whether a text has a UTF-8 form (no half of a surrogate pair) and no NUL character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _prefixed_traces(names: Sequence[str], columns: Mapping[str, str]) -> list[TraceColumns]:
    """s1K-1.1's way: one set of columns a generator, e.g. deepseek_thinking_trajectory, deepseek_grade."""
    traces = []
    there = set(names)
    for name in names:
        suffix = next((end for end in _TRACE_SUFFIXES["thinking"] if name.lower().endswith(end)), None)
        if suffix is None or name == columns.get("thinking"):
            continue
        generator = name[: -len(suffix)]
        found = {
            part: next((generator + end for end in ends if generator + end in there), "")
            for part, ends in _TRACE_SUFFIXES.items()
        }
        traces.append(TraceColumns(generator=generator, **found))
    return traces


def _listing(names: Sequence[str]) -> str:
    """Column names for an error line, not more than a line can hold."""
    shown = ", ".join(repr(name[:40]) for name in names[:20])
    return f"columns {shown}" + (f" and {len(names) - 20} more" if len(names) > 20 else "")
