"""What the environment decides of the web process, seen in processes of their own."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks

from s1web.checks import front_end_packages_are_there
from tests.processes import ROOT, Project

WANTED = (
    "ALLOWED_HOSTS",
    "CSRF_TRUSTED_ORIGINS",
    "SECURE_SSL_REDIRECT",
    "SESSION_COOKIE_SECURE",
    "CSRF_COOKIE_SECURE",
    "SECURE_HSTS_SECONDS",
    "SESSION_COOKIE_AGE",
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(f"sqlite:///{tmp_path / 'pool.sqlite3'}", tmp_path / "artifacts")


def read(project: Project, **environment: str) -> dict[str, Any]:
    code = (
        f"import os, json; os.environ.update({environment!r})\nfrom django.conf import settings\n"
        f"print(json.dumps({{name: getattr(settings, name) for name in {WANTED!r}}}))"
    )
    done = project.python("-c", code)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def start(project: Project, **environment: str):
    """Loads the server's entry as an ASGI server does."""
    code = f"import os; os.environ.update({environment!r})\nimport s1web.asgi\nprint('up')"
    return project.python("-c", code)


def test_without_settings_the_site_is_for_this_machine_and_unencrypted(project: Project):
    assert read(project) == {
        "ALLOWED_HOSTS": ["localhost", "127.0.0.1", "[::1]"],
        "CSRF_TRUSTED_ORIGINS": [],
        "SECURE_SSL_REDIRECT": False,
        "SESSION_COOKIE_SECURE": False,
        "CSRF_COOKIE_SECURE": False,
        "SECURE_HSTS_SECONDS": 0,
        "SESSION_COOKIE_AGE": 14 * 24 * 3600,
    }


def test_an_encrypted_address_turns_on_all_that_needs_it(project: Project):
    found = read(project, PUBLIC_URL="https://s1.example.org:8443/", ALLOWED_HOSTS="inside, 10.0.0.5")
    assert found["ALLOWED_HOSTS"] == ["inside", "10.0.0.5", "s1.example.org"]
    assert found["CSRF_TRUSTED_ORIGINS"] == ["https://s1.example.org:8443"]
    assert found["SECURE_SSL_REDIRECT"] is found["SESSION_COOKIE_SECURE"] is found["CSRF_COOKIE_SECURE"] is True
    assert found["SECURE_HSTS_SECONDS"] > 0


def test_an_unencrypted_public_address_is_trusted_and_no_more(project: Project):
    found = read(project, PUBLIC_URL="http://s1.example.org")
    assert found["CSRF_TRUSTED_ORIGINS"] == ["http://s1.example.org"]
    assert found["SESSION_COOKIE_SECURE"] is found["SECURE_SSL_REDIRECT"] is False
    assert found["SECURE_HSTS_SECONDS"] == 0


@pytest.mark.parametrize(
    "address", ["s1.example.org", "ftp://s1.example.org", "https://", "https://s1.example.org/sub"]
)
def test_a_public_address_that_is_none_is_one_line(project: Project, address):
    code = f"import os, runpy, sys; os.environ['PUBLIC_URL'] = {address!r}; sys.argv = ['manage.py', 'check']\n"
    done = project.python("-c", code + "runpy.run_path('manage.py', run_name='__main__')")
    assert done.returncode == 1
    line = (
        f"PUBLIC_URL='{address}' is no address of a site; give a scheme and a host, such as https://s1.example.org\n"
    )
    assert done.stderr == line


def test_a_server_behind_an_encrypted_address_sends_there_but_for_health(settings, client, db):
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/")["Location"] == "https://testserver/"
    assert client.get("/health/").status_code == 200


@pytest.mark.parametrize("debug", ["on", "off"])
def test_a_server_without_a_secret_key_refuses_in_one_line_that_says_how_to_make_one(project: Project, debug):
    done = start(project, DEBUG=debug)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("SECRET_KEY is empty")
    assert done.stderr.count("\n") == 1
    command = re.search(r'python -c ("[^"]+")', done.stderr)
    assert command
    made = project.python("-c", command[1].strip('"'))
    assert len(made.stdout.strip()) >= 50
    assert start(project, SECRET_KEY=made.stdout.strip()).stdout == "up\n"


def test_commands_need_no_secret_key(project: Project):
    assert project.run("migrate", "--verbosity", "0").returncode == 0
    assert project.run("check").returncode == 0


def test_missing_front_end_packages_are_a_warning_that_says_what_to_run(settings, tmp_path: Path):
    settings.FRONT_END_PACKAGES = [("lib/htmx", tmp_path / "missing")]
    (warning,) = front_end_packages_are_there()
    assert warning.id == "s1web.W001"
    assert str(tmp_path / "missing") in warning.msg
    assert "make setup" in str(warning.hint)
    assert warning in run_checks()


def test_with_the_packages_there_is_no_warning():
    assert front_end_packages_are_there() == []


def test_front_end_packages_are_pinned_exactly_and_name_no_registry():
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    lock_text = (ROOT / "package-lock.json").read_text(encoding="utf-8")
    lock = json.loads(lock_text)["packages"]
    wanted = package["dependencies"] | package["devDependencies"]
    assert wanted
    for name, version in wanted.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name} is not pinned: {version}"
        assert lock[f"node_modules/{name}"]["version"] == version
    assert all(entry.get("integrity") for place, entry in lock.items() if place)
    assert "resolved" not in lock_text
    # who maintains a package may be paid at an address; nothing is fetched from one
    fetched = [value for entry in lock.values() for name, value in entry.items() if name != "funding"]
    assert "://" not in json.dumps(fetched)
