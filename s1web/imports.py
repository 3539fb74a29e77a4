"""Files of the server that a page may name: those below IMPORT_DIR, and no others."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from curation.errors import ConfigError

# what a form can show, and how far the folder is searched for it
MAX_LISTED = 500
_MAX_LOOKED_AT = 20_000
_MAX_NAME = 1_000


@dataclass(frozen=True)
class Listing:
    """What the import folder offers.

    Attributes:
        names: paths below the folder, with slashes, sorted.
        sizes: bytes of each, in the same order.
        num_unnamable: files whose names a page cannot show: control characters, or no UTF-8.
        is_cut: whether there are more than a form shows.
    """

    names: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    num_unnamable: int = 0
    is_cut: bool = False


def list_files(is_wanted: Callable[[str], bool]) -> Listing:
    """The files below the import folder whose names (in small letters) are wanted; hidden ones are left out."""
    root = _root()
    found: list[tuple[str, int]] = []
    num_looked_at = num_unnamable = 0
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        num_looked_at += len(folders) + len(files)
        for name in sorted(files):
            if name.startswith(".") or not is_wanted(name.lower()):
                continue
            relative = Path(folder, name).relative_to(root).as_posix()
            if not _can_be_shown(relative):
                num_unnamable += 1
                continue
            path = _inside(root, relative)
            if path is not None:
                found.append((relative, path.stat().st_size))
        if num_looked_at > _MAX_LOOKED_AT or len(found) > MAX_LISTED:
            break
    is_cut = num_looked_at > _MAX_LOOKED_AT or len(found) > MAX_LISTED
    names, sizes = zip(*sorted(found)[:MAX_LISTED], strict=True) if found else ((), ())
    return Listing(names, sizes, num_unnamable, is_cut)


def find_file(name: str) -> Path:
    """The file of that name below the import folder.

    Raises:
        ConfigError: not there, or outside of it, by whatever way.
    """
    path = _inside(_root(), name) if _can_be_shown(name) else None
    if path is None:
        raise ConfigError(f"{name!r:.300} is no file below the import folder; put it there, then choose it")
    return path


def name_of(path: str) -> str | None:
    """What `find_file` takes for this path; None where the path is not below the import folder."""
    try:
        name = Path(path).relative_to(_root()).as_posix()
    except ValueError:
        return None
    return name if _can_be_shown(name) and _inside(_root(), name) else None


def _root() -> Path:
    folder: Path = settings.IMPORT_DIR
    return folder.resolve()


def _inside(root: Path, name: str) -> Path | None:
    """The file once every link on the way is followed, if it is still inside."""
    try:
        path = (root / name).resolve(strict=True)
        return path if path.is_relative_to(root) and path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # not there, no right to look, a null byte, a circle of links
        return None


def _can_be_shown(name: str) -> bool:
    return 0 < len(name) <= _MAX_NAME and name.isprintable()
