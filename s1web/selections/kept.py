"""What previews are made of, kept in the web process: read once a state of the pool, in threads of its own."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

from django.db import connection

T = TypeVar("T")
# states of the pool before the newest that are still being waited for
_NUM_VERSIONS = 2


class Waiting(Exception):  # noqa: N818 (nothing failed)
    """Something is not there yet: what, and for how many seconds it has been in the making."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(f"{what} for {seconds:.1f} s")
        self.what, self.seconds = what, seconds


class Kept:
    """Results by version of the pool and key; what is being made goes on while nobody waits.

    Several threads may use it. What fails is told to whoever asks next, and made anew after that.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[str, Hashable], tuple[Future[Any], float]] = OrderedDict()

    def get(self, version: str, key: Hashable, what: str, make: Callable[[], T], until: float | None) -> T:
        """The result of `make`, which runs in a thread of its own.

        Args:
            what: it is, for the person who waits.
            until: `time.monotonic()` up to which to wait; None waits as long as it takes.

        Raises:
            Waiting: it is not there by then.
            Exception: whatever `make` raised.
        """
        if connection.in_atomic_block:
            # another connection would not see what this transaction has written
            return make()
        future, started = self._entry(version, key, make)
        try:
            found: T = future.result(None if until is None else max(until - time.monotonic(), 0))
        except TimeoutError:
            if not future.done():
                raise Waiting(what, time.monotonic() - started) from None
            raise
        return found

    def is_there(self, version: str, key: Hashable) -> bool:
        """Whether the result is there, or being made."""
        return (version, key) in self._entries

    def holds(self, version: str) -> bool:
        """Whether anything of this state of the pool is there."""
        return any(known == version for known, _ in list(self._entries))

    def _entry(self, version: str, key: Hashable, make: Callable[[], Any]) -> tuple[Future[Any], float]:
        place = (version, key)
        with self._lock:
            if place in self._entries:
                self._entries.move_to_end(place)
                return self._entries[place]
            entry = self._entries[place] = (Future(), time.monotonic())
            self._drop_old(version)
        threading.Thread(target=self._make, args=(place, entry[0], make), name="preview", daemon=True).start()
        return entry

    def _drop_old(self, newest: str) -> None:
        versions = list(OrderedDict.fromkeys(version for version, _ in reversed(self._entries)))
        stale = set(versions[_NUM_VERSIONS:]) - {newest}
        for place in [place for place in self._entries if place[0] in stale]:
            del self._entries[place]
        while len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def _make(self, place: tuple[str, Hashable], future: "Future[Any]", make: Callable[[], Any]) -> None:
        try:
            future.set_result(make())
        except BaseException as error:
            future.set_exception(error)
            with self._lock:
                self._entries.pop(place, None)
        finally:
            connection.close()
