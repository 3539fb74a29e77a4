"""The columns that this process answers from: shared by its threads, read anew when the pool has changed.

One query a request asks for the pool's version. Where it has moved, a small pool is read again at once; a large one
is read in the background, and until that is done the columns of before answer and say of when they are.
"""

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection

from s1web.browse import columns as files
from s1web.browse.building import build_columns
from s1web.browse.columns import Columns
from s1web.pool.version import pool_version

log = logging.getLogger(__name__)
# what took longer than this to read is read again in the background
AT_ONCE_SECONDS = 0.25
# a pool that changes all the time (an import runs) is read for at most a third of the time
_REST_FACTOR = 2


@dataclass(frozen=True)
class Looked:
    """The columns to answer from; `is_refreshing` where the pool has changed since and they are being read anew."""

    columns: Columns
    is_refreshing: bool


class Store:
    """Keeps the newest columns; one per process is enough, see `looked`."""

    def __init__(self, at_once_seconds: float = AT_ONCE_SECONDS) -> None:
        self._at_once_seconds = at_once_seconds
        self._columns: Columns | None = None
        self._building = threading.Lock()
        self._taking = threading.Lock()
        self._refreshing = threading.Lock()
        self._rest_until = 0.0

    def look(self, *, is_fresh: bool = False) -> Looked:
        """The pool's columns.

        Args:
            is_fresh: wait for those of this very moment; for what acts on the rows rather than shows them.
        """
        version = pool_version()
        known = self._columns
        if known is None or known.version != version:
            loaded = files.load(version, _folder())
            known = known if loaded is None else self._take(loaded)
        if known is not None and known.version == version:
            return Looked(known, is_refreshing=False)
        if known is None or is_fresh or known.build_seconds <= self._at_once_seconds:
            return Looked(self._build(version), is_refreshing=False)
        self._refresh()
        return Looked(known, is_refreshing=True)

    def _take(self, columns: Columns) -> Columns:
        """Keep columns, unless another thread took some of that version: what is computed from them is shared."""
        with self._taking:
            known = self._columns
            if known is None or known.version != columns.version:
                self._columns = known = columns
            return known

    def _build(self, wanted: str) -> Columns:
        """Read the pool; whoever waited for another thread's reading takes that, if it is new enough for him."""
        with self._building:
            known = self._columns
            if known is not None and known.version == wanted:
                return known
            built = self._take(build_columns())
            try:
                files.save(built, _folder())
            except OSError as error:
                # the pages work all the same; the next start reads the pool again
                log.warning("the pool's columns could not be kept in %s: %s", _folder(), error)
            return built

    def _refresh(self) -> None:
        """Start reading in the background, unless that is under way or has just ended."""
        if time.monotonic() < self._rest_until or not self._refreshing.acquire(blocking=False):
            return
        try:
            threading.Thread(target=self._refresh_now, name="pool-columns", daemon=True).start()
        except RuntimeError:  # no thread to be had: a later request tries again
            self._refreshing.release()

    def _refresh_now(self) -> None:
        started = time.monotonic()
        try:
            self._build(pool_version())
        except Exception:
            log.exception("the pool's columns could not be read anew; those of before go on answering")
        finally:
            self._rest_until = time.monotonic() + _REST_FACTOR * (time.monotonic() - started)
            connection.close()
            self._refreshing.release()


def _folder() -> Path:
    folder: Path = settings.ARTIFACT_DIR / "columns"
    return folder


_store = Store()


def looked(*, is_fresh: bool = False) -> Looked:
    """The columns of this process's store, see `Store.look`."""
    return _store.look(is_fresh=is_fresh)
