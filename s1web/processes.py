"""Processes that belong together: started, their lines passed on, started again when they end, ended together."""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

# how often processes are looked at
_LOOK_SECONDS = 0.2
# a part that ends sooner than this is taken for one that cannot run
_QUICK_SECONDS = 5.0
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.5, 60.0
# one that others kill again and again is no less able to run
_LONGEST_WAIT_OF_KILLED_SECONDS = 4.0
# from so many quick ends in a row on, its last lines are shown with it
_MANY_ENDS = 3
_NUM_LAST_LINES = 5
# what parts get to end by themselves; workers give their jobs back in that time
_END_SECONDS = 8.0
_PIECE_BYTES = 65_536

Say = Callable[[str, str], None]


@dataclass(frozen=True)
class Part:
    """A process of `up`.

    Attributes:
        command: what stands after `python -m`.
        environment: what it gets on top of our own.
        descriptors: open files that it inherits.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    descriptors: tuple[int, ...] = ()


class Supervisor:
    """Runs parts until it is told to end, by SIGINT, SIGTERM or SIGHUP; a second signal kills what is left.

    Args:
        say: takes a name and a line: of a part, or of our own (`up`).
        folder: where the parts run.
    """

    def __init__(self, parts: Sequence[Part], say: Say, folder: str) -> None:
        self._say = say
        self._num_signals = 0
        self._selector = selectors.DefaultSelector()
        self._runs = [_Run(part, self.tell, folder, self._selector) for part in parts]

    def tell(self, name: str, line: str) -> None:
        """Say a line; where nobody reads us any more there is no one to work for, and all ends."""
        try:
            self._say(name, line)
        except BrokenPipeError:
            self._say = _say_nothing
            self._num_signals += 1

    def run(self) -> None:
        """Until a signal, and until all parts have ended."""
        wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._on_signal) for number in wanted}
        try:
            while not self._num_signals:
                for item in self._runs:
                    item.keep_running()
                self._pass_on()
        finally:
            self._end_all()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._num_signals += 1

    def _pass_on(self) -> None:
        for key, _events in self._selector.select(_LOOK_SECONDS):
            key.data.read()

    def _end_all(self) -> None:
        for item in self._runs:
            item.send(signal.SIGTERM)
        deadline = time.monotonic() + _END_SECONDS
        while any(item.is_alive for item in self._runs) and time.monotonic() < deadline and self._num_signals < 2:
            self._pass_on()
        for item in self._runs:
            item.kill()
        self._selector.close()


class _Run:
    """A part and its process of now."""

    def __init__(self, part: Part, say: Say, folder: str, selector: selectors.BaseSelector) -> None:
        self._part = part
        self._say = say
        self._folder = folder
        self._selector = selector
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""
        self._last_lines: deque[str] = deque(maxlen=_NUM_LAST_LINES)
        self._num_starts = self._num_quick = 0
        self._started = 0.0
        self._next_start = 0.0

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def keep_running(self) -> None:
        """Start it, or start it again; says when it has ended, and how."""
        if self.is_alive:
            return
        if self._process is not None:
            code = self._process.returncode
            self._close()
            self._plan_restart(code)
        if time.monotonic() >= self._next_start:
            self._start()

    def read(self) -> bool:
        """Pass on the lines that it has written; False where there are none now."""
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            piece = os.read(self._process.stdout.fileno(), _PIECE_BYTES)
        except BlockingIOError:
            return False
        if not piece:
            # no one writes there any more, which would wake us for ever
            self._selector.unregister(self._process.stdout)
            return False
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            self._pass_on(line)
        return True

    def send(self, number: signal.Signals) -> None:
        if self.is_alive:
            assert self._process is not None
            self._process.send_signal(number)

    def kill(self) -> None:
        """End what is left of it at once."""
        if self._process is None:
            return
        if self.is_alive:
            self._say("up", f"{self._part.name} did not end by itself in time: killed")
        self._process.kill()
        self._process.wait()
        self._close()

    def _start(self) -> None:
        self._num_starts += 1
        self._started = time.monotonic()
        self._last_lines.clear()
        self._process = subprocess.Popen(  # noqa: S603 (our own modules)
            [sys.executable, "-m", "s1web.part", *self._part.command],
            # see s1web/part.py: this pipe closes with us
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self._part.environment},
            pass_fds=self._part.descriptors,
            # Ctrl-C in the terminal is ours to pass on, once
            start_new_session=True,
        )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self._selector.register(self._process.stdout, selectors.EVENT_READ, self)
        if self._num_starts > 1:
            self._say("up", f"{self._part.name} started again ({self._num_starts})")

    def _plan_restart(self, code: int) -> None:
        lived = time.monotonic() - self._started
        self._num_quick = self._num_quick + 1 if lived < _QUICK_SECONDS else 0
        longest = _LONGEST_WAIT_OF_KILLED_SECONDS if code < 0 else _LONGEST_WAIT_SECONDS
        wait = min(_FIRST_WAIT_SECONDS * 2 ** max(self._num_quick - 1, 0), longest)
        self._next_start = time.monotonic() + wait
        line = f"{self._part.name} ended {how_it_ended(code)} after {lived:,.1f} s"
        if self._num_quick < _MANY_ENDS:
            self._say("up", f"{line}; it starts again in {wait:g} s")
            return
        self._say("up", f"{line}, {self._num_quick} times in a row; its last lines:")
        for last in self._last_lines or ["(it said nothing)"]:
            self._say("up", f"    {last}")
        self._say("up", f"next try in {wait:g} s")

    def _close(self) -> None:
        """Pass on what it wrote last, and let go of its pipes."""
        assert self._process is not None
        assert self._process.stdin is not None
        output = self._process.stdout
        assert output is not None
        while output in self._selector.get_map() and self.read():
            pass
        if output in self._selector.get_map():
            self._selector.unregister(output)
        if self._rest:
            self._pass_on(self._rest)
            self._rest = b""
        self._process.stdin.close()
        output.close()
        self._process = None

    def _pass_on(self, line: bytes) -> None:
        # what jobs print may hold anything: a terminal gets nothing that it would obey
        text = "".join(sign if sign.isprintable() else " " for sign in line.decode(errors="replace").rstrip())
        if text:
            self._last_lines.append(text)
            self._say(self._part.name, text)


def how_it_ended(code: int) -> str:
    """An exit code of a process in words: by SIGKILL, with exit code 1."""
    if code >= 0:
        return f"with exit code {code}"
    try:
        return f"by {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"


def _say_nothing(name: str, line: str) -> None:
    pass
