"""Real databases for tests in this process: several threads and other processes see what each of them commits.

pytest-django's own database is one open transaction on one connection: good for most tests, but nobody races there.
"""

import itertools
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import dj_database_url
import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, connections

from tests.processes import Project

VENDORS = ("sqlite", "postgresql")
T = TypeVar("T")
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def make_migrated(make_project, request, tmp_path_factory) -> Callable[[str], Project]:
    """Makes a project with all tables, a copy of one that was migrated once: `sqlite` or `postgresql`."""
    templates: dict[str, Project] = {}

    def make(vendor: str) -> Project:
        if vendor not in templates:
            templates[vendor] = make_project(vendor)
            done = templates[vendor].run("migrate", "--verbosity", 0)
            assert done.returncode == 0, done.stderr
        template, folder = templates[vendor], tmp_path_factory.mktemp("migrated")
        if vendor == "sqlite":
            shutil.copy(template.sqlite_path, folder / "s1web.sqlite3")
            return Project(f"sqlite:///{folder / 's1web.sqlite3'}", folder / "artifacts")
        server = request.getfixturevalue("postgres")
        name = f"copy_{next(_numbers)}"
        source = dj_database_url.parse(template.database_url)["NAME"]
        server.psql(f"CREATE DATABASE {name} TEMPLATE {source}")
        return Project(server.get_uri(name), folder / "artifacts")

    return make


@pytest.fixture
def project(make_migrated, django_db_blocker) -> Iterator[Project]:
    """A project on SQLite whose database this process uses too."""
    with django_db_blocker.unblock(), connected(make_migrated("sqlite")) as made:
        yield made


@pytest.fixture(params=VENDORS)
def either_project(request) -> Project:
    """The same on SQLite, and once more on PostgreSQL."""
    fixture = "project" if request.param == "sqlite" else "_postgres_project"
    return request.getfixturevalue(fixture)


@pytest.fixture
def _postgres_project(_postgres_once, django_db_blocker) -> Iterator[Project]:
    with django_db_blocker.unblock(), connected(_postgres_once):
        yield _postgres_once
        # a database for each test would be cleaner, and half a second slower
        own = [*apps.get_app_config("jobs").get_models(), *apps.get_app_config("pool").get_models()]
        own += [*apps.get_app_config("selections").get_models(), get_user_model()]
        own += apps.get_app_config("experiments").get_models()
        names = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in own)
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {names} RESTART IDENTITY CASCADE")


@pytest.fixture(scope="session")
def _postgres_once(make_migrated) -> Project:
    return make_migrated("postgresql")


@contextmanager
def connected(project: Project) -> Iterator[Project]:
    """Let this process use the project's database, artifacts and embedded broker."""
    with _database(project.database_url), _artifacts(project.artifact_dir), _broker(project.artifact_dir / "broker"):
        yield project


@contextmanager
def _database(url: str) -> Iterator[None]:
    before, wrapper = connections.settings["default"], connections["default"]
    config = dict(dj_database_url.parse(url))
    if config["ENGINE"] == "django.db.backends.sqlite3":
        # as settings.py has it
        config["OPTIONS"] = dict(settings.DATABASES["default"]["OPTIONS"])
    connections.settings["default"] = connections.configure_settings({"default": config})["default"]
    connections["default"] = connections.create_connection("default")
    try:
        yield
    finally:
        connections["default"].close()
        connections.settings["default"], connections["default"] = before, wrapper


@contextmanager
def _artifacts(folder: Path) -> Iterator[None]:
    before = settings.ARTIFACT_DIR
    settings.ARTIFACT_DIR = folder
    try:
        yield
    finally:
        settings.ARTIFACT_DIR = before


@contextmanager
def _broker(folder: Path) -> Iterator[None]:
    # not above: it makes its folder where ARTIFACT_DIR says at that moment
    from s1web.celery import app

    options = app.conf.broker_transport_options
    for name in ("messages", "control"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    messages = str(folder / "messages")
    own = {"data_folder_in": messages, "data_folder_out": messages, "control_folder": str(folder / "control")}
    _reconnect(app, options | own)
    try:
        yield
    finally:
        _reconnect(app, options)


def _reconnect(app: Any, options: dict[str, Any]) -> None:
    app.conf.broker_transport_options = options
    if app._pool is not None:
        app._pool.force_close_all()
        app._pool = None
    app.amqp._producer_pool = None


def at_once(calls: Sequence[Callable[[], T]], *, timeout_seconds: float = 120) -> list[T | Exception]:
    """Call all of them at the same moment, each in a thread with a connection of its own; results or errors."""
    results: list[Any] = [TimeoutError("has not ended")] * len(calls)
    barrier = threading.Barrier(len(calls))

    def run(place: int) -> None:
        connection.ensure_connection()
        barrier.wait(timeout_seconds)
        try:
            results[place] = calls[place]()
        except Exception as error:
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place,), daemon=True) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout_seconds)
    return results
