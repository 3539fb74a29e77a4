"""Carrying an evaluation out, and keeping its run and samples."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.db import DatabaseError
from django.db.models.functions import Now

from curation.errors import ConflictError, InputError
from inference.benchmark_sources import SOURCES, Benchmark, load_benchmark, make_benchmark
from inference.benchmarks import Problem as ProblemRecord
from inference.evaluation.config import RunConfig, config_to_json
from inference.evaluation.folder import RUN, SAMPLES, SESSIONS, first_difference, read_json, read_jsonl
from inference.evaluation.work import Loaded, Progress, carry_out, describe, load
from s1web.experiments.models import EvaluationRun, folder_of
from s1web.experiments.naming import check_name, default_name
from s1web.experiments.samples import SampleRows
from s1web.pool.models import Benchmark as StoredBenchmark
from s1web.progress import Report, ignore

# how often rows follow the file while a run is worked on
_ROWS_SECONDS = 1.0
# what a benchmark of `load_benchmark` says of where it comes from
DATABASE = "database"


def evaluate(
    config: RunConfig,
    *,
    name: str = "",
    made_by: str = "",
    retry_failed: bool = False,
    on_progress: Report = ignore,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Do what is missing of a run, keep it as rows, and give its summary; a stopped run goes on where it was.

    Args:
        name: of the run and its folder; empty: made of what it is.
        on_progress: told trials, and the tokens and requests of this start; it may raise to stop the run.
        should_stop: asked before each trial; what is begun then is finished.

    Returns:
        `run` (its name), and what `inference.evaluation.work.carry_out` gives.

    Raises:
        S1WebError: model, benchmark or method cannot be used, or the name is another run's.
    """
    name = name or default_name(config)
    check_name(name)
    benchmark = find_benchmark(config)
    check_same_run(name, config, benchmark)
    loaded = load(config, benchmark)
    keeper = _Keeper(name, made_by, config, loaded, on_progress)
    try:
        summary = carry_out(
            config,
            loaded,
            folder_of(name),
            retry_failed=retry_failed,
            on_progress=keeper.note,
            on_outcome=keeper.follow,
            should_stop=should_stop,
        )
    except BaseException:
        # the run's own error is the one to tell; rows that are behind are brought up by the next start
        with suppress(DatabaseError):
            keeper.catch_up()
        raise
    keeper.finish(summary)
    return {"run": name} | {key: value for key, value in summary.items() if key != "name"}


def find_benchmark(config: RunConfig) -> Benchmark:
    """The benchmark of that name in the database, else a known one of the Hub, else a file.

    Raises:
        InputError: there is none, or it cannot be used, as one with a problem without an answer.
    """
    stored = StoredBenchmark.objects.filter(name=config.benchmark).first()
    if stored is not None:
        rows = stored.problems.order_by("pk").values_list("key", "text", "answer", "choices")
        problems = [ProblemRecord(key, text, answer, tuple(choices)) for key, text, answer, choices in rows]
        try:
            return make_benchmark(stored.name, problems, source=DATABASE, shuffle_seed=config.shuffle_seed)
        except InputError as error:
            raise InputError(f"benchmark {stored.name}: {error}; load it again with load_benchmark") from None
    if config.benchmark not in SOURCES and not Path(config.benchmark).is_file():
        names = ", ".join(StoredBenchmark.objects.order_by("name").values_list("name", flat=True))
        raise InputError(
            f"no benchmark {config.benchmark!r:.200}; loaded here: {names or 'none'} (see load_benchmark), known: "
            f"{', '.join(SOURCES)}; give one of them or a file of JSON lines"
        )
    return load_benchmark(config.benchmark, shuffle_seed=config.shuffle_seed)


def check_same_run(name: str, config: RunConfig, benchmark: Benchmark) -> None:
    """Refuse to go on under a name with what is another run, before a model is loaded.

    Raises:
        ConflictError: the name is another run's, or the run's files are gone.
    """
    folder = folder_of(name)
    run = EvaluationRun.objects.filter(name=name).first()
    if run is not None and run.num_done and not (folder / SAMPLES).exists():
        raise ConflictError(
            f"run {name} has {run.num_done:,} samples and no files at {folder}; put them back, set ARTIFACT_DIR, or "
            "give another --name"
        )
    if not (folder / RUN).exists():
        return
    stored = read_json(folder / RUN)
    # the rest of the benchmark's description is compared when the folder is opened
    held = stored.get("benchmark") or {}
    difference = first_difference(stored, {"config": json.loads(json.dumps(config_to_json(config)))})
    if difference is None and held.get("sha256") != benchmark.sha256:
        difference = f"its benchmark {benchmark.name} held other problems"
    if difference is not None:
        raise ConflictError(f"run {name} is another one: {difference}; give another --name")


class _Keeper:
    """Keeps a run's rows while it is worked on, in the thread of its caller."""

    def __init__(self, name: str, made_by: str, config: RunConfig, loaded: Loaded, report: Report) -> None:
        self._name, self._made_by = name, made_by
        self._config, self._loaded = config, loaded
        self._report = report
        self._newest: Progress | None = None
        self._rows: SampleRows | None = None
        self._run: EvaluationRun | None = None
        self._last = 0.0

    def note(self, progress: Progress) -> None:
        """How far it is; the first time is before the first trial, when the folder is there and ours."""
        is_first = self._newest is None
        self._newest = progress
        if is_first:
            self._begin(progress)
            self._tell()

    def follow(self) -> None:
        """Tell how far it is, and now and then take over what is new in the file."""
        self._tell()
        if time.monotonic() - self._last >= _ROWS_SECONDS:
            self.catch_up()

    def catch_up(self) -> None:
        """Take over what is new in the file."""
        if self._rows is not None:
            self._rows.catch_up()
            self._last = time.monotonic()

    def finish(self, summary: dict[str, Any]) -> None:
        """Store what the session came to."""
        self.catch_up()
        self._tell()
        assert self._run is not None
        values: dict[str, Any] = {"summary": summary, "finished_at": None}
        if summary["is_complete"]:
            values["finished_at"] = self._run.finished_at or Now()
        EvaluationRun.objects.filter(pk=self._run.pk).update(**values)

    def _begin(self, progress: Progress) -> None:
        folder = folder_of(self._name)
        described = describe(self._config, self._loaded)
        values = {
            "num_trials": progress.total,
            "benchmark": self._loaded.benchmark.name,
            "benchmark_sha256": self._loaded.benchmark.sha256,
            "model_sha256": self._loaded.model_sha256 or "",
            "tokenizer_sha256": self._loaded.tokenizer_sha256 or "",
            "model": self._config.model,
            "method": described["config"]["method"],
            "config": described["config"],
            "engines": _engines(row["fingerprint"] for row in read_jsonl(folder / SESSIONS)),
        }
        self._run, _ = EvaluationRun.objects.update_or_create(
            name=self._name, defaults=values, create_defaults=values | {"made_by": self._made_by}
        )
        self._rows = SampleRows(self._run)
        self.catch_up()

    def _tell(self) -> None:
        assert self._newest is not None
        newest = self._newest
        self._report(newest.done, newest.total, tokens=newest.sampled_tokens, requests=newest.requests)


def _engines(fingerprints: Any) -> list[dict[str, Any]]:
    """Each once, the newest last."""
    found = {json.dumps(each, sort_keys=True): each for each in fingerprints}
    return list(found.values())
