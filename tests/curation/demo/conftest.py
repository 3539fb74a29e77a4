"""The default pool, made once."""

import pytest

from curation.demo.pool import DemoPool, make_demo


@pytest.fixture(scope="session")
def demo() -> DemoPool:
    return make_demo()
