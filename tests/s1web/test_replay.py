"""The same pool, recipe and seed give the same selection: on both databases, in any order, after moving house."""

import csv
import gzip
import json
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.demo.pool import make_demo
from tests.factories import EVALUATION_QUESTIONS, make_rows
from tests.processes import Project, back_up_sqlite, curate
from tests.s1web.pools import write_lines
from tests.twin import slow_recipe as twin

VENDORS = ("sqlite", "postgresql")
SEEDS = range(5)
CASES = [(preset, 150, seed) for preset in twin.PRESETS for seed in SEEDS]
FEW_CASES = [(preset, 60, 3) for preset in twin.PRESETS]


@dataclass(frozen=True)
class Pool:
    """Files in three formats, the rows in each, and a benchmark."""

    files: list[Path]
    rows: list[list[twin.Row]]
    benchmark: Path
    problems: list[str]

    def in_order(self, order: Sequence[int]) -> list[Path]:
        return [self.files[place] for place in order]

    def distinct_rows(self, order: Sequence[int]) -> list[twin.Row]:
        """The rows in this order of files; what an earlier file holds word for word is the same row again."""
        rows: list[twin.Row] = []
        loaded: Counter[str] = Counter()
        for place in order:
            written = [json.dumps(row) for row in self.rows[place]]
            here: Counter[str] = Counter()
            for row, text in zip(self.rows[place], written, strict=True):
                here[text] += 1
                if here[text] > loaded[text]:
                    rows.append(row)
            loaded |= here
        return rows

    def expect(self, order: Sequence[int], cases: Sequence[tuple[str, int, int]]) -> list[dict[str, Any]]:
        """What the slow recipe selects from the rows in this order of files."""
        prepared = twin.prepare(self.distinct_rows(order), self.problems)
        return [twin.draw(prepared, preset, size, seed) for preset, size, seed in cases]


def write_pool(folder: Path, rows: list[twin.Row], problems: Sequence[str]) -> Pool:
    """The rows in thirds: gzipped JSON lines, CSV, parquet."""
    folder.mkdir(parents=True, exist_ok=True)
    cut = len(rows) // 3
    parts = [rows[:cut], rows[cut : 2 * cut], rows[2 * cut :]]
    lines = folder / "first.jsonl.gz"
    with gzip.open(lines, "wt", encoding="utf-8", newline="\n") as packed:
        packed.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in parts[0])
    table = folder / "second.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(parts[1][0]))
        writer.writeheader()
        for row in parts[1]:
            thinking = row["thinking_trajectories"]
            writer.writerow(row | {"thinking_trajectories": "" if thinking is None else json.dumps(thinking)})
    parquet = folder / "third.parquet"
    pq.write_table(pa.Table.from_pylist(parts[2]), parquet)
    benchmark = write_lines(
        folder / "benchmark.jsonl",
        ({"id": f"p{place}", "problem": text, "answer": "7"} for place, text in enumerate(problems)),
    )
    return Pool([lines, table, parquet], parts, benchmark, list(problems))


@pytest.fixture(scope="module")
def demo_pool(tmp_path_factory) -> Pool:
    demo = make_demo(num_questions=900)
    return write_pool(tmp_path_factory.mktemp("demo"), demo.rows, [item["problem"] for item in demo.benchmark])


@pytest.fixture(scope="module")
def small_pool(tmp_path_factory) -> Pool:
    demo = make_demo(seed=1, num_questions=300)
    return write_pool(tmp_path_factory.mktemp("small"), demo.rows, [item["problem"] for item in demo.benchmark])


def load_and_curate(
    project: Project, pool: Pool, order: Sequence[int], cases: Sequence[tuple[str, int, int]]
) -> list[dict[str, Any]]:
    loaded, _, *curated = project.json_all(
        [
            ["migrate"],
            ["load_pool", *pool.in_order(order)],
            ["load_benchmark", pool.benchmark, "--name", "benchmark"],
            *(curate(*case) for case in cases),
        ]
    )
    assert (loaded["read"], loaded["rejected"]) == (sum(map(len, pool.rows)), 0)
    return curated


def assert_knows_its_files(project: Project, pool: Pool) -> None:
    again, benchmark = project.json_all(
        [
            ["load_pool", *pool.in_order((2, 0, 1))],
            ["load_benchmark", pool.benchmark, "--name", "benchmark"],
        ]
    )
    assert (again["new"], again["updated"], again["unchanged"]) == (0, 0, sum(map(len, pool.rows)))
    assert (benchmark["new"], benchmark["unchanged"]) == (0, len(pool.problems))


