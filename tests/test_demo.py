"""`make demo` from nothing ends with the selection that the README shows."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.processes import ROOT


def test_the_demo_of_an_empty_folder_selects_what_the_readme_shows(tmp_path: Path) -> None:
    if not (ROOT / ".venv" / ".installed").is_file():
        pytest.skip("this checkout was not set up by `make setup`, which the demo would do")
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "ARTIFACT_DIR")}
    done = subprocess.run(
        # not set up again where a test runs beside it
        ["make", "demo", "SERVE=0", f"DEMO={tmp_path / 'new' / 'demo'}", "--old-file=setup"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = re.search(
        r"^selection paper-200-seed0: .*", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert shown
    assert shown[0] in done.stdout
    assert (tmp_path / "new" / "demo" / "export" / "s1k" / "ledger.json").is_file()
