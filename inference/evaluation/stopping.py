"""Being asked to stop, by Ctrl-C or SIGTERM: what is begun is finished; the second time ends the process at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """A function that says whether a signal came; the handlers that were there before come back at the end.

    To be entered in the main thread.
    """
    is_asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal is_asked
        is_asked = True
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, ask) for number in _SIGNALS}
    try:
        yield lambda: is_asked
    finally:
        for number, handler in before.items():
            # None: one that Python did not set, and cannot set again
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
