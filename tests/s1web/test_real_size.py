"""A pool of s1's size: every preset and seed equals the slow recipe, on both databases, files in either order.

The pool has repeated questions whose annotations differ, so that the order of files decides which row stays: what is
expected is what the slow recipe makes of the rows in the order in which they were loaded.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.conftest import SHARED
from tests.processes import Project, back_up_sqlite, curate
from tests.twin import slow_recipe as twin

pytestmark = pytest.mark.real_size

NUM_ROWS = 59_029
SIZE = 1_000
CASES = [(preset, SIZE, seed) for preset in twin.PRESETS for seed in range(5)]
# a trace's text decides nothing: whether there is one does
COLUMNS = [
    "question",
    "source_type",
    "attempt",
    "isqwen7bcorrect",
    "isqwen32bcorrect",
    "isgeminicorrect",
    "domain",
    "gemini_length",
]


@pytest.fixture(scope="module")
def files(tmp_path_factory, shared_data: Path) -> list[Path]:
    """The pool, in six parquet files of about 0.9 GB of text in all."""
    tool = SHARED / "tools" / "make_s1_shaped_pool.py"
    if not tool.is_file():
        pytest.skip("the maker of full-size pools (../shared/tools) is not beside this checkout")
    folder = tmp_path_factory.mktemp("full-size")
    subprocess.run([sys.executable, tool, folder, "--rows", str(NUM_ROWS)], check=True, capture_output=True)
    return sorted(folder.glob("*.parquet"))


@pytest.fixture(scope="module")
def shortened(files: list[Path], tmp_path_factory) -> list[Path]:
    """The same with the beginning of each trace alone."""
    folder = tmp_path_factory.mktemp("shortened")
    for path in files:
        with pq.ParquetFile(path) as source, pq.ParquetWriter(folder / path.name, source.schema_arrow) as target:
            for batch in source.iter_batches(1_000):
                place = batch.schema.get_field_index("thinking_trajectories")
                column = batch.column(place)
                texts = pc.utf8_slice_codeunits(column.values, 0, 200)
                cut = pa.ListArray.from_arrays(column.offsets, texts, mask=column.is_null())
                target.write_batch(batch.set_column(place, batch.schema.field(place), cut))
    return sorted(folder.glob("*.parquet"))


@pytest.fixture(scope="module")
def benchmarks(shared_data: Path) -> list[Path]:
    return [shared_data / "eval" / f"{name}.jsonl" for name in ("aime24", "gpqa_diamond", "math500")]


def read_rows(files: Sequence[Path]) -> list[twin.Row]:
    rows: list[twin.Row] = []
    for path in files:
        for batch in pq.ParquetFile(path).iter_batches(500, columns=[*COLUMNS, "thinking_trajectories"]):
            for row in batch.to_pylist():
                row["thinking_trajectories"] = [text[:1] for text in row["thinking_trajectories"] or []]
                rows.append(row)
    return rows


def read_problems(paths: Sequence[Path]) -> list[str]:
    lines = [line for path in paths for line in path.read_text(encoding="utf-8").split("\n") if line]
    return [json.loads(line)["problem"] for line in lines]


@pytest.fixture(scope="module")
def outcomes(
    files: list[Path],
    shortened: list[Path],
    benchmarks: list[Path],
    make_project: Callable[[str], Project],
    postgres: Any,
) -> dict[str, list[dict[str, Any]]]:
    """What the commands print: files in order into SQLite, in reverse order into PostgreSQL, each a fresh process.

    PostgreSQL, which takes a minute to compress long texts, gets the traces' beginnings.
    """
    orders = {"sqlite": files, "postgresql": shortened[::-1]}
    projects = {vendor: make_project(vendor) for vendor in orders}

    def run(vendor: str) -> list[dict[str, Any]]:
        return projects[vendor].json_all(
            [
                ["migrate"],
                ["load_pool", *orders[vendor]],
                *(["load_benchmark", path, "--name", path.stem] for path in benchmarks),
                *(curate(*case) for case in CASES),
            ]
        )

    with ThreadPoolExecutor() as threads:
        found = dict(zip(orders, threads.map(run, orders), strict=True))
    # the backup of the SQLite database is a pool of its own
    copy = make_project("sqlite")
    back_up_sqlite(projects["sqlite"].sqlite_path, copy.sqlite_path)
    found["backup"] = copy.curate_all(CASES[:1])
    return found


@pytest.mark.parametrize("vendor", ["sqlite", "postgresql"])
def test_every_preset_and_seed_equals_the_slow_recipe(
    outcomes: dict[str, list[dict[str, Any]]], files: list[Path], benchmarks: list[Path], vendor: str
) -> None:
    loaded = outcomes[vendor][0]
    assert (loaded["read"], loaded["rejected"]) == (NUM_ROWS, 0)
    rows = read_rows(files if vendor == "sqlite" else files[::-1])
    assert len(rows) == NUM_ROWS
    prepared = twin.prepare(rows, read_problems(benchmarks))
    # no stage stands idle
    assert all(line["dropped"] for line in prepared.ledger)
    for found, case in zip(outcomes[vendor][1 + len(benchmarks) :], CASES, strict=True):
        expected = twin.draw(prepared, *case)
        assert found["sha256"] == expected["sha256"], case
        assert found["hashes"] == expected["hashes"], case
        assert found["ledger"] == expected["ledger"], case
        assert found["size"] == (SIZE if case[0] != "full" else expected["ledger"][-1]["in"]), case


def test_every_stage_of_every_run_takes_in_what_the_one_before_let_out(
    outcomes: dict[str, list[dict[str, Any]]], benchmarks: list[Path]
) -> None:
    for vendor in ("sqlite", "postgresql"):
        for found in outcomes[vendor][1 + len(benchmarks) :]:
            left = NUM_ROWS
            for stage in found["ledger"]:
                assert stage["in"] == left
                left = stage["out"]
                assert stage["in"] - stage["out"] == sum(stage["dropped"].values())
            assert left == found["size"] == len(set(found["hashes"]))


def test_a_backup_selects_the_same(outcomes: dict[str, list[dict[str, Any]]], benchmarks: list[Path]) -> None:
    first = outcomes["sqlite"][1 + len(benchmarks)]
    again = outcomes["backup"][0]
    assert (again["sha256"], again["ledger"]) == (first["sha256"], first["ledger"])