def assert_equal(found: list[dict[str, Any]], expected: list[dict[str, Any]], cases: Sequence[Any]) -> None:
    assert len(found) == len(expected) == len(cases)
    for result, twins, case in zip(found, expected, cases, strict=True):
        for key in ("sha256", "hashes", "ledger"):
            assert result[key] == twins[key], (case, key)
        assert result["size"] == len(twins["hashes"]), case


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_preset_and_seed_equals_the_slow_recipe_in_any_order_of_files(
    make_project: Callable[[str], Project], demo_pool: Pool, vendor: str
) -> None:
    by_order = []
    for order in ((0, 1, 2), (2, 0, 1)):
        project = make_project(vendor)
        found = load_and_curate(project, demo_pool, order, CASES)
        assert_equal(found, demo_pool.expect(order, CASES), CASES)
        by_order.append([result["sha256"] for result in found])
    # the demo's repeated rows agree with each other, so that the order leaves no trace at all
    assert by_order[0] == by_order[1]
    # and the cases are not all one; `released` is `paper` until 700 are selected
    drawn = {
        case: sha for case, sha in zip(CASES, by_order[0], strict=True) if case[0] in ("paper", "random", "diverse")
    }
    assert len(set(drawn.values())) == len(drawn) == 15


@pytest.mark.parametrize("vendor", VENDORS)
def test_where_repeated_rows_disagree_the_order_of_files_decides_as_the_slow_recipe_says(
    make_project: Callable[[str], Project], tmp_path: Path, vendor: str
) -> None:
    rows = make_rows(random.Random(7), 600, repeated=0.3, contaminated=0.05, solved=0.1)
    pool = write_pool(tmp_path, rows, EVALUATION_QUESTIONS)
    by_order = []
    for order in ((0, 1, 2), (2, 1, 0)):
        project = make_project(vendor)
        found = load_and_curate(project, pool, order, FEW_CASES)
        assert_equal(found, pool.expect(order, FEW_CASES), FEW_CASES)
        by_order.append([result["sha256"] for result in found])
    assert by_order[0] != by_order[1]


@pytest.mark.parametrize(("origin", "target"), [VENDORS, VENDORS[::-1]], ids=["to postgresql", "to sqlite"])
def test_a_pool_moved_to_the_other_database_selects_the_same_and_knows_its_files(
    make_project: Callable[[str], Project], small_pool: Pool, tmp_path: Path, origin: str, target: str
) -> None:
    order = (1, 2, 0)
    old, new = make_project(origin), make_project(target)
    before = load_and_curate(old, small_pool, order, FEW_CASES[:1])
    dump = tmp_path / "pool.json"
    assert old.run("dumpdata", "--output", dump).returncode == 0
    new.json_all([["migrate"]])
    moved = new.run("loaddata", dump)
    assert moved.returncode == 0, moved.stderr

    assert_knows_its_files(new, small_pool)
    after = new.curate_all(FEW_CASES)
    assert_equal(after, small_pool.expect(order, FEW_CASES), FEW_CASES)
    # the selection came along: the same run again is that selection, and its explanation is still there
    assert (after[0]["selection"], after[0]["sha256"]) == (before[0]["selection"], before[0]["sha256"])
    assert after[0]["run"] != before[0]["run"]
    question = before[0]["hashes"][0]
    told = [project.json("explain", question, "--run", before[0]["run"]) for project in (old, new)]
    assert told[0] == told[1]
    # the moved database hands out keys that are free
    extra = write_lines(tmp_path / "extra.jsonl", [small_pool.rows[0][0] | {"question": "One more question, is it?"}])
    assert new.json("load_pool", extra)["new"] == 1


@pytest.mark.parametrize("how", ["file", "backup"])
def test_a_copied_sqlite_database_selects_the_same(
    make_project: Callable[[str], Project], small_pool: Pool, tmp_path: Path, how: str
) -> None:
    project = make_project("sqlite")
    load_and_curate(project, small_pool, (0, 1, 2), [])
    copy = Project(f"sqlite:///{tmp_path / 'copy.sqlite3'}", tmp_path / "artifacts")
    if how == "file":
        shutil.copy(project.sqlite_path, copy.sqlite_path)
    else:
        back_up_sqlite(project.sqlite_path, copy.sqlite_path)
    assert_knows_its_files(copy, small_pool)
    assert_equal(copy.curate_all(FEW_CASES), small_pool.expect((0, 1, 2), FEW_CASES), FEW_CASES)


def test_a_postgresql_dump_restored_elsewhere_selects_the_same(
    make_project: Callable[[str], Project], postgres: Any, small_pool: Pool, tmp_path: Path
) -> None:
    project = make_project("postgresql")
    load_and_curate(project, small_pool, (0, 1, 2), [])
    dump = subprocess.run(
        [postgres.bin_path / "pg_dump", "--no-owner", project.database_url], capture_output=True, check=True
    )
    postgres.psql("CREATE DATABASE restored")
    restored = Project(postgres.get_uri("restored"), tmp_path / "artifacts")
    subprocess.run(
        [postgres.bin_path / "psql", "--quiet", "--set", "ON_ERROR_STOP=1", restored.database_url],
        input=dump.stdout,
        capture_output=True,
        check=True,
    )
    assert_knows_its_files(restored, small_pool)
    assert_equal(restored.curate_all(FEW_CASES), small_pool.expect((0, 1, 2), FEW_CASES), FEW_CASES)
