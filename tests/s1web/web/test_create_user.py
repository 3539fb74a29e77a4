"""create_user: who may sign in, and with which role."""

import io
import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import ManagementUtility

from s1web.roles import role_of
from tests.processes import Project

LONG = "one-long-password-of-words"
Create = Callable[..., tuple[int, str, str]]


@pytest.fixture
def create(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], db: None) -> Create:
    """Runs `manage.py create_user ARGUMENTS`; returns exit code, standard output and standard error."""

    def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["manage.py", "create_user", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        try:
            ManagementUtility().execute()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def role_with(name: str, password: str) -> str | None:
    """The role of who signs in so; None where name and password do not fit."""
    user = authenticate(username=name, password=password)
    role = role_of(user) if user else None
    return role.value if role else None


def test_a_new_user_gets_a_password_that_is_printed_once_and_fits(create: Create):
    code, out, err = create("ada", "--role", "curator", "--json")
    made = json.loads(out)
    assert (code, err) == (0, "")
    assert made == {"name": "ada", "role": "curator", "new": True, "password": made["password"]}
    assert len(made["password"]) >= 16
    assert role_with("ada", made["password"]) == "curator"


def test_without_a_role_a_new_user_is_a_viewer(create: Create):
    code, out, _ = create("grace")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "user grace made, role viewer"
    assert role_with("grace", lines[1].removeprefix("password: ")) == "viewer"


def test_two_users_get_different_passwords(create: Create):
    passwords = [json.loads(create(name, "--json")[1])["password"] for name in ("one", "two")]
    assert passwords[0] != passwords[1]


def test_a_role_can_be_changed_and_the_password_stays(create: Create):
    password = json.loads(create("emmy", "--role", "admin", "--json")[1])["password"]
    changed = json.loads(create("emmy", "--role", "reviewer", "--json")[1])
    assert changed == {"name": "emmy", "role": "reviewer", "new": False, "password": None}
    assert role_with("emmy", password) == "reviewer"


def test_a_password_given_on_standard_input_is_set_and_never_printed(create: Create):
    for is_new, password in ((True, LONG), (False, f"{LONG}-2")):
        code, out, err = create("sonja", "--password-stdin", "--json", stdin=f"{password}\n")
        assert code == 0, err
        assert json.loads(out) == {"name": "sonja", "role": "viewer", "new": is_new, "password": None}
        assert LONG not in out + err
        assert role_with("sonja", password) == "viewer"
    assert role_with("sonja", LONG) is None


@pytest.mark.parametrize(
    ("arguments", "stdin", "line"),
    [
        (("a/b",), "", "user name 'a/b': Enter a valid username."),
        (("x" * 151,), "", "at most 150 characters"),
        (("hildegard", "--role", "king"), "", "invalid choice: 'king' (choose from"),
        (("hildegard", "--password-stdin"), "", "--password-stdin: standard input holds no line"),
        (("hildegard", "--password-stdin"), "12345\n", "this password is refused: This password is too short."),
        (("hildegard", "--password-stdin"), "hildegard1\n", "The password is too similar to the username."),
        (("known",), "", "user 'known' is there; give --role or --password-stdin to change it"),
        (("known", "--role", "admin", "--password-stdin"), "short\n", "this password is refused"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(create: Create, arguments, stdin, line):
    create("known")
    before = list(User.objects.values_list("username", "password", "groups__name"))
    code, out, err = create(*arguments, stdin=stdin)
    assert (code, out) == (1, "")
    assert line in err
    assert err.count("\n") == 1
    assert list(User.objects.values_list("username", "password", "groups__name")) == before


def test_a_database_made_before_there_were_users_says_to_migrate(tmp_path: Path):
    project = Project(f"sqlite:///{tmp_path / 'old.sqlite3'}", tmp_path / "artifacts")
    sqlite3.connect(project.sqlite_path).execute("CREATE TABLE old (x)")
    done = project.run("create_user", "ada")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("run: python manage.py migrate\n")
