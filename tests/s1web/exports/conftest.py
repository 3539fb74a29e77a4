"""What tests of exports need: a selection, and a quiet `datasets`."""

from collections.abc import Iterator
from dataclasses import replace

import datasets
import pytest

from curation.demo.pool import DemoPool
from curation.presets import PRESETS
from s1web.selections.models import Selection
from s1web.selections.services import curate


@pytest.fixture
def selection(demo_pool: DemoPool) -> Selection:
    return curate(replace(PRESETS["paper"], size=60)).selection


@pytest.fixture(autouse=True)
def quiet_datasets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    datasets.disable_progress_bars()
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    yield
    datasets.enable_progress_bars()
