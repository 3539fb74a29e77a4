"""Static files straight from their sources: no collecting, yet each address holds the content's digest."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from urllib.parse import urljoin

from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage

Stamp = tuple[int, int]


@dataclass(frozen=True)
class Snapshot:
    """All static files as they were: one digest of them together, and time and size of each by its path."""

    digest: str
    stamps: dict[str, Stamp]


@cache
def snapshot() -> Snapshot:
    """Taken once a process: a restarted server has new addresses where any file changed."""
    content = hashlib.sha256()
    stamps: dict[str, Stamp] = {}
    for name, path in sorted(files()):
        with open(path, "rb") as file:
            stamps[path] = _stamp(os.fstat(file.fileno()))
            content.update(f"{name}\n{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return Snapshot(content.hexdigest()[:12], stamps)


def is_unchanged(path: str) -> bool:
    """Whether a file is still the one whose content the digest stands for."""
    return snapshot().stamps.get(path) == _stamp(os.stat(path))


def files() -> Iterator[tuple[str, str]]:
    """Name as templates give it, and path; of two files of one name the first found counts."""
    seen = set()
    for finder in finders.get_finders():
        for path, storage in finder.list([]):
            prefix = getattr(storage, "prefix", None)
            name = f"{prefix}/{path}" if prefix else path
            if name not in seen:
                seen.add(name)
                yield name, storage.path(path)


class DigestStorage(StaticFilesStorage):
    """`{% static "css/base.css" %}` -> /static/DIGEST/css/base.css, which browsers may keep for good."""

    def url(self, name: str | None, force: bool = False) -> str:
        # while developing, files change under a running server
        if settings.DEBUG or name is None:
            return super().url(name)
        return urljoin(settings.STATIC_URL, f"{snapshot().digest}/{name}")


def _stamp(found: os.stat_result) -> Stamp:
    return found.st_mtime_ns, found.st_size
