"""Static files, as the real server answers for them."""

import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest
from django.templatetags.static import static

from s1web import staticfiles
from tests.browser import Site, running_site
from tests.processes import ROOT

CSS = "css/tokens.css"


def get(address: str) -> tuple[int, Message, bytes]:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_a_file_under_its_digest_is_kept_for_good(live_site: Site):
    _, _, page = get(f"{live_site.address}/sign-in/")
    address = re.search(rb'href="(/static/[0-9a-f]{12}/css/tokens.css)"', page)
    assert address
    status, headers, body = get(live_site.address + address[1].decode())
    assert status == 200
    assert body == (ROOT / "s1web" / "static" / CSS).read_bytes()
    assert headers["Content-Type"] == 'text/css; charset="utf-8"'
    assert "immutable" in headers["Cache-Control"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers


def test_a_file_under_its_plain_name_is_asked_for_again(live_site: Site):
    status, headers, _ = get(f"{live_site.address}/static/{CSS}")
    assert status == 200
    assert headers["Cache-Control"] == "max-age=0, public"


@pytest.mark.parametrize(
    "path",
    [
        "css",
        "css/",
        "css/none.css",
        "css/tokens.css%00",
        "../s1web/settings.py",
        "..%2fsettings.py",
        "..%2f..%2fmanage.py",
        "%2fetc%2fpasswd",
        "000000000000/css/tokens.css",
    ],
)
def test_nothing_else_is_served(live_site: Site, path):
    status, _, body = get(f"{live_site.address}/static/{path}")
    assert status == 404
    assert b"There is no such page" in body


def test_only_what_browsers_load_of_a_package_is_served():
    served = {name for name, _path in staticfiles.files() if name.startswith("lib/")}
    assert {"lib/htmx/htmx.min.js", "lib/katex/katex.min.js"} <= served
    assert {name.split("/")[1] for name in served} == {"htmx", "katex"}
    assert not [name for name in served if Path(name).name == "package.json" or "node_modules" in name]


def test_the_digest_changes_with_any_file_and_with_nothing_else(settings, tmp_path: Path):
    def digest_of(**contents: str) -> str:
        staticfiles.snapshot.cache_clear()
        for name, text in contents.items():
            (tmp_path / f"{name}.css").write_text(text, encoding="utf-8")
        return staticfiles.snapshot().digest

    settings.STATICFILES_DIRS = [tmp_path]
    try:
        first = digest_of(a="one", b="two")
        assert digest_of() == first
        assert digest_of(b="three") != first
        assert digest_of(b="two") == first
        (tmp_path / "b.css").rename(tmp_path / "c.css")
        assert digest_of() != first
    finally:
        staticfiles.snapshot.cache_clear()


def test_while_developing_addresses_are_plain(settings):
    assert re.fullmatch(r"/static/[0-9a-f]{12}/css/tokens.css", static(CSS))
    settings.DEBUG = True
    assert static(CSS) == "/static/css/tokens.css"


@pytest.fixture
def copied_site(live_site: Site, tmp_path: Path) -> Iterator[Site]:
    """A site whose code is a copy, so that a test may change its files."""
    for name in ("s1web", "curation", "inference", "training", "workers"):
        shutil.copytree(ROOT / name, tmp_path / "code" / name, ignore=shutil.ignore_patterns("__pycache__"))
    with running_site(live_site.project, tmp_path, code=tmp_path / "code") as site:
        yield site


def test_a_file_that_changes_under_a_running_server_is_sent_whole_and_not_kept(copied_site: Site, tmp_path: Path):
    _, _, page = get(f"{copied_site.address}/sign-in/")
    address = re.search(rb'href="(/static/[0-9a-f]{12}/css/tokens.css)"', page)
    assert address
    url = copied_site.address + address[1].decode()
    assert "immutable" in get(url)[1]["Cache-Control"]
    file = tmp_path / "code" / "s1web" / "static" / CSS
    for text in ("/* shorter */", "/* longer */" * 2_000):
        file.write_text(text, encoding="utf-8")
        status, headers, body = get(url)
        assert (status, body.decode()) == (200, text)
        assert headers["Cache-Control"] == "max-age=0, public"
    assert "Traceback" not in copied_site.log()
