"""A whole system in real processes: `manage.py up` with its database and broker, and hands to break it with."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tests.processes import ROOT, Project

SETTINGS = {"JOB_HEARTBEAT_SECONDS": "1", "JOB_LOST_SECONDS": "3", "JOB_MAX_LOSSES": "200"}


def wait_until(what: str, is_so: Callable[[], Any], seconds: float, system: "System | None" = None) -> Any:
    """What `is_so` returns once it is true; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        found = is_so()
        if found:
            return found
        if time.monotonic() > deadline:
            tail = f"\n{system.up.tail()}" if system and system.up else ""
            raise AssertionError(f"not within {seconds:g} s: {what}{tail}")
        time.sleep(0.05)


class Clerk:
    """The services of the project, called by name: see tests/faults/clerk.py."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.clerk"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *arguments, **options: self._call(name, arguments, options)

    def _call(self, name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, arguments, options]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, f"{name}{arguments}: {answer['error']}"
        return answer["answer"]

    def close(self) -> None:
        self._process.communicate()


class Up:
    """`python manage.py up` in a process of its own, and the lines it has printed so far."""

    def __init__(self, environment: dict[str, str], *options: object) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up", *map(str, options)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # as in a terminal of its own: a signal of the tests' does not reach it
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def find(self, pattern: str) -> re.Match[str] | None:
        return next((found for line in list(self.lines) if (found := re.search(pattern, line))), None)

    def part(self, name: str) -> psutil.Process | None:
        """The process of a part: `web`, `beat`, `worker-cpu`, `worker-gpu`."""
        # Celery gives its processes titles of their own where setproctitle is installed, as vLLM has it
        signs = {"web": "uvicorn", "beat": "-A s1web beat", "worker-cpu": "-Q cpu", "worker-gpu": "-Q gpu"}
        try:
            for child in psutil.Process(self.process.pid).children():
                command = " ".join(child.cmdline())
                if ("s1web.part" in command or "-A s1web" in command) and signs[name] in command:
                    return child
        except psutil.NoSuchProcess:
            pass
        return None

    def kill_part(self, name: str) -> bool:
        found = self.part(name)
        if found is None:
            return False
        try:
            found.kill()
        except psutil.NoSuchProcess:
            return False
        return True

    def end(self, number: int = signal.SIGINT, seconds: float = 20) -> int:
        """Tell it to end; its exit code once it has."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(seconds)
        self._reader.join(5)
        return code

    def tail(self, num_lines: int = 40) -> str:
        return "\n".join(self.lines[-num_lines:])


class Redis:
    """A redis-server that keeps nothing: after a kill it comes back empty."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = [
            "redis-server",
            "--bind",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_until("redis listens", lambda: _listens(self.port), 10)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()


class System:
    """Database, broker and artifact folder, with `up` running on them where it was started."""

    def __init__(self, project: Project, redis: Redis | None = None, **settings: str) -> None:
        self.project = project
        self.redis = redis
        broker = {"CELERY_BROKER_URL": redis.url if redis else ""}
        self.environment = project.environment | SETTINGS | broker | settings
        self.up: Up | None = None
        self.port = 0
        self.make_tables()
        self.clerk = Clerk(self.environment)

    @property
    def vendor(self) -> str:
        return self.project.database_url.partition(":")[0]

    @property
    def artifact_dir(self) -> Path:
        return self.project.artifact_dir

    def make_tables(self) -> None:
        done = subprocess.run(
            [sys.executable, "manage.py", "migrate", "-v", "0"], cwd=ROOT, env=self.environment, check=False
        )
        assert done.returncode == 0

    def start_up(self, *options: object) -> Up:
        """Start `up` on any free port, and wait until its pages answer and its workers are there."""
        self.up = up = Up(self.environment, "--port", 0, *options)
        ready = wait_until("up is ready", lambda: up.find(r"ready: http://[^:]+:(\d+)/"), 60, self)
        self.port = int(ready[1])
        wait_until("workers are there", lambda: self.listening_pid("cpu") and self.listening_pid("gpu"), 30, self)
        return up

    def listening_pid(self, queue: str) -> int | None:
        """The worker that says that it listens, where it lives."""
        rows = self.clerk.sql(f"SELECT pid FROM jobs_workerpresence WHERE name LIKE '{queue}%'")
        return next((pid for (pid,) in rows if psutil.pid_exists(pid)), None)

    def is_healthy(self, *, timeout_seconds: float = 5) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/", timeout=timeout_seconds) as answer:
                return answer.status == 200
        except OSError:
            return False

    def lose_messages(self) -> None:
        """Kill the broker, so that all messages are lost, and let it come back empty."""
        if self.redis is not None:
            self.redis.kill()
            self.redis.start()
            return
        for path in (self.artifact_dir / "broker" / "messages").iterdir():
            path.unlink(missing_ok=True)

    def log(self, job: int) -> str:
        path = self.artifact_dir / "jobs" / f"{job}.log"
        return path.read_text(encoding="utf-8", errors="replace")[-4_000:] if path.exists() else "(no log)"

    def close(self) -> None:
        self.clerk.close()
        try:
            if self.up is not None:
                self.up.end()
        finally:
            if self.redis is not None:
                self.redis.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def kill(pid: int) -> None:
    """SIGKILL, also to one that has just ended."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
