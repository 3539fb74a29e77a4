"""Reading the pool into columns: one consistent look at the database, at the speed of its own driver.

The database joins a column's values of many rows into one text, which numpy reads: a Python object for each value
would take several times as long, and hold the interpreter's lock meanwhile.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import Min

from s1web.browse.columns import (
    CLEAN,
    HAS_TRACE,
    IS_SEARCHABLE,
    IS_SELECTED,
    NGRAM,
    OVERRULED,
    QUALITY_RULES,
    REVIEWS,
    SHORT,
    UNCHECKED,
    Columns,
    labelled,
)
from s1web.pool.models import Contamination, Problem, Source
from s1web.pool.version import pool_version
from s1web.review.models import ReviewState
from s1web.selections.snapshot import choose_tokenizer
from s1web.vectors.models import ClusterMember
from s1web.vectors.queries import list_clusters

PIECE_ROWS = 50_000
# stands in no label that a person typed; where one has it all the same, the labels are read one by one
_BETWEEN = "\x1f"
_GRADES = ("small_grade", "large_grade", "trace_grade")
# the grades as digits to base 3, the quality flags above them: one number to read instead of four
_PACKED = " + ".join(
    f"(coalesce(CAST({name} AS integer), -1) + 1) * {3**place}" for place, name in enumerate(_GRADES)
)
# of rules that this version does not know nothing can be said
_QUALITY_BITS = (1 << len(QUALITY_RULES)) - 1


def build_columns() -> Columns:
    """Read the pool; everything in the columns is of the same moment, that of their version."""
    started = time.monotonic()
    with _one_moment():
        version = pool_version()
        built_at = datetime.now(UTC).isoformat(timespec="seconds")
        labels = {"domain": _Labels(), "cot_type": _Labels()}
        read = _read(
            "pool_question",
            {
                "id": "id",
                "hash": "question_hash",
                "source": "source_id",
                "packed": f"{_PACKED} + quality_flags * 27",
                "trace": "coalesce(trace_id, 0)",
                "domain": "domain",
                "cot_type": "cot_type",
            },
            {"hash": _hashes, **{name: table.codes for name, table in labels.items()}},
        )
        pk, trace, packed = read["id"], read["trace"], read["packed"]
        source, source_labels = _sources(read["source"])
        domain, domain_labels = labelled(read["domain"], list(labels["domain"]), missing="")
        cot_type, cot_type_labels = labelled(read["cot_type"], list(labels["cot_type"]), missing="")
        tokenizer = choose_tokenizer("")
        tokens = _tokens(trace, tokenizer.pk) if tokenizer else np.full(len(pk), -1, dtype=np.int32)
        contamination = _contamination(pk)
        cluster, cluster_titles = _clusters(pk)
        review = _reviews(pk)
        state = _state(pk, trace)
    grades = {name: (packed // 3**place % 3 - 1).astype(np.int8) for place, name in enumerate(_GRADES)}
    return Columns(
        version=version,
        built_at=built_at,
        build_seconds=round(time.monotonic() - started, 3),
        tokenizer=tokenizer.name if tokenizer else "",
        source_labels=source_labels,
        domain_labels=domain_labels,
        cot_type_labels=cot_type_labels,
        cluster_titles=cluster_titles,
        pk=pk,
        hash=read["hash"],
        source=source,
        domain=domain,
        cot_type=cot_type,
        cluster=cluster,
        trace_tokens=tokens,
        contamination=contamination,
        quality=(packed // 27 & _QUALITY_BITS).astype(np.int16),
        review=review,
        state=state,
        **grades,
    )


@contextmanager
def _one_moment() -> Iterator[None]:
    """Let all queries see the same state of the database, without keeping anybody from writing."""
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            # Django's own transactions take the one writer's turn, whatever they do
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
    else:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield


class _Labels(dict[str, int]):
    """Label -> code, in the order of appearance."""

    def __missing__(self, label: str) -> int:
        self[label] = code = len(self)
        return code

    def codes(self, values: Sequence[str]) -> np.ndarray:
        return np.fromiter((self[value] for value in values), np.int32, len(values))


def _hashes(values: Sequence[str]) -> np.ndarray:
    return np.frombuffer(bytes.fromhex("".join(values)), dtype=">u8").astype(np.uint64)


def _read(
    table: str,
    columns: Mapping[str, str],
    texts: Mapping[str, Callable[[Sequence[str]], np.ndarray]] | None = None,
    where: str = "",
    parameters: Sequence[Any] = (),
) -> dict[str, np.ndarray]:
    """Columns of a table, in the order of the first of them, which is a key.

    Args:
        columns: name -> SQL; a whole number, or a text where `texts` has the name.
        texts: name -> what makes an array of a piece's texts.
        where: a further condition, with its `parameters`.
    """
    texts = texts or {}
    parts: dict[str, list[np.ndarray]] = {name: [np.empty(0, np.int64)] for name in columns}
    parts |= {name: [make([])] for name, make in texts.items()}
    key, last = next(iter(columns.values())), -1
    selected = ", ".join(f"{sql} AS c{place}" for place, sql in enumerate(columns.values()))
    piece = (
        f"SELECT {selected} FROM {table} WHERE {key} > %s {f'AND {where}' if where else ''} ORDER BY {key} LIMIT %s"  # noqa: S608
    )
    joined = ", ".join(_join(f"c{place}", name in texts) for place, name in enumerate(columns))
    with connection.cursor() as cursor:
        while True:
            cursor.execute(f"SELECT {joined} FROM ({piece}) piece", [last, *parameters, PIECE_ROWS])  # noqa: S608
            values = dict(zip(columns, cursor.fetchone(), strict=True))
            if values[next(iter(columns))] is None:
                return {name: np.concatenate(arrays) for name, arrays in parts.items()}
            size = 0
            for place, (name, text) in enumerate(values.items()):
                if name not in texts:
                    array = np.fromstring(text, dtype=np.int64, sep=",")
                    size = len(array)
                else:
                    found = text.split(_BETWEEN)
                    if len(found) != size:
                        cursor.execute(f"SELECT c{place} FROM ({piece}) piece", [last, *parameters, PIECE_ROWS])  # noqa: S608
                        found = [value for (value,) in cursor.fetchall()]
                    array = texts[name](found)
                parts[name].append(array)
            last = int(parts[next(iter(columns))][-1][-1])


def _join(column: str, is_text: bool) -> str:
    between = f"'{_BETWEEN}'" if is_text else "','"
    if connection.vendor == "sqlite":
        return f"group_concat({column}, {between})"
    return f"string_agg({column}::text, {between})"


def _sources(keys: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    names = dict(Source.objects.values_list("pk", "name"))
    found, codes = np.unique(keys, return_inverse=True)
    return labelled(codes, [names[key] for key in found.tolist()], missing=None)


def _tokens(trace: np.ndarray, tokenizer: int) -> np.ndarray:
    read = _read(
        "pool_tracelength",
        {"trace": "trace_id", "tokens": "tokens"},
        where="tokenizer_id = %s",
        parameters=[tokenizer],
    )
    return _looked_up(trace, read["trace"], read["tokens"]).astype(np.int32)


def _looked_up(keys: np.ndarray, table_keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The value of each key in a table with ascending keys; -1 where it has none."""
    if not len(table_keys):
        return np.full(len(keys), -1, dtype=np.int64)
    places = np.searchsorted(table_keys, keys)
    places[places == len(table_keys)] = 0
    return np.where(table_keys[places] == keys, values[places], -1)


