"""Thirty kills while jobs run: at the end all are done, nothing is lost, nothing is done twice, nothing is stuck."""

import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.faults import audit
from tests.faults.pool import ROWS_PER_FILE, Files
from tests.faults.system import System, kill, wait_until
from tests.processes import Project
from tests.s1web.pool.commands import CONTENTS

NUM_FILES = 4
# what each round waits before it kills
WAIT_SECONDS = (0.2, 1.2)
# so many jobs run or wait at any time
NUM_BUSY = 5
# what is killed, in an order that the seed decides
TARGETS = ["worker"] * 9 + ["child"] * 9 + ["web"] * 6 + ["broker"] * 6
SETTLE_SECONDS = 240  # half a minute on two free cores
EVIDENCE = """
    SELECT q.question_hash, b.name, p.key, c.rule, c.num_words, c.question_offset, c.problem_offset, c.decision
    FROM pool_contamination c JOIN pool_question q ON q.id = c.question_id
    JOIN pool_problem p ON p.id = c.problem_id JOIN pool_benchmark b ON b.id = p.benchmark_id"""


@dataclass(frozen=True)
class Expected:
    """What an undisturbed run in place leaves: the pool's content, and the curated selection."""

    contents: dict[str, list[Any]]
    lengths: dict[Any, int]
    evidence: list[Any]
    sha256: str


@pytest.fixture(scope="module")
def files(fault_files: Files) -> Files:
    """As much as thirty kills keep from being done."""
    return replace(fault_files, pool=fault_files.pool[:NUM_FILES])


@pytest.fixture(scope="module")
def expected(make_project: Callable[[str], Project], files: Files) -> Expected:
    project = make_project("sqlite")
    project.json_all(
        [
            ["migrate"],
            ["load_pool", *files.pool],
            ["load_benchmark", files.benchmark, "--name", benchmark_name(0)],
            ["annotate", "lengths", "--tokenizer", files.tokenizer, "--tokenizer-name", tokenizer_name(0)],
            ["annotate", "contamination"],
        ]
    )
    system = System(project)
    try:
        contents = read_contents(system)
        sha256 = curate(system)
    finally:
        system.close()
    assert contents["attempts"]
    lengths, evidence = lengths_of(contents, tokenizer_name(0)), evidence_of(contents, benchmark_name(0))
    assert len(lengths) == len(contents["traces"])
    assert evidence
    return Expected(contents, lengths, evidence, sha256)


def tokenizer_name(number: int) -> str:
    return f"bpe-{number}"


def benchmark_name(number: int) -> str:
    return f"evaluation-{number}"


def read_contents(system: System) -> dict[str, list[Any]]:
    """The pool without keys: equal for equal pools, on both databases."""
    queries = CONTENTS | {"evidence": EVIDENCE}
    return {name: sorted(map(as_plain, system.clerk.sql(query)), key=repr) for name, query in queries.items()}


def as_plain(row: list[Any]) -> tuple[Any, ...]:
    # SQLite has no booleans
    return tuple(int(value) if isinstance(value, bool) else value for value in row)


def lengths_of(contents: dict[str, list[Any]], tokenizer: str) -> dict[Any, int]:
    return {(row[0], row[1]): row[4] for row in contents["lengths"] if row[2] == tokenizer}


def evidence_of(contents: dict[str, list[Any]], benchmark: str) -> list[Any]:
    return [(row[0], *row[2:]) for row in contents["evidence"] if row[1] == benchmark]


def curate(system: System) -> str:
    outcome = system.project.json("curate", "--preset", "paper", "--size", 200, "--tokenizer", tokenizer_name(0))
    return str(outcome["sha256"])


@dataclass
class Feeder:
    """Submits jobs, so that there are always some: each file once, counts and benchmarks under ever new names."""

    system: System
    files: Files
    jobs: list[int] = field(default_factory=list)
    num_loads: int = 0
    num_counts: int = 0
    num_benchmarks: int = 0

    def __post_init__(self) -> None:
        self._next = self._submit_for_ever()

    def feed(self) -> None:
        while self.num_active() < NUM_BUSY:
            next(self._next)

    def num_active(self) -> int:
        return sum(state not in ("done", "failed", "cancelled") for state in self.system.clerk.states().values())

    def finish(self) -> None:
        """What was not submitted yet; counts and comparisons of rows that came after them."""
        while self.num_loads < len(self.files.pool):
            self._load()
        self.wait()
        for number in range(self.num_counts):
            self._count(number)
        self._submit("annotate_contamination", {})
        self.wait()

    def _submit_for_ever(self) -> Iterator[None]:
        while True:
            if self.num_loads < len(self.files.pool):
                yield self._load()
            self.num_benchmarks += 1
            name = benchmark_name(self.num_benchmarks - 1)
            yield self._submit("load_benchmark", {"path": str(self.files.benchmark), "name": name})
            # one job a name: two at once would count the same traces, and one of them for nothing
            self.num_counts += 1
            yield self._count(self.num_counts - 1)
            yield self._submit("annotate_contamination", {})

    def _load(self) -> None:
        self._submit("load_pool", {"paths": [str(self.files.pool[self.num_loads])]})
        self.num_loads += 1

    def _count(self, number: int) -> None:
        self._submit("annotate_lengths", {"tokenizer": str(self.files.tokenizer), "name": tokenizer_name(number)})

    def _submit(self, kind: str, params: dict[str, Any]) -> None:
        self.jobs.append(self.system.clerk.submit(kind, params))

    def wait(self) -> None:
        def none_is_left() -> bool:
            return self.num_active() == 0

        try:
            wait_until("all jobs have ended", none_is_left, SETTLE_SECONDS, self.system)
        except AssertionError as error:
            stuck = [self.system.clerk.job(job) for job in self.jobs]
            shown = [(job["job"], job["kind"], job["state"], job["note"]) for job in stuck if job["state"] != "done"]
            raise AssertionError(f"stuck: {shown}\n{error}") from None


