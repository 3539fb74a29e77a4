"""Waiting for something that another process does."""

import time
from collections.abc import Callable

from training.launchers.base import Handle


def wait_for(happens: Callable[[], bool], handle: Handle, seconds: float = 240) -> None:
    """Until it happens; the launch's log tells why where it does not."""
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, handle.log.read_text()[-3000:]
        time.sleep(0.1)
