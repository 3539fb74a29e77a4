"""math-verify in processes that may die: each answer has its limits of time and memory, and takes no other along."""

import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import psutil

from curation.errors import ConfigError
from inference.equivalence import Grade

_WORKER = Path(__file__).with_name("math_worker.py")
# how often the parent looks at a worker's memory; sympy grows by about 100 MB in that time
_LOOK_SECONDS = 0.05
_START_SECONDS = 120.0
# the worker counts its own processor time; this many times as much by the clock is for one that sleeps or starves
_CLOCK_FACTOR = 20
# address space is far more than what is used; this only stops a single request that no look could see coming
_ADDRESS_SPACE_FACTOR = 8
MAX_CHARACTERS = 2_000


class MathVerifier:
    """Compares answers with math-verify in `num_workers` processes; a `Verifier` and a context manager.

    A worker starts when it is first needed and serves one pair at a time. One that takes too long or too much memory
    is killed, its pair is not graded, and another takes its place. Workers see no environment variables and can
    write no file. Needs a POSIX system.

    Args:
        num_workers: processes at once; about 90 MB each.
        timeout_seconds: processor time that one pair may take.
        memory_bytes: resident memory that a worker may take.

    Raises:
        ConfigError: a number is out of range, or math-verify is not installed.
    """

    def __init__(self, *, num_workers: int = 2, timeout_seconds: float = 5.0, memory_bytes: int = 1 << 30) -> None:
        if num_workers < 1:
            raise ConfigError(f"num_workers={num_workers} is out of range; give 1 or more")
        if not timeout_seconds > 0:
            raise ConfigError(f"timeout_seconds={timeout_seconds} is out of range; give more than 0")
        if memory_bytes < 200 << 20:
            raise ConfigError(f"memory_bytes={memory_bytes} is out of range; math-verify needs 209715200 or more")
        if importlib.util.find_spec("math_verify") is None:
            raise ConfigError(
                "math-verify is not installed; install the extra `evaluation`: pip install s1web[evaluation]"
            )
        self._timeout_seconds = timeout_seconds
        self._memory_bytes = memory_bytes
        self._workers = [_Worker(timeout_seconds, memory_bytes) for _ in range(num_workers)]
        self._lock = threading.Lock()

    def __enter__(self) -> "MathVerifier":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all workers; a later `verify` starts them anew."""
        for worker in self._workers:
            worker.stop()

    def verify(self, pairs: Sequence[tuple[str, str]]) -> list[Grade]:
        """Compare pairs (reference, answer); equal pairs are compared once.

        Returns:
            A grade each, in their order, under the rule math_verify; where there is none, the rule says why:
            math_verify.timeout, .memory, .crashed, .unreadable (one of the two is no mathematics) or .too_long
            (above 2,000 characters).
        """
        grades: dict[tuple[str, str], Grade] = {}
        waiting: deque[tuple[str, str]] = deque()
        for pair in dict.fromkeys(pairs):
            if max(map(len, pair)) > MAX_CHARACTERS:
                grades[pair] = Grade(None, "math_verify.too_long")
            else:
                waiting.append(pair)
        errors: list[BaseException] = []

        def serve(worker: "_Worker") -> None:
            try:
                while not errors:
                    try:
                        pair = waiting.popleft()
                    except IndexError:
                        return
                    grades[pair] = worker.compare(pair)
            except BaseException as error:
                errors.append(error)

        # a caller's threads take turns: a worker serves one pair at a time
        with self._lock:
            threads = [threading.Thread(target=serve, args=(worker,)) for worker in self._workers[: len(waiting)]]
            for thread in threads:
                thread.start()
            try:
                for thread in threads:
                    thread.join()
            except BaseException as error:  # an interrupt ends the workers too, and waits for nothing
                errors.append(error)
                self.close()
                raise
        if errors:
            raise errors[0]
        return [grades[pair] for pair in pairs]


class _Worker:
    """One process that is replaced when it dies."""

    def __init__(self, timeout_seconds: float, memory_bytes: int) -> None:
        self._timeout_seconds = timeout_seconds
        self._memory_bytes = memory_bytes
        self._process: subprocess.Popen[bytes] | None = None

    def compare(self, pair: tuple[str, str]) -> Grade:
        try:
            return self._ask(pair)
        except BaseException:
            # a reply that is still to come would be taken for the next pair's
            self.stop()
            raise

    def _ask(self, pair: tuple[str, str]) -> Grade:
        if self._process is not None and self._process.poll() is not None:
            self.stop()  # it died while it waited, and owes nobody an answer
        process = self._process or self._start()
        assert process.stdin
        # where it dies just now, the missing reply says so
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(pair).encode() + b"\n")
            process.stdin.flush()
        reply = self._read(process, self._timeout_seconds * _CLOCK_FACTOR)
        if reply in ("right", "wrong"):
            return Grade(reply == "right", "math_verify")
        if reply != "unreadable":
            self.stop()
        return Grade(None, f"math_verify.{reply}")

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe
            # what was written to it last may never have been read
            with suppress(BrokenPipeError):
                pipe.close()

    def _start(self) -> "subprocess.Popen[bytes]":
        limits = (str(self._timeout_seconds), str(self._memory_bytes * _ADDRESS_SPACE_FACTOR))
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and file
            # -I: neither the environment nor the current folder decides what is imported
            [sys.executable, "-I", str(_WORKER), *limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
        self._process = process
        reply = self._read(process, _START_SECONDS)
        if reply != "ready":
            self.stop()
            raise RuntimeError(f"math-verify did not start ({reply}); try: {sys.executable} -c 'import math_verify'")
        return process

    def _read(self, process: "subprocess.Popen[bytes]", seconds: float) -> str:
        """The next line; timeout, memory or crashed where none comes."""
        assert process.stdout
        line = b""
        for _ in range(int(seconds / _LOOK_SECONDS) + 1):
            is_ready, _, _ = select.select([process.stdout], [], [], _LOOK_SECONDS)
            if is_ready:
                part = os.read(process.stdout.fileno(), 64)
                line += part
                if line.endswith(b"\n"):
                    return line.decode().strip()
                if not part:
                    return "timeout" if process.wait() == -signal.SIGPROF else "crashed"
            elif _resident_bytes(process.pid) > self._memory_bytes:
                return "memory"
        return "timeout"


def _resident_bytes(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.NoSuchProcess:
        return 0  # its pipe says so as well
