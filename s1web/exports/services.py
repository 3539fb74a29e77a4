"""Writing a selection as a folder that `datasets.load_dataset` reads, whole or not at all."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from django.db.models import Prefetch

from curation.decontamination import EvaluationIndex
from curation.errors import ConfigError, ConflictError
from s1web.exports.layouts import LAYOUTS, NEED_TRACE, SCHEMAS, ExportRow, ExportTrace, to_columns
from s1web.pool.models import Contamination, Grade, Problem, Trace
from s1web.progress import Report, ignore
from s1web.selections.models import Selection, SelectionMember
from training.formatting import RenderChat

FORMATS = ("parquet", "jsonl")
BATCH_ROWS = 200
# names by which load_dataset finds the one split
DATA_FILE = "data/train-00000-of-00001"
LEDGER_FILE, RECIPE_FILE = "ledger.json", "recipe.toml"


@dataclass(frozen=True)
class Exported:
    """A written export."""

    folder: Path
    data_file: Path
    rows: int
    layout: str
    format: str
    seconds: float


def export_selection(
    selection: Selection,
    folder: Path,
    *,
    layout: str = "s1k",
    file_format: str = "parquet",
    render: RenderChat | None = None,
    allow_contaminated: str = "",
    overwrite: bool = False,
    on_progress: Report | None = None,
) -> Exported:
    """Write a selection's rows in its order, with ledger.json and recipe.toml beside them.

    The rows are compared with all benchmarks once more, whatever the selection's recipe looked at.

    Args:
        folder: must be empty or not there, unless `overwrite` and it holds an earlier export.
        render: the chat template of layout `text`.
        allow_contaminated: why rows that overlap with a benchmark may go out; recorded in ledger.json.

    Raises:
        ConfigError: an unknown layout or format, or rows that the layout cannot hold.
        ConflictError: the folder is in use, or rows are contaminated and no reason is given.
    """
    started = time.monotonic()
    check_target(folder, layout, file_format, overwrite)
    contaminated = find_contaminated(selection)
    if contaminated and not allow_contaminated.strip():
        raise ConflictError(
            f"{len(contaminated):,} of the {selection.size:,} questions overlap with a loaded benchmark "
            f"(the first: {contaminated[0]}); curate again, or give a reason with --allow-contaminated"
        )
    if layout in NEED_TRACE:
        _check_traces(selection, layout)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        data_file = partial / f"{DATA_FILE}.{file_format}"
        data_file.parent.mkdir()
        rows = (to_columns(layout, row, render) for row in _told(iter_rows(selection), selection.size, on_progress))
        num_rows = (_write_parquet if file_format == "parquet" else _write_jsonl)(data_file, rows, SCHEMAS[layout])
        ledger = _ledger(selection, layout, contaminated, allow_contaminated)
        (partial / LEDGER_FILE).write_text(json.dumps(ledger, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        (partial / RECIPE_FILE).write_text(selection.run.recipe_toml, encoding="utf-8")
        partial.chmod(0o755)
        _put_in_place(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Exported(
        folder,
        folder / f"{DATA_FILE}.{file_format}",
        num_rows,
        layout,
        file_format,
        round(time.monotonic() - started, 3),
    )


def _told(rows: Iterator[ExportRow], total: int, on_progress: Report | None) -> Iterator[ExportRow]:
    """The rows, each batch of them told as done."""
    report = on_progress or ignore
    report(0, total)
    for done, row in enumerate(rows, start=1):
        yield row
        if done % BATCH_ROWS == 0 or done == total:
            report(done, total, rows=done)


def find_contaminated(selection: Selection) -> list[str]:
    """Hashes of the members that overlap with a loaded benchmark and were not overruled, computed from the texts.

    All benchmarks are compared, by n-grams of the recipe's length.
    """
    problems = list(Problem.objects.values_list("pk", "text"))
    if not problems:
        return []
    index = EvaluationIndex([text for _, text in problems], selection.run.recipe["ngram_words"])
    overruled = set(
        Contamination.objects.filter(decision=Contamination.Decision.OVERRULED).values_list(
            "question_id", "problem_id"
        )
    )
    members = selection.members.order_by("position").values_list(
        "question_id", "question__question_hash", "question__text"
    )
    batch = list(members)
    hits = {
        overlap.question
        for overlap in index.find([text for _, _, text in batch])
        if (batch[overlap.question][0], problems[overlap.problem][0]) not in overruled
    }
    return [batch[place][1] for place in sorted(hits)]


def iter_rows(selection: Selection) -> Iterator[ExportRow]:
    """The members with their texts, in the selection's order, a batch in memory at a time."""
    generator = selection.run.recipe.get("generator", "")
    traces = Trace.objects.order_by("pk")
    members = SelectionMember.objects.filter(selection=selection).order_by("position")
    for start in range(0, selection.size, BATCH_ROWS):
        batch = list(
            members.filter(position__gte=start, position__lt=start + BATCH_ROWS)
            .select_related("question__source")
            .prefetch_related(Prefetch("question__traces", queryset=traces))
        )
        trace_pks = [trace.pk for member in batch for trace in member.question.traces.all()]
        reasons = dict(
            Grade.objects.filter(trace_id__in=trace_pks).exclude(raw_reply="").values_list("trace_id", "raw_reply")
        )
        for member in batch:
            question = member.question
            own = {
                trace.pk: ExportTrace(
                    trace.generator, trace.thinking, trace.attempt, trace.grade, reasons.get(trace.pk, "")
                )
                for trace in question.traces.all()
            }
            chosen = own.get(question.trace_id or 0)
            if generator:
                candidates = [trace for trace in own.values() if trace.generator == generator]
                first = candidates[0] if candidates else None
                chosen = next((trace for trace in candidates if trace.thinking), first)
            yield ExportRow(
                question_hash=question.question_hash,
                question=question.text,
                solution=question.solution,
                cot=question.cot,
                cot_type=question.cot_type,
                source=question.source.name,
                metadata=question.metadata,
                trace=chosen,
                traces=tuple(own.values()),
            )