def strike(system: System, target: str, rng: random.Random) -> bool:
    """Kill one; False where there is none to kill just now."""
    assert system.up is not None
    if target == "broker":
        system.lose_messages()
        return True
    if target == "child":
        found = audit.children(system.artifact_dir)
        if found:
            kill(rng.choice(found)[0])
        return bool(found)
    return system.up.kill_part("web" if target == "web" else "worker-cpu")


@pytest.mark.parametrize("mode", ["embedded", "team"])
def test_thirty_kills_lose_nothing_and_do_nothing_twice(mode, make_system, files, expected):
    seed = int(os.environ.get("FAULT_SEED") or random.SystemRandom().randrange(10_000))
    print(f"FAULT_SEED={seed}")
    rng = random.Random(seed)
    # small batches: a kill falls into the middle of an import
    system = make_system(mode, POOL_BATCH_ROWS="5")
    audit.install(system)
    up = system.start_up("--cpu", 3)
    watch = audit.Children(system)
    watch.start()
    feeder = Feeder(system, files)
    started = time.monotonic()
    for target in rng.sample(TARGETS, len(TARGETS)):
        feeder.feed()
        time.sleep(rng.uniform(*WAIT_SECONDS))
        wait_until(f"a {target} to kill", lambda target=target: strike(system, target, rng), 30, system)
    fought = time.monotonic() - started
    feeder.finish()
    settled = time.monotonic() - started - fought
    watch.stop()

    jobs = {job: system.clerk.job(job) for job in feeder.jobs}
    starts = sum(item["num_starts"] for item in jobs.values())
    losses = sum(item["num_losses"] for item in jobs.values())
    overlaps = {job: round(seconds, 2) for job, seconds in watch.longest_overlap.items()}
    print(
        f"{mode}: {len(TARGETS)} kills in {fought:.0f} s, settled in {settled:.0f} s; {len(jobs)} jobs, "
        f"{starts} starts, {losses} losses; overlaps {overlaps}; {watch.num_looks} looks"
    )
    failed = [
        (item["job"], item["error"], system.log(item["job"])) for item in jobs.values() if item["state"] != "done"
    ]
    assert failed == []
    # the pages are there, and so is everybody
    assert wait_until("the pages answer", system.is_healthy, 20, system)
    assert up.process.poll() is None
    check_contents(system, feeder, expected)
    check_resumed(system, jobs)
    audit.check_once(system)
    assert losses > 0, "no job was hit: this proves nothing"
    # a job has one process at a time
    assert all(seconds <= 3 for seconds in overlaps.values()), overlaps


def check_contents(system: System, feeder: Feeder, expected: Expected) -> None:
    contents = read_contents(system)
    for name, rows in expected.contents.items():
        if name not in ("lengths", "evidence"):
            assert contents[name] == rows, name
    for number in range(feeder.num_counts):
        assert lengths_of(contents, tokenizer_name(number)) == expected.lengths
    assert len(contents["lengths"]) == feeder.num_counts * len(expected.lengths)
    for number in range(feeder.num_benchmarks):
        assert evidence_of(contents, benchmark_name(number)) == expected.evidence
    assert len(contents["evidence"]) == feeder.num_benchmarks * len(expected.evidence)
    assert curate(system) == expected.sha256


def check_resumed(system: System, jobs: dict[int, dict[str, Any]]) -> None:
    """A job that was started again did what was left, and knew what was done: to the row."""
    tokenizers = {name: pk for pk, name in system.clerk.sql("SELECT id, name FROM pool_tokenizer")}
    again = [job for job in jobs.values() if job["num_starts"] > 1]
    assert again
    for job in again:
        result = job["result"]
        if job["kind"] == "annotate_lengths":
            like = f"{tokenizers[result['tokenizer']]}/%"
            before, during = audit.rows_written(system, "pool_tracelength", job, like)
            # what imports add while it looks counts as skipped, too
            assert result["skipped"] >= before, job
            assert result["done"] == during, job
        if job["kind"] == "load_pool":
            assert result["read"] == result["new"] + result["updated"] + result["unchanged"] == ROWS_PER_FILE, job
