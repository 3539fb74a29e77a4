"""The server's entry: `uvicorn s1web.asgi:application`. Static files are answered before Django is asked."""

import os
import sys
from collections.abc import Iterator
from wsgiref.headers import Headers

from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured
from servestatic.asgi import ServeStaticASGI

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "s1web.settings")
django_application = get_asgi_application()

# what is below reads settings, which are ready from here on
from django.conf import settings  # noqa: E402
from django.contrib.staticfiles import finders  # noqa: E402

from s1web import staticfiles  # noqa: E402


class SiteFiles(ServeStaticASGI):  # type: ignore[misc]
    """The files of each app and package where they lie, by the digest that templates write or by the plain name.

    They are looked up for each request: one that changed under a running server is sent as it is now.
    """

    def candidate_paths_for_url(self, url: str) -> Iterator[str]:
        if url.startswith(settings.STATIC_URL):
            name = url.removeprefix(settings.STATIC_URL).removeprefix(f"{staticfiles.snapshot().digest}/")
            path = finders.find(name)
            if path:
                yield path


def _is_kept_for_good(path: str, url: str) -> bool:
    return url.startswith(f"{settings.STATIC_URL}{staticfiles.snapshot().digest}/") and staticfiles.is_unchanged(path)


def _forbid_sniffing(headers: Headers, _path: str, _url: str) -> None:
    headers["X-Content-Type-Options"] = "nosniff"


try:
    # Django asks for the key only where one is used: the first sign-in would fail instead of the start
    _ = settings.SECRET_KEY
except ImproperlyConfigured:
    sys.exit(
        "SECRET_KEY is empty, and a web server signs its sessions with it: set it to a long random text of your own, "
        'such as what this prints: python -c "import secrets; print(secrets.token_urlsafe(50))"'
    )
application = SiteFiles(
    django_application,
    autorefresh=True,
    max_age=0,
    allow_all_origins=False,
    add_headers_function=_forbid_sniffing,
    immutable_file_test=_is_kept_for_good,
)
