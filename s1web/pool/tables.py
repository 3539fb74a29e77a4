"""What every reader of pool files shares: the opened table, its limits, and one line for what a library raises."""

import reprlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa

from curation.errors import InputError, RowError

# no table of questions has so many; of JSON lines it bounds what their keys may cost
MAX_COLUMNS = 10_000

_EXCERPT = 200
# shows the row's beginning, whatever its depth and length
_SHORT = reprlib.Repr()
_SHORT.maxdict = _SHORT.maxlist = 12
_SHORT.maxstring = _SHORT.maxother = 60

RawRow = tuple[int, dict[str, Any] | RowError]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a reader takes before it refuses.

    Attributes:
        line_bytes: a longer line of JSON or CSV is a rejected row.
        expansion: a compressed file whose content is more than so many times its size is refused.
        batch_rows, batch_bytes: a batch ends at whichever comes first.
    """

    line_bytes: int = 128 * 2**20
    expansion: int = 200
    batch_rows: int = 2_000
    batch_bytes: int = 8 * 2**20


@dataclass
class Table:
    """An opened file.

    Attributes:
        name: the path or address as the user gave it.
        key: SHA-256 of its content (of a data set of the Hub: its address with the commit).
        names: its columns; of JSON lines those of the first batch, and `names` grows as further ones appear.
        batches: called with the columns that are wanted (None: all), yields batches of (line, raw row or error).
        total, done: size and progress in `unit` (rows or bytes); total 0 is unknown.
    """

    name: str
    key: str
    names: list[str]
    batches: Callable[[frozenset[str] | None], Iterator[list[RawRow]]]
    total: int = 0
    done: int = 0
    unit: str = "rows"


def check_names(name: str, names: Sequence[str]) -> None:
    """Refuse columns that no row could be read by.

    Raises:
        InputError: two columns of one name (nameless ones apart, which no field reads), or too many.
    """
    if len(names) > MAX_COLUMNS:
        raise InputError(f"{name}: has {len(names):,} columns; at most {MAX_COLUMNS:,} are allowed")
    seen: set[str] = set()
    for column in names:
        if column and column in seen:
            raise InputError(f"{name}: column {column[:60]!r} is there twice; name the columns apart")
        seen.add(column)


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Turn what the operating system and the format libraries raise into one line about the file."""
    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError(
            f"{name}: cannot be read: {one_line(error)}; the file is damaged or not of its kind"
        ) from None
    except OSError as error:
        # the operating system's errors have a number; a library's say what is wrong with the content
        if error.errno is None:
            raise InputError(
                f"{name}: cannot be read: {one_line(error)}; the file is damaged or not of its kind"
            ) from None
        raise InputError(
            f"{name}: cannot be read: {error.strerror or one_line(error)}; check the file and its rights"
        ) from None


def one_line(error: BaseException) -> str:
    """An error's text in one line that is not longer than a reader's patience."""
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:297] + "..."


def excerpt(raw: object) -> str:
    """The row's beginning, without what is missing in it; "" where there is no row but only the error."""
    if isinstance(raw, Exception):
        return ""
    if isinstance(raw, dict):
        raw = {key[:40]: _cut(value) for key, value in islice(raw.items(), 12) if value is not None}
    return _SHORT.repr(raw)[:_EXCERPT]


def _cut(value: object) -> object:
    return value[:60] if isinstance(value, str | bytes) else value
