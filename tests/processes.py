"""The project as a user runs it: commands in processes of their own, on a database of their own."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# what the tester's own environment says must not decide what a test finds
_OWN_SETTINGS = (
    *("DATABASE_URL", "ARTIFACT_DIR", "DEBUG", "POOL_", "SMALL_MODEL", "LARGE_MODEL", "SQLITE_"),
    *("CELERY_", "JOB_", "WORKER_", "SECRET_KEY", "PUBLIC_URL", "ALLOWED_HOSTS", "IMPORT_DIR"),
)


@dataclass(frozen=True)
class Project:
    """One database and one artifact folder."""

    database_url: str
    artifact_dir: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_SETTINGS)}
        return kept | {
            "DATABASE_URL": self.database_url,
            "ARTIFACT_DIR": str(self.artifact_dir),
            "DJANGO_SETTINGS_MODULE": "s1web.settings",
            "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_OFFLINE": "1",
        }

    @property
    def sqlite_path(self) -> Path:
        return Path(self.database_url.removeprefix("sqlite:///"))

    def run(self, *arguments: object, timeout_seconds: float = 900) -> subprocess.CompletedProcess[str]:
        """`python manage.py ARGUMENTS`, whatever it exits with; standard output and error are pipes."""
        return self.python("manage.py", *arguments, timeout_seconds=timeout_seconds)

    def json(self, *arguments: object) -> dict[str, Any]:
        """`python manage.py ARGUMENTS --json`, which must end well, and the object that it printed."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        printed: dict[str, Any] = json.loads(done.stdout)
        return printed

    def json_all(self, commands: Sequence[Sequence[object]]) -> list[dict[str, Any]]:
        """What each of the commands prints with --json, all run in one fresh process; `migrate` prints nothing."""
        lists = [[str(argument) for argument in command] for command in commands]
        done = self.python("-m", "tests.run_commands", stdin=json.dumps(lists))
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.split("\n") if line]

    def curate_all(self, cases: Sequence[tuple[str, int, int]]) -> list[dict[str, Any]]:
        """The outcome of each (preset, size, seed), all of them in one fresh process."""
        return self.json_all([curate(*case) for case in cases])

    def python(
        self, *arguments: object, stdin: str | None = None, timeout_seconds: float = 900, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """`python ARGUMENTS`, whatever it exits with; `settings` are environment variables."""
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=ROOT,
            env=self.environment | settings,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )


def curate(preset: str, size: int, seed: int) -> list[object]:
    """The command that curates by a preset."""
    return ["curate", "--preset", preset, "--size", size, "--seed", seed]


def back_up_sqlite(source: Path, copy: Path) -> None:
    """What `sqlite3 SOURCE ".backup COPY"` does."""
    origin, target = sqlite3.connect(source), sqlite3.connect(copy)
    with target:
        origin.backup(target)
    origin.close()
    target.close()
