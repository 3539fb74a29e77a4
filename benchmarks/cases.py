"""What is measured: each case returns its figures beside a baseline of the same run."""

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.measure import Measured, manage, python

# what reading the same columns into Python values costs, without doing anything with them
_READ = """
import sys, pathlib, pyarrow.parquet as pq
rows = 0
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.parquet")):
    for batch in pq.ParquetFile(path).iter_batches(batch_size=500):
        rows += len(batch.to_pylist())
print('{"rows": %d}' % rows)
"""
_START = """
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "s1web.settings"
django.setup()
print("{}")
"""
# word n-grams as tuples in a dict, question by question: the plain way
_NGRAMS = """
import json, pathlib, sys, pyarrow.parquet as pq
def ngrams(text):
    words = text.lower().split()
    return {tuple(words[i:i + 8]) for i in range(len(words) - 7)}
index = set()
for line in pathlib.Path(sys.argv[2]).read_text("utf-8").split("\\n"):
    if line:
        index |= ngrams(json.loads(line)["problem"])
hits = 0
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.parquet")):
    for text in pq.read_table(path, columns=["question"])["question"].to_pylist():
        hits += not index.isdisjoint(ngrams(text))
print('{"contaminated": %d}' % hits)
"""
# the tokenizer's own batch speed over the same texts, held in memory, in batches of the same size
_TOKENIZE = """
import json, pathlib, sys, time, pyarrow.parquet as pq
from tokenizers import Tokenizer
tokenizer = Tokenizer.from_file(sys.argv[2])
seconds = tokens = traces = 0
def count(batch):
    global seconds, tokens, traces
    start = time.perf_counter()
    tokens += sum(len(encoding) for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False))
    seconds += time.perf_counter() - start
    traces += len(batch)
limit = int(sys.argv[3])
batch = []
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.parquet")):
    for lists in pq.read_table(path, columns=["thinking_trajectories"])["thinking_trajectories"].to_pylist():
        if not lists or not lists[0]:
            continue
        batch.append(lists[0])
        if traces + len(batch) == limit:
            break
        if sum(map(len, batch[-1:])) and sum(map(len, batch)) >= 8_000_000:
            count(batch)
            batch = []
    if traces + len(batch) == limit:
        break
if batch:
    count(batch)
print(json.dumps({"traces": traces, "tokens": tokens, "seconds": seconds}))
"""


def fresh_database(folder: Path) -> dict[str, str]:
    """Settings of a new, migrated SQLite database in a folder of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    environment = {
        "DATABASE_URL": f"sqlite:///{folder / 's1web.sqlite3'}",
        "ARTIFACT_DIR": str(folder / "artifacts"),
        "SECRET_KEY": "signs what a benchmark hands out",
    }
    python(
        environment,
        _START.replace(
            'print("{}")',
            'from django.core.management import call_command as c; c("migrate", verbosity=0); print("{}")',
        ),
    )
    return environment


def load(pool: Path, folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """load_pool on a new database; returns the figures and the database's settings."""
    baseline = python({}, _READ, str(pool))
    environment = fresh_database(folder)
    measured = manage(environment, "load_pool", str(pool))
    rows = measured.output["read"]
    figures = {
        **_figures(measured, rows=rows, per_second=rows),
        "new": measured.output["new"],
        "baseline_reading_alone": _figures(baseline, rows=rows, per_second=rows),
    }
    again = manage(environment, "load_pool", str(pool))
    return {**figures, "loading_it_again_seconds": again.seconds}, environment


def contamination(pool: Path, benchmark: Path, environment: dict[str, str]) -> dict[str, Any]:
    """annotate contamination over the whole pool."""
    manage(environment, "load_benchmark", str(benchmark), "--name", "evaluation")
    measured = manage(environment, "annotate", "contamination")
    baseline = python({}, _NGRAMS, str(pool), str(benchmark))
    return {
        **_figures(measured, rows=measured.output["done"], per_second=measured.output["done"]),
        "contaminated": measured.output["contaminated"],
        "baseline_tuples_in_a_set": _figures(baseline, rows=measured.output["done"]) | baseline.output,
    }


def curate_without_traces(folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    """curate by a recipe that asks for no trace, process start included."""
    recipe = folder / "without-traces.toml"
    recipe.write_text(
        'base = "diverse"\nname = "without-traces"\n'
        '[annotation]\nrequires = ["small_grade", "large_grade", "domain"]\n'
        '[difficulty]\ndrop_solved_by = ["small", "large"]\n',
        encoding="utf-8",
    )
    measured = manage(environment, "curate", "--recipe", str(recipe))
    return {"seconds": measured.seconds, "peak_mb": measured.peak_mb, "size": measured.output["size"]}


def curate(environment: dict[str, str]) -> dict[str, Any]:
    """curate by every preset, process start included."""
    start = python(environment, _START)
    presets = {}
    for preset in ("paper", "released", "random", "diverse", "longest", "full"):
        measured = manage(environment, "curate", "--preset", preset)
        presets[preset] = {"seconds": measured.seconds, "peak_mb": measured.peak_mb, "size": measured.output["size"]}
    return {"presets": presets, "baseline_process_start_seconds": start.seconds}


def lengths(pool: Path, tokenizer: Path, environment: dict[str, str], limit: int) -> dict[str, Any]:
    """annotate lengths over so many traces, against the tokenizer's own batch speed over the same ones."""
    baseline = python({}, _TOKENIZE, str(pool), str(tokenizer), str(limit))
    arguments = ["--tokenizer", str(tokenizer), "--tokenizer-name", "benchmark", "--limit", str(limit)]
    measured = manage(environment, "annotate", "lengths", *arguments)
    bare = baseline.output["tokens"] / baseline.output["seconds"]
    ours = measured.output["tokens"] / measured.output["seconds"]
    return {
        "traces": measured.output["done"],
        "tokens": measured.output["tokens"],
        "seconds": measured.output["seconds"],
        "peak_mb": measured.peak_mb,
        "tokens_per_second": round(ours),
        "baseline_bare_tokenizer_tokens_per_second": round(bare),
        "share_of_bare_speed": round(ours / bare, 3),
    }


def _figures(measured: Measured, *, rows: int, per_second: int = 0) -> dict[str, Any]:
    figures = {name: value for name, value in asdict(measured).items() if name != "output"}
    figures["rows"] = rows
    if per_second:
        figures["rows_per_second"] = round(per_second / measured.seconds)
    return figures
