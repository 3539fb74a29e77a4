"""A file's rows in our own terms, batch by batch; needs no database, so that it can run in a process of its own."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from curation.errors import RowError
from curation.identity import IdentifiedRow, SeenRows, identify
from curation.layouts import Layout, resolve
from curation.rows import RowReader
from curation.sources import find_source
from s1web.pool.readers import open_table
from s1web.pool.tables import Limits, Table, excerpt


@dataclass(frozen=True, slots=True)
class ParseOptions:
    """How a file's rows are read.

    Attributes:
        source: the source of every row, in place of the file's own column.
        default_source: the source of rows that name none.
        mapping: `column=field` pairs.
        small_model, large_model: whose attempts the columns of the small and the large grade judge.
    """

    source: str
    default_source: str
    mapping: tuple[str, ...]
    small_model: str
    large_model: str
    limits: Limits


@dataclass(slots=True)
class ParsedBatch:
    """Rows of one batch.

    Attributes:
        rejected: (line, reason, the row's beginning) of those that could not be read.
        done: progress of the file after this batch, in the table's unit.
        ignored: columns that no field takes, as far as is known by now.
    """

    rows: list[IdentifiedRow] = field(default_factory=list)
    rejected: list[tuple[int, str, str]] = field(default_factory=list)
    num_read: int = 0
    done: int = 0
    ignored: tuple[str, ...] = ()


def make_layout(table: Table, options: ParseOptions) -> Layout:
    """Which of the table's columns is which field.

    Raises:
        ConfigError, InputError: see `curation.layouts.resolve`.
    """
    preset = find_source(options.source) if options.source else None
    return resolve(table.names, options.mapping, preset.columns if preset else {})


def parse_file(name: str, key: str, options: ParseOptions) -> Iterator[ParsedBatch]:
    """All rows of a file, opened here: for a process of its own.

    Args:
        key: the file's `Table.key`, which is not computed again.

    Raises:
        InputError: the file cannot be read, or turns out to be damaged on the way.
    """
    yield from parse_table(open_table(name, options.limits, key), options)


def parse_table(table: Table, options: ParseOptions) -> Iterator[ParsedBatch]:
    """All rows of an opened file.

    Raises:
        InputError: the file turns out to be damaged on the way.
    """
    seen = SeenRows()
    num_names = len(table.names)
    layout = make_layout(table, options)
    reader = _reader(layout, options)
    # of JSON lines later rows may have columns that the first have not: all are read
    for batch in table.batches(None if table.unit == "bytes" else layout.needed):
        if len(table.names) != num_names:
            num_names = len(table.names)
            layout = make_layout(table, options)
            reader = _reader(layout, options)
        parsed = ParsedBatch(num_read=len(batch), done=table.done, ignored=layout.ignored)
        for line, raw in batch:
            try:
                if isinstance(raw, RowError):
                    raise raw
                parsed.rows.append(seen.distinguish(identify(reader.read(line, raw))))
            except RowError as error:
                parsed.rejected.append((line, str(error), excerpt(raw)))
            except UnicodeEncodeError:
                reason = "a text holds half a surrogate pair, which no UTF-8 text can hold; repair the text"
                parsed.rejected.append((line, reason, excerpt(raw)))
        yield parsed


def _reader(layout: Layout, options: ParseOptions) -> RowReader:
    return RowReader(
        layout,
        source=options.source,
        default_source=options.default_source,
        small_model=options.small_model,
        large_model=options.large_model,
    )
