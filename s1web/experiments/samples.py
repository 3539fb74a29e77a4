"""A run's rows in step with its samples.jsonl: the file is the truth, and is only ever read here."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.db import transaction

from inference.evaluation.folder import SAMPLES
from s1web import bulk
from s1web.experiments.models import NOTHING_SHA256, EvaluationRun, Sample

_BATCH_LINES = 500
_READ_BYTES = 2**20
_FIELDS = (
    *("run_id", "problem_key", "repeat", "is_right", "hit_cap", "thinking_tokens", "answer_tokens", "seconds"),
    *("offset", "length", "grade_rule", "parse_rule", "answer", "error"),
)


class SampleRows:
    """Takes over what is new in a run's file, a batch a transaction.

    The run remembers how many bytes are in its rows and their SHA-256. Where the file no longer begins with them (it
    was put back from a copy, or failed samples were taken out of it), all rows are made anew.
    """

    def __init__(self, run: EvaluationRun) -> None:
        self._run_id = run.pk
        self._path = run.folder / SAMPLES
        self._place: tuple[int, Any] | None = None

    def catch_up(self) -> None:
        """Store every whole line that has no row yet; a last one that is still being written waits."""
        while True:
            if self._place is None:
                self._place = self._find_place()
            num_lines = self._store_batch(*self._place)
            if num_lines is not None and num_lines < _BATCH_LINES:
                return

    def _find_place(self) -> tuple[int, Any]:
        """(bytes that are in the rows, the hash of them, to go on with)."""
        run = EvaluationRun.objects.get(pk=self._run_id)
        size, digest = _hash_beginning(self._path, run.synced_bytes)
        if (size, digest.hexdigest()) == (run.synced_bytes, run.synced_sha256):
            return size, digest
        with transaction.atomic():
            locked = EvaluationRun.objects.select_for_update().get(pk=self._run_id)
            if locked.synced_sha256 == run.synced_sha256:
                locked.samples.all().delete()
                locked.synced_bytes, locked.synced_sha256 = 0, NOTHING_SHA256
                locked.num_done = locked.num_failed = 0
                locked.save(update_fields=["synced_bytes", "synced_sha256", "num_done", "num_failed"])
        return 0, hashlib.sha256()

    def _store_batch(self, start: int, digest: Any) -> int | None:
        """Store the next lines; returns how many, None where another process has stored some meanwhile."""
        stored_sha256 = digest.hexdigest()
        digest, end = digest.copy(), start
        rows: list[tuple[Any, ...]] = []
        with self._path.open("rb") as file:
            file.seek(start)
            for line in file:
                if not line.endswith(b"\n") or len(rows) == _BATCH_LINES:
                    break
                rows.append(_row(self._run_id, json.loads(line), end, len(line)))
                digest.update(line)
                end += len(line)
        if not rows:
            return 0
        with transaction.atomic():
            run = EvaluationRun.objects.select_for_update().get(pk=self._run_id)
            if (run.synced_bytes, run.synced_sha256) != (start, stored_sha256):
                self._place = None
                return None
            bulk.insert(Sample, _FIELDS, rows)
            run.synced_bytes, run.synced_sha256 = end, digest.hexdigest()
            run.num_done += len(rows)
            run.num_failed += sum(1 for row in rows if row[-1])
            run.save(update_fields=["synced_bytes", "synced_sha256", "num_done", "num_failed"])
        self._place = end, digest
        return len(rows)


def _row(run_id: int, line: Mapping[str, Any], offset: int, length: int) -> tuple[Any, ...]:
    """Values of `_FIELDS`."""
    grade: Mapping[str, Any] = line["grade"] or {}
    chosen: Mapping[str, Any] = {} if line["chosen"] is None else line["candidates"][line["chosen"]]
    answer = chosen.get("answer")
    return (
        *(run_id, line["problem"], line["repeat"], grade.get("is_right"), line["hit_cap"]),
        *(line["thinking_tokens"], line["answer_tokens"], line["seconds"], offset, length),
        *(grade.get("rule", ""), chosen.get("rule", "")),
        None if answer is None else _storable(answer),
        _storable(line["error"] or ""),
    )


def _storable(text: str) -> str:
    """Without what no database text can hold; a model may write anything."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _hash_beginning(path: Path, size: int) -> tuple[int, Any]:
    """(bytes read, their SHA-256) of a file's first bytes; a file that is not there has none."""
    digest, left = hashlib.sha256(), size
    if path.exists():
        with path.open("rb") as file:
            while left and (data := file.read(min(left, _READ_BYTES))):
                digest.update(data)
                left -= len(data)
    return size - left, digest
