"""Which devices a worker has for jobs of the queue gpu: one job on each at a time."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from s1web.jobs.kinds import GPU

_ASK_SECONDS = 10


class Devices:
    """The GPUs of this host, or the CPU in place of one where it has none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: list[str] | None = None
        self.names: list[str] = []

    def look(self) -> None:
        """Find out what is there; asked once, as the driver takes seconds to answer."""
        with self._lock:
            if self._free is None:
                devices = _visible(_gpu_names())
                self.names = [name for _, name in devices]
                self._free = [number for number, _ in devices] or [""]

    def num_slots(self, queues: list[str], slots: int) -> int:
        """Jobs at a time of a worker with so many threads that listens on these queues."""
        self.look()
        return min(slots, max(len(self.names), 1)) if queues == [GPU] else slots

    @property
    def label(self) -> str:
        """What a list of workers shows."""
        self.look()
        if not self.names:
            return f"cpu, {os.cpu_count()} cores"
        first = self.names[0]
        return f"{len(self.names)} x {first}" if len(self.names) > 1 else first

    @contextmanager
    def take(self, queue: str) -> Iterator[str | None]:
        """A device for a job: its number, "" for the CPU; None where all are taken."""
        if queue != GPU:
            yield ""
            return
        self.look()
        with self._lock:
            assert self._free is not None
            device = self._free.pop() if self._free else None
        try:
            yield device
        finally:
            if device is not None:
                with self._lock:
                    self._free.append(device)


def _gpu_names() -> list[str]:
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    try:
        done = subprocess.run(  # noqa: S603 (a fixed command)
            [command, "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=_ASK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []


def _visible(names: list[str]) -> list[tuple[str, str]]:
    """(number, name) of the devices that jobs may use: those that CUDA_VISIBLE_DEVICES leaves, in its order."""
    numbered = {str(number): name for number, name in enumerate(names)}
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return list(numbered.items())
    found = []
    for item in (word.strip() for word in allowed.split(",")):
        # as CUDA reads it: the first that is none ends the list, and an empty one hides all; or they go by their ids
        if item in numbered:
            found.append((item, numbered[item]))
        elif names and item.startswith(("GPU-", "MIG-")):
            found.append((item, names[0]))
        else:
            break
    return found
