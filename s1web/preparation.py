"""What must be there before the parts of `up` start: folder, broker, tables, secret key, a first user."""

import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.db.migrations.executor import MigrationExecutor

from curation.errors import ConfigError

# name of the lock under which tables are made on PostgreSQL; any number that nothing else uses
_MIGRATION_LOCK = 0x51EC
FIRST_USER = "admin"
_KEY_BYTES, _PASSWORD_BYTES = 50, 12


def check_folder() -> None:
    """See that files can be written below ARTIFACT_DIR.

    Raises:
        ConfigError: they cannot.
    """
    folder: Path = settings.ARTIFACT_DIR
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b".")
    except OSError as error:
        raise ConfigError(
            f"ARTIFACT_DIR={str(folder)!r} cannot be written to ({error.strerror}); give a folder that can, "
            "or the right to write there"
        ) from None


def check_broker() -> None:
    """See that the broker answers, where one is named.

    Raises:
        ConfigError: it does not.
    """
    if not settings.CELERY_BROKER_URL:
        return
    # only with a broker of its own does a command need Celery
    from s1web.celery import app

    with app.connection_for_write() as broker:
        # as_uri() hides a password
        shown = f"the broker CELERY_BROKER_URL={broker.as_uri()}"
        try:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=5)
        except ImportError as error:
            raise ConfigError(f"{shown} needs a package: {error}; pip install 's1web[redis]'") from None
        except Exception as error:  # whatever a transport raises
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise ConfigError(
                f"{shown} does not answer ({reason}); start it, or unset CELERY_BROKER_URL to do without one"
            ) from None


def make_tables() -> bool:
    """Bring the database's tables up to this version; True where something was to do.

    Several hosts and several `up`s may start at once: they take turns, and the first one does it.
    """
    with _migration_turn():
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if missing:
            call_command("migrate", verbosity=0)
        return bool(missing)


@contextmanager
def _migration_turn() -> Iterator[None]:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [_MIGRATION_LOCK])
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_MIGRATION_LOCK])
        return
    path = Path(settings.DATABASES["default"]["NAME"])
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone():
        yield


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other `up`s on this artifact folder out."""
    with (settings.ARTIFACT_DIR / "up.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def secret_key() -> str:
    """SECRET_KEY of the environment, or one that is made once and kept, for its owner alone, in ARTIFACT_DIR.

    Raises:
        ConfigError: the file is empty.
    """
    given = os.environ.get("SECRET_KEY")
    if given:
        return given
    path: Path = settings.ARTIFACT_DIR / "secret_key"
    with _alone():
        if not path.exists():
            # under another name first: it is there whole or not at all
            draft = path.with_suffix(".new")
            draft.touch(mode=0o600)
            draft.write_text(secrets.token_urlsafe(_KEY_BYTES), encoding="ascii")
            draft.replace(path)
    key = path.read_text(encoding="ascii").strip()
    if not key:
        raise ConfigError(f"{path} is empty; delete it, and a new key is made (who is signed in signs in again)")
    return key


def make_first_user() -> str | None:
    """Where there is no user at all, make an admin; its password, which is stored nowhere else, or None."""
    users = get_user_model().objects
    if users.exists():
        return None
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    try:
        users.create_superuser(FIRST_USER, password=password)
    except IntegrityError:
        # another `up` on this database was first
        return None
    return password
