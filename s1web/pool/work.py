"""The pool's long work as functions of JSON: a command runs them in place, a worker as a job."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from curation.errors import ConfigError
from s1web.plans import Plan
from s1web.pool.benchmarks import check_name, load_benchmark
from s1web.pool.contamination import check_contamination, num_unchecked
from s1web.pool.lengths import check_tokenizer, count_lengths, count_missing
from s1web.pool.loading import Extent, LoadOptions, load_pool, open_tables
from s1web.pool.models import Benchmark
from s1web.pool.queries import count_sources
from s1web.pool.readers import open_table
from s1web.pool.search.index import count_missing as count_unsearchable
from s1web.pool.search.index import index_texts
from s1web.progress import Report

Params = dict[str, Any]
# a file is opened to plan it, but its content need not be known for that
_NO_KEY = "planned"


def load(params: Params, report: Report) -> Params:
    """Load files into the pool.

    Args:
        params: paths; optional source, mapping (`column=field`), existing_only.
    """
    result = load_pool(params["paths"], _load_options(params), report)
    names = ("read", "new", "updated", "unchanged", "rejected", "rejected_file", "seconds", "ignored_columns")
    return {name: getattr(result, name) for name in names} | {"sources": count_sources()}


def plan_load(params: Params) -> Plan:
    """Opens every file, so that one that cannot be read is known before the job waits."""
    tables = open_tables(params["paths"], _load_options(params), key=_NO_KEY)
    extent = Extent(tables)
    names = ", ".join(Path(table.name).name for table in tables[:3]) + (" ..." if len(tables) > 3 else "")
    what = f"{len(tables):,} files: {names}" if len(tables) > 1 else names
    rows = {"rows": float(extent.total)} if extent.unit == "rows" and extent.total else {}
    notes = () if extent.total else ("how many rows a data set of the Hub has is not known before it is read",)
    return Plan(f"Import {what}", extent.total, extent.unit, rows, notes=notes)


def _load_options(params: Params) -> LoadOptions:
    return LoadOptions(
        source=params.get("source", ""),
        mapping=tuple(params.get("mapping", ())),
        existing_only=bool(params.get("existing_only", False)),
    )


def benchmark(params: Params, report: Report) -> Params:
    """Load an evaluation set.

    Args:
        params: path, name.
    """
    report(0, 0)
    return load_benchmark(params["path"], params["name"]).to_json()


def plan_benchmark(params: Params) -> Plan:
    """One pass over a small file."""
    check_name(params["name"])
    extent = Extent([open_table(params["path"], key=_NO_KEY)])
    return Plan(f"Load benchmark {params['name']} from {Path(params['path']).name}", extent.total, extent.unit)


def lengths(params: Params, report: Report) -> Params:
    """Count the tokens of traces that a tokenizer has not counted.

    Args:
        params: tokenizer; optional name, limit.
    """
    limit = _left_of_limit(params)
    counted = count_lengths(_tokenizer(params), name=params.get("name", ""), limit=limit, on_progress=report)
    return _annotated() | asdict(counted)


def plan_lengths(params: Params) -> Plan:
    """How many traces this tokenizer has not counted."""
    _check_limit(params)
    check_tokenizer(_tokenizer(params))
    name = params.get("name") or _tokenizer(params).rstrip("/")
    missing, per_trace = count_missing(name)
    total = missing if params.get("limit") is None else min(missing, params["limit"])
    spends = {"rows": float(total)}
    if per_trace is not None:
        spends["tokens"] = round(per_trace * total)
    notes = () if total else ("every trace is counted already: there is nothing to do",)
    return Plan(f"Count trace lengths with {name}", total, "traces", spends, notes=notes)


def contamination(params: Params, report: Report) -> Params:
    """Compare questions with the benchmarks.

    Args:
        params: optional limit.
    """
    return _annotated() | asdict(check_contamination(_left_of_limit(params), report))


def plan_contamination(params: Params) -> Plan:
    """How many questions some problem was not compared with."""
    _check_limit(params)
    unchecked = num_unchecked()
    total = unchecked if params.get("limit") is None else min(unchecked, params["limit"])
    names = ", ".join(Benchmark.objects.order_by("name").values_list("name", flat=True)[:5])
    notes = () if total else ("every question is compared with every benchmark already: there is nothing to do",)
    if not names:
        notes = ("no benchmark is loaded: load one first",)
    return Plan(
        f"Compare the pool with {names or 'no benchmark'}", total, "questions", {"rows": float(total)}, notes=notes
    )


def search(params: Params, report: Report) -> Params:
    """Put questions, solutions and traces into the text index.

    Args:
        params: optional limit.
    """
    return _annotated() | asdict(index_texts(_left_of_limit(params), report))


def plan_search(params: Params) -> Plan:
    """How many questions the text index does not hold as they are now."""
    _check_limit(params)
    missing = count_unsearchable()
    total = missing if params.get("limit") is None else min(missing, params["limit"])
    notes = () if total else ("every question is searchable already: there is nothing to do",)
    return Plan("Make the pool's texts searchable", total, "questions", {"rows": float(total)}, notes=notes)


def _annotated() -> Params:
    return {"done": 0, "skipped": 0, "failed": 0, "requests": 0, "tokens": 0, "seconds": 0.0}


def _tokenizer(params: Params) -> str:
    tokenizer = params.get("tokenizer")
    if not isinstance(tokenizer, str) or not tokenizer:
        raise ConfigError("annotate lengths needs --tokenizer: a name on the Hub, a folder, or a file")
    return tokenizer


def _check_limit(params: Params) -> None:
    limit = params.get("limit")
    if limit is not None and limit < 1:
        raise ConfigError(f"--limit {limit} leaves nothing to do; give 1 or more, or leave it out")


def _left_of_limit(params: Params) -> int | None:
    """What earlier starts of the job (`already`) leave of its limit; None where it has none."""
    _check_limit(params)
    limit = params.get("limit")
    return None if limit is None else max(limit - params.get("already", 0), 0)
