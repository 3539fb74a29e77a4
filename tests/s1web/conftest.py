"""The smallest demo pool, made once, and loaded where a test asks for it."""

from pathlib import Path

import pytest

from curation.demo.pool import DemoPool, make_demo
from tests.s1web.pools import load_problems, load_rows


@pytest.fixture(scope="session")
def small_demo() -> DemoPool:
    return make_demo(num_questions=300)


@pytest.fixture
def demo_pool(small_demo: DemoPool, db: None, tmp_path: Path) -> DemoPool:
    """The demo pool and its benchmark `demo`, in the database."""
    load_rows(tmp_path, small_demo.rows)
    load_problems(tmp_path, {item["id"]: item["problem"] for item in small_demo.benchmark}, "demo")
    return small_demo
