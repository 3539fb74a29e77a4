"""Rows into tables at the database driver's own speed, for imports and runs of many thousand rows."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from django.core.management.color import no_style
from django.db import connection
from django.db.models import Max, Model

# name of the lock by which imports take turns on PostgreSQL; any number that nothing else uses
_WRITE_LOCK = 0x51EB
_PIECE_ROWS = 10_000


def take_turn() -> None:
    """Wait until no other import writes; holds until the surrounding transaction ends.

    SQLite has one writer anyway, as its transactions start IMMEDIATE.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_WRITE_LOCK])


def insert(model: type[Model], fields: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows whose values are already what the driver takes; `fields` are attribute names (`question_id`).

    Skips model instances, signals and validation, which is what makes it ten times faster than `bulk_create`.
    """
    quote = connection.ops.quote_name
    columns = [_column(model, name) for name in fields]
    target = f"{quote(model._meta.db_table)} ({', '.join(quote(column) for column in columns)})"
    if connection.vendor == "postgresql":
        _copy(target, rows)
    else:
        _execute_many(f"INSERT INTO {target} VALUES ({', '.join(['%s'] * len(columns))})", rows)  # noqa: S608


def update(model: type[Model], fields: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Update rows by primary key: each row holds the fields' values, then the key."""
    quote = connection.ops.quote_name
    columns = [_column(model, name) for name in fields]
    assignments = ", ".join(f"{quote(column)} = %s" for column in columns)
    key = quote(str(model._meta.pk.column))
    _execute_many(f"UPDATE {quote(model._meta.db_table)} SET {assignments} WHERE {key} = %s", rows)  # noqa: S608


def last_id(model: type[Model]) -> int:
    """The highest primary key ever given out, 0 where none was.

    Keys of deleted rows are not given out again: others remember how far they came by the highest key they saw.
    """
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        else:
            cursor.execute("SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, 'id'))", [table])
        row = cursor.fetchone()
    highest: int | None = model._default_manager.aggregate(last=Max("pk"))["last"]
    return max((row[0] if row else 0) or 0, highest or 0)


def reset_sequences(*models: type[Model]) -> None:
    """Tell PostgreSQL which keys were given by hand, so that its own next one is free; SQLite sees it by itself."""
    statements = connection.ops.sequence_reset_sql(no_style(), list(models))
    if statements:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


def _execute_many(sql: str, rows: Iterable[Sequence[Any]]) -> None:
    remaining = iter(rows)
    with connection.cursor() as cursor:
        # in pieces, as Django keeps what it has passed on until the statement has ended
        while values := list(islice(remaining, _PIECE_ROWS)):
            cursor.executemany(sql, values)


def _copy(target: str, rows: Iterable[Sequence[Any]]) -> None:
    """PostgreSQL's own way in for many rows."""
    remaining = iter(rows)
    with connection.cursor() as cursor:
        # a piece is complete before its COPY begins: whoever makes the rows may ask the database meanwhile
        while values := list(islice(remaining, _PIECE_ROWS)):
            with cursor.cursor.copy(f"COPY {target} FROM STDIN") as copy:
                for row in values:
                    copy.write_row(row)


def _column(model: type[Model], attribute: str) -> str:
    column: str | None = next(f.column for f in model._meta.concrete_fields if f.attname == attribute)
    assert column is not None
    return column
