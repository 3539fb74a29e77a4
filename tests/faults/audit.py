"""Counts in the database what is written to the pool, and watches which processes do the work."""

import threading
import time
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.faults.system import System

# table -> what names a row of it; each is written once and never changed or taken back
_ONCE = {
    "pool_loadedrow": "digest",
    "pool_trace": "id",
    "pool_tracelength": "tokenizer_id || '/' || {row}.trace_id",
    "pool_contamination": "question_id || '/' || {row}.problem_id",
    "pool_attempt": "id",
    "pool_grade": "id",
}
_NOW = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now')",
    "postgresql": "to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS')",
}


def install(system: System) -> None:
    """Triggers that note every write, in the writer's own transaction: what is rolled back is not counted."""
    key = "INTEGER PRIMARY KEY AUTOINCREMENT" if system.vendor == "sqlite" else "BIGSERIAL PRIMARY KEY"
    system.clerk.sql(f"CREATE TABLE audit (id {key}, at TEXT, of TEXT, verb TEXT, what TEXT)")
    for table, name in _ONCE.items():
        for verb in ("INSERT", "UPDATE", "DELETE"):
            row = "OLD" if verb == "DELETE" else "NEW"
            _trigger(system, table, verb, f"{row}.{name.format(row=row)}")
    # how far a problem was compared: from where to where
    _trigger(
        system,
        "pool_problem",
        "UPDATE",
        "NEW.id || '/' || OLD.checked_question_id || '/' || NEW.checked_question_id",
    )


def _trigger(system: System, table: str, verb: str, what: str) -> None:
    values = f"{_NOW[system.vendor]}, '{table}', '{verb}', {what}"
    note = f"INSERT INTO audit (at, of, verb, what) VALUES ({values});"
    name = f"audit_{table}_{verb.lower()}"
    if system.vendor == "sqlite":
        system.clerk.sql(f"CREATE TRIGGER {name} AFTER {verb} ON {table} BEGIN {note} END")
        return
    system.clerk.sql(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {note} RETURN NULL; END $$"
    )
    system.clerk.sql(f"CREATE TRIGGER {name} AFTER {verb} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")


def check_once(system: System) -> None:
    """See that nothing was written twice, changed or taken back."""
    for table in _ONCE:
        changed = system.clerk.sql(f"SELECT verb, what FROM audit WHERE of = '{table}' AND verb <> 'INSERT'")
        assert changed == [], f"{table}: {changed[:5]}"
        twice = system.clerk.sql(
            f"SELECT what, count(*) FROM audit WHERE of = '{table}' GROUP BY what HAVING count(*) > 1"
        )
        assert twice == [], f"{table}: written twice: {twice[:5]}"
    marks: dict[str, int] = defaultdict(int)
    for (what,) in system.clerk.sql("SELECT what FROM audit WHERE of = 'pool_problem' ORDER BY id"):
        problem, before, after = what.split("/")
        assert int(before) == marks[problem] < int(after), f"problem {what}: was at {marks[problem]}"
        marks[problem] = int(after)


class Children(threading.Thread):
    """Looks at all processes again and again: which job has which children, and for how long more than one."""

    def __init__(self, system: System, every_seconds: float = 0.05) -> None:
        super().__init__(daemon=True)
        self._system = system
        self._every_seconds = every_seconds
        self._is_over = threading.Event()
        self.num_looks = 0
        self.longest_overlap: dict[int, float] = defaultdict(float)

    def run(self) -> None:
        since: dict[int, float] = {}
        while not self._is_over.wait(self._every_seconds):
            now = time.monotonic()
            found: dict[int, set[str]] = defaultdict(set)
            # by claims, not by processes: a child that is about to start a helper is seen twice for a moment
            for _pid, job, claim in children(self._system.artifact_dir):
                found[job].add(claim)
            since = {job: since.get(job, now) for job, claims in found.items() if len(claims) > 1}
            for job, start in since.items():
                self.longest_overlap[job] = max(self.longest_overlap[job], now - start + self._every_seconds)
            self.num_looks += 1

    def stop(self) -> None:
        self._is_over.set()
        self.join()


def children(artifact_dir: Path) -> list[tuple[int, int, str]]:
    """(pid, job, claim) of every process that does a job of the system with that artifact folder."""
    found = []
    for pid in _pids():
        words = _read(pid, "cmdline").split(b"\0")
        if b"workers.child" in words and f"ARTIFACT_DIR={artifact_dir}".encode() in _read(pid, "environ").split(
            b"\0"
        ):
            place = words.index(b"workers.child")
            found.append((pid, int(words[place + 1]), words[place + 2].decode()))
    return found


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]


def _read(pid: int, name: str) -> bytes:
    # a process may end while it is looked at
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def rows_written(system: System, table: str, job: dict[str, Any], like: str) -> tuple[int, int]:
    """Rows that the table got before and during the last start of a job that has ended."""
    # to the millisecond, as the triggers note it
    start, end = (
        datetime.fromisoformat(job[name]).strftime("%Y-%m-%d %H:%M:%S.%f")[:23] for name in ("started_at", "ended_at")
    )
    inserts = f"FROM audit WHERE of = '{table}' AND verb = 'INSERT' AND what LIKE '{like}'"
    ((before,),) = system.clerk.sql(f"SELECT count(*) {inserts} AND at < '{start}'")
    ((during,),) = system.clerk.sql(f"SELECT count(*) {inserts} AND at BETWEEN '{start}' AND '{end}'")
    return int(before), int(during)
