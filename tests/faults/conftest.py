"""Systems to break: embedded (SQLite, a folder as broker) and team (PostgreSQL, Redis)."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.faults.pool import ROWS_PER_FILE, Files, write_files
from tests.faults.system import Redis, System
from tests.processes import Project


def build(make_project: Callable[[str], Project], mode: str, **settings: str) -> System:
    if mode == "embedded":
        return System(make_project("sqlite"), **settings)
    if shutil.which("redis-server") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("redis-server is not installed, and CI tests with it: apt-get install redis-server")
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    redis = Redis()
    redis.start()
    return System(make_project("postgresql"), redis, **settings)


@pytest.fixture
def make_system(make_project: Callable[[str], Project]) -> Iterator[Callable[..., System]]:
    """Makes a system by its mode, with settings of its own; `up` is not started yet."""
    made: list[System] = []

    def make(mode: str, **settings: str) -> System:
        made.append(build(make_project, mode, **settings))
        return made[-1]

    yield make
    for system in made:
        system.close()


@pytest.fixture(scope="module")
def running(make_project: Callable[[str], Project]) -> Iterator[System]:
    """A team's system that is up, for tests that leave it as they found it; tests/workers has the embedded ones."""
    system = build(make_project, "team", JOB_MAX_LOSSES="2", POOL_BATCH_ROWS="5")
    system.start_up("--cpu", 3)
    yield system
    system.close()


@pytest.fixture(scope="session")
def fault_files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Enough rows for imports, counts and comparisons that go on while their processes are killed."""
    return write_files(tmp_path_factory.mktemp("faults"), num_files=6, rows_per_file=ROWS_PER_FILE)
