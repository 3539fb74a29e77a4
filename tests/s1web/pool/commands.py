"""The command line in a process of its own, on a SQLite database of its own, and what its tables hold afterwards."""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.processes import ROOT, Project

Dump = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Done:
    """A process that has ended."""

    code: int
    out: str
    err: str
    peak_bytes: int

    def the_one_line(self) -> str:
        """The error's line, after checking that there is nothing but it."""
        assert self.code == 1, (self.code, self.out, self.err)
        assert self.out == ""
        assert self.err.count("\n") == 1, self.err
        assert self.err.endswith("\n")
        assert "Traceback" not in self.err
        return self.err.rstrip("\n")

    def json(self) -> dict[str, Any]:
        """The object of --json, after checking that there is nothing but it."""
        assert self.code == 0, self.err
        assert self.err == ""
        result: dict[str, Any] = json.loads(self.out)
        return result


@dataclass(frozen=True)
class Place:
    """A folder with a database, and settings by which small files make many batches."""

    folder: Path
    settings: Mapping[str, str] = field(default_factory=lambda: {"POOL_BATCH_ROWS": "50"})

    @property
    def database(self) -> Path:
        return self.folder / "db" / "pool.sqlite3"

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    def environment(self) -> dict[str, str]:
        project = Project(f"sqlite:///{self.database}", self.artifacts)
        return project.environment | {"PYTHONDONTWRITEBYTECODE": "1", **self.settings}

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, str(ROOT / "manage.py"), *map(str, arguments)]

    def start(self, *arguments: object, **options: Any) -> subprocess.Popen[bytes]:
        return self._start(self.command(*arguments), **options)

    def run(self, *arguments: object, before: Callable[[], None] | None = None) -> Done:
        """`python manage.py ARGUMENTS`; `before` is called in the new process first."""
        return self.execute(self.command(*arguments), before)

    def execute(self, command: list[str], before: Callable[[], None] | None = None) -> Done:
        with (self.folder / "out").open("w+b") as out, (self.folder / "err").open("w+b") as err:
            process = self._start(command, stdout=out, stderr=err, preexec_fn=before)
            peak_bytes = _wait(process)
            out.seek(0)
            err.seek(0)
            return Done(process.returncode, out.read().decode(), err.read().decode(), peak_bytes)

    def _start(self, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, cwd=self.folder, env=self.environment(), **options)

    def dump(self) -> Dump:
        """All tables as they are, keys included."""
        with_rows: Dump = {}
        connection = sqlite3.connect(self.database)
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
            # the version is moved by what changes the pool and by what changes it back; the text index cannot be
            # listed itself, but the tables that it is kept in can
            "AND name <> 'pool_poolversion' AND sql NOT LIKE 'CREATE VIRTUAL %'"
        )
        for (table,) in tables.fetchall():
            with_rows[table] = sorted(connection.execute(f'SELECT * FROM "{table}"').fetchall(), key=repr)
        connection.close()
        return with_rows

    def contents(self) -> Dump:
        """What the pool says, without keys and without the files' names: equal for equal pools."""
        connection = sqlite3.connect(self.database)
        found = {name: sorted(connection.execute(query).fetchall(), key=repr) for name, query in CONTENTS.items()}
        connection.close()
        return found

    def rejected(self) -> list[tuple[int, str]]:
        """(line, reason) of every row in the one file of rejected rows; none where there is no file."""
        files = list((self.artifacts / "rejected").glob("*"))
        assert len(files) <= 1
        lines = files[0].read_text(encoding="utf-8").splitlines() if files else []
        return [(row["line"], row["reason"]) for row in map(json.loads, lines)]


CONTENTS = {
    "sources": "SELECT name, preset, hub_id, revision, licence FROM pool_source",
    "questions": """
        SELECT q.question_hash, s.name, q.small_grade, q.large_grade, q.trace_grade, q.contaminated, q.quality_flags,
            q.domain, q.cot_type, q.text, q.solution, q.answer, q.cot, q.metadata, t.digest
        FROM pool_question q JOIN pool_source s ON s.id = q.source_id LEFT JOIN pool_trace t ON t.id = q.trace_id""",
    "rows": """
        SELECT r.digest, q.question_hash, s.name, r.brought, r.is_attachment
        FROM pool_loadedrow r JOIN pool_question q ON q.id = r.question_id
        JOIN pool_source s ON s.id = r.source_id""",
    "traces": """
        SELECT q.question_hash, t.digest, t.grade, t.has_thinking, t.generator, t.attempt, t.thinking
        FROM pool_trace t JOIN pool_question q ON q.id = t.question_id""",
    "lengths": """
        SELECT q.question_hash, t.digest, k.name, k.fingerprint, l.tokens FROM pool_tracelength l
        JOIN pool_trace t ON t.id = l.trace_id JOIN pool_question q ON q.id = t.question_id
        JOIN pool_tokenizer k ON k.id = l.tokenizer_id""",
    "attempts": """
        SELECT q.question_hash, a.model, a.text FROM pool_attempt a JOIN pool_question q ON q.id = a.question_id""",
    "grades": """
        SELECT q.question_hash, g.value, g.model, g.judge, g.raw_reply, a.text, t.digest
        FROM pool_grade g JOIN pool_question q ON q.id = g.question_id
        LEFT JOIN pool_attempt a ON a.id = g.attempt_id LEFT JOIN pool_trace t ON t.id = g.trace_id""",
    "files": "SELECT state, num_read, num_rejected FROM pool_importfile",
}


def _wait(process: "subprocess.Popen[bytes]") -> int:
    """Wait for the process's end; the most memory that it or a child of it held, in bytes.

    Asked from /proc while it runs: what the kernel reports at the end counts the test process before `exec` too.
    """
    peak = 0
    while process.poll() is None:
        peak = max([peak, *(_high_water(pid) for pid in _family(process.pid))])
        time.sleep(0.01)
    return peak


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *map(int, children)]


def _high_water(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    line = next((line for line in status.split("\n") if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(line.split()[1]) * 1024
