"""Space kept back on the database's disk, so that a load which fills the disk can still be taken back."""

import errno
import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from django.db import connection

from curation.errors import S1WebError

# room for the pages that SQLite still has to move from its log to the database (at most 64 MiB and one batch), and
# for what taking back writes into the log
_MOST_BYTES = 128 * 2**20
_LEAST_BYTES = 2**20


class Reserve:
    """Holds space in a nameless file, which is gone with the process, however it ends; SQLite alone needs one.

    Taking back rows needs room itself, as every changed page is first written to the log. At most half of what is
    free is kept back, so that what a load can leave in the log always finds room.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        if connection.vendor != "sqlite" or connection.is_in_memory_db():  # type: ignore[attr-defined]
            return self
        folder = Path(connection.settings_dict["NAME"]).absolute().parent
        free = shutil.disk_usage(folder).free
        size = min(_MOST_BYTES, free // 2)
        if size < _LEAST_BYTES:
            raise S1WebError(
                f"the disk of {folder} is full: {free:,} bytes are free, at least {2 * _LEAST_BYTES:,} are needed "
                "to begin; free space there and run the command again"
            )
        try:
            self._file = tempfile.TemporaryFile(dir=folder)
            os.posix_fallocate(self._file.fileno(), 0, size)
        except (OSError, AttributeError) as error:
            self.release()
            if getattr(error, "errno", 0) in (errno.ENOSPC, errno.EDQUOT):
                raise S1WebError(
                    f"the disk of {folder} is full; free space there and run the command again"
                ) from None
            # a limit on the size of a file, a folder without write permission, a system without fallocate: the
            # load itself says what cannot be done
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Give the space back to the disk."""
        if self._file is not None:
            self._file.close()
            self._file = None