def _put_in_place(partial: Path, folder: Path) -> None:
    """Give the finished folder its name; an earlier export in its place goes only once the new one stands there."""
    if not folder.exists():
        partial.rename(folder)
        return
    earlier = partial.with_name(f"{partial.name}-earlier")
    folder.rename(earlier)
    try:
        partial.rename(folder)
    except BaseException:
        earlier.rename(folder)
        raise
    shutil.rmtree(earlier, ignore_errors=True)


def check_target(folder: Path, layout: str, file_format: str, overwrite: bool) -> None:
    """Refuse what cannot be written, whatever the selection.

    Raises:
        ConfigError: an unknown layout or format.
        ConflictError: the folder is in use.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"--layout {layout!r} is not known; choose one of {', '.join(LAYOUTS)}")
    if file_format not in FORMATS:
        raise ConfigError(f"--format {file_format!r} is not known; choose one of {', '.join(FORMATS)}")
    _check_folder(folder, overwrite)


def _check_folder(folder: Path, overwrite: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ConflictError(f"{folder} is a file; give a folder that is empty or not there yet")
    names = {path.name for path in folder.iterdir()}
    is_ours = {LEDGER_FILE, RECIPE_FILE, "data"} >= names and LEDGER_FILE in names
    if is_ours and "data" in names:
        ours = {Path(f"{DATA_FILE}.{kind}").name for kind in FORMATS}
        data = folder / "data"
        is_ours = data.is_dir() and ours >= {path.name for path in data.iterdir()}
    if names and not (overwrite and is_ours):
        hint = "add --overwrite to replace the earlier export" if is_ours else "it holds other files"
        raise ConflictError(f"{folder} is not empty ({hint}); give a folder that is empty or not there yet")


def _check_traces(selection: Selection, layout: str) -> None:
    without = sum(1 for row in iter_rows(selection) if row.trace is None or not row.trace.thinking)
    if without:
        raise ConfigError(
            f"{without:,} of the {selection.size:,} questions have no trace, which layout {layout} is made of; "
            "choose layout s1k, or curate with a recipe that requires trace_length"
        )


def _write_parquet(path: Path, rows: Iterator[dict[str, Any]], schema: pa.Schema) -> int:
    num_rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        batch: list[dict[str, Any]] = []
        for row in rows:
            batch.append(row)
            num_rows += 1
            if len(batch) == BATCH_ROWS:
                writer.write_table(pa.Table.from_pylist(batch, schema=schema))
                batch = []
        if batch:
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
    return num_rows


def _write_jsonl(path: Path, rows: Iterator[dict[str, Any]], schema: pa.Schema) -> int:
    num_rows = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            num_rows += 1
    return num_rows


def _ledger(selection: Selection, layout: str, contaminated: list[str], reason: str) -> dict[str, Any]:
    run = selection.run
    hashes = list(selection.members.order_by("position").values_list("question__question_hash", flat=True))
    return {
        "selection": selection.name,
        "size": selection.size,
        "sha256": selection.sha256,
        "seed": run.seed,
        "layout": layout,
        "recipe": run.recipe,
        "ledger": run.ledger,
        "pool_fingerprint": run.pool_fingerprint,
        "code_version": run.code_version,
        "warnings": run.warnings,
        "contaminated": contaminated,
        "contaminated_allowed_because": reason if contaminated else None,
        "hashes": hashes,
    }
