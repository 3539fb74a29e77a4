"""Users of each role, and a pool with runs of it."""

from pathlib import Path

import pytest

from curation.demo.pool import DemoPool
from curation.presets import PRESETS
from s1web.selections.models import CurationRun
from s1web.selections.services import curate
from tests.s1web.jobs.conftest import make_user, signed_in
from tests.s1web.pools import load_problems, load_rows

# fixtures
__all__ = ["make_user", "signed_in"]


@pytest.fixture
def two_runs(demo_pool: DemoPool) -> tuple[CurationRun, CurationRun]:
    """The paper's recipe on the demo pool, and a random draw of the same size."""
    from dataclasses import replace

    paper = curate(replace(PRESETS["paper"], size=30)).run
    return paper, curate(replace(PRESETS["random"], size=30)).run


HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)>\u202etxt"


@pytest.fixture
def hostile_pool(db: None, tmp_path: Path) -> None:
    """Questions, sources, domains, benchmarks and generators that are markup."""
    rows = [
        {
            "question": f"{HOSTILE} {number} " + "x" * 3_000,
            "source_type": f"=cmd|{HOSTILE}",
            "domain": "<b>05</b>",
            "isqwen7bcorrect": False,
            "isqwen32bcorrect": number % 2 == 0,
            "isgeminicorrect": True,
            "thinking_trajectories": ["hm"],
            "gemini_length": 10 + number,
        }
        for number in range(8)
    ]
    load_rows(tmp_path, rows)
    load_problems(tmp_path, ["What is this?"], f"<i>{HOSTILE}</i>"[:90].replace("/", ""))