def _contamination(pk: np.ndarray) -> np.ndarray:
    """What stands against each question; only one that every problem was compared with is clean."""
    compared: int = Problem.objects.aggregate(mark=Min("checked_question_id"))["mark"] or 0
    codes = np.where(pk <= compared, CLEAN, UNCHECKED).astype(np.int8)
    evidence = Contamination.objects.values_list("question_id", "rule", "decision")
    found: dict[int, int] = {}
    for question, rule, decision in evidence.iterator():
        code = OVERRULED if decision == "overruled" else SHORT if rule == "decontamination.short" else NGRAM
        found[question] = max(found.get(question, OVERRULED), code)
    keys = np.fromiter(sorted(found), np.int64, len(found))
    hits = _looked_up(pk, keys, np.fromiter((found[key] for key in keys.tolist()), np.int64, len(keys)))
    # overruled evidence does not make a question clean that new problems were not compared with
    is_settled = (hits >= NGRAM) | ((hits == OVERRULED) & (codes != UNCHECKED))
    return np.where(is_settled, hits, codes).astype(np.int8)


def _clusters(pk: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Each question's cluster in the newest clustering, and the clusters' titles by number."""
    clusters = list_clusters()
    read = _read(ClusterMember._meta.db_table, {"pk": "question_id", "cluster": "cluster_id"})
    keys = np.array(sorted(cluster.pk for cluster in clusters), dtype=np.int64)
    numbers = {cluster.pk: cluster.number for cluster in clusters}
    by_key = np.array([numbers[key] for key in keys.tolist()], dtype=np.int64)
    titles = tuple(cluster.title for cluster in clusters)
    return _looked_up(_looked_up(pk, read["pk"], read["cluster"]), keys, by_key).astype(np.int16), titles


def _reviews(pk: np.ndarray) -> np.ndarray:
    codes = " ".join(f"WHEN '{name}' THEN {code}" for code, name in enumerate(REVIEWS))
    read = _read(ReviewState._meta.db_table, {"pk": "question_id", "code": f"CASE state {codes} ELSE -1 END"})
    return _looked_up(pk, read["pk"], read["code"]).astype(np.int8)


def _state(pk: np.ndarray, trace: np.ndarray) -> np.ndarray:
    state = np.where(trace > 0, HAS_TRACE, 0).astype(np.int8)
    members = _read("(SELECT DISTINCT question_id FROM selections_selectionmember) member", {"pk": "question_id"})
    state[np.isin(pk, members["pk"], assume_unique=True)] |= IS_SELECTED
    indexed = _read("pool_searchedquestion", {"pk": "question_id", "trace": "indexed_trace_id"})
    state[_looked_up(pk, indexed["pk"], indexed["trace"]) == trace] |= IS_SEARCHABLE
    return state
