"""Settings, all from the environment; .env.example lists each with its default and unit."""

from pathlib import Path
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from curation.difficulty import LARGE_MODEL as S1_LARGE_MODEL
from curation.difficulty import SMALL_MODEL as S1_SMALL_MODEL
from s1web import env

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = env.switch("DEBUG", default=False)
SECRET_KEY = env.text("SECRET_KEY", default="")
ARTIFACT_DIR = env.path("ARTIFACT_DIR", default=BASE_DIR / "artifacts")

INSTALLED_APPS = [
    "s1web",
    "s1web.pool",
    "s1web.selections",
    "s1web.exports",
]

DATABASE_URL = env.text("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 's1web.sqlite3'}")


def _database(url: str) -> dict[str, Any]:
    try:
        config: dict[str, Any] = dict(dj_database_url.parse(url))
    except (ValueError, KeyError) as error:  # UnknownSchemeError is a ValueError
        raise ImproperlyConfigured(
            f"DATABASE_URL cannot be read: {error}; give sqlite:///PATH or postgresql://USER@HOST/NAME"
        ) from None
    if config["ENGINE"] == "django.db.backends.sqlite3":
        config["OPTIONS"] = {
            # a writer waits its turn from the start, so that two of them never deadlock half-way
            "transaction_mode": "IMMEDIATE",
            "timeout": env.integer("SQLITE_TIMEOUT_SECONDS", default=30),
            "init_command": (
                # a checkpoint each 64 MB: an import then puts the indexes' pages in place once for several batches
                "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=16000; PRAGMA synchronous=NORMAL; "
                "PRAGMA cache_size=-65536; PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=67108864"
            ),
        }
    return config


DATABASES = {"default": _database(DATABASE_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

# import: one row's line, one field's text, and how far a compressed file may expand
POOL_MAX_LINE_BYTES = env.integer("POOL_MAX_LINE_BYTES", default=32 * 2**20, minimum=1024)
POOL_MAX_EXPANSION = env.integer("POOL_MAX_EXPANSION", default=200, minimum=2)
POOL_BATCH_ROWS = env.integer("POOL_BATCH_ROWS", default=2_000, minimum=1)
POOL_BATCH_BYTES = env.integer("POOL_BATCH_BYTES", default=8 * 2**20, minimum=1024)

# the models whose attempts are the small and the large grade (s1 section 2.2)
SMALL_MODEL = env.text("SMALL_MODEL", default=S1_SMALL_MODEL)
LARGE_MODEL = env.text("LARGE_MODEL", default=S1_LARGE_MODEL)
