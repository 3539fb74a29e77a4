"""What every test needs: a folder of its own for artifacts, and the real data where it is there."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(autouse=True)
def artifact_dir(settings, tmp_path) -> Path:
    settings.ARTIFACT_DIR = tmp_path / "artifacts"
    return settings.ARTIFACT_DIR


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real pool, traces, attempts and evaluation sets, which are not part of this repository."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip("the real data (../shared/data) is not beside this checkout")
    return folder
