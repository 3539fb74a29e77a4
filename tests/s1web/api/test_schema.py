"""The schema is valid OpenAPI, and the running site keeps to it whatever it is sent."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from s1web.api import document
from tests.browser import Site, running_site
from tests.processes import Project

TOKEN = """
from django.contrib.auth.models import User
from s1web.api.scopes import Scope
from s1web.api.tokens import make_token
print(make_token(User.objects.get(username="admin"), "fuzz", Scope.values)[1])
"""


def test_the_schema_is_valid_and_complete():
    from jsonschema.validators import Draft202012Validator
    from schemathesis.openapi import from_dict

    schema = document.schema()
    assert schema["openapi"].startswith("3.1")
    found = from_dict(schema)
    found.validate()
    names = [operation["operationId"] for methods in schema["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names)) == 40
    for name, component in schema["components"]["schemas"].items():
        Draft202012Validator.check_schema(component)
        assert component["properties"], name
    assert json.loads(json.dumps(schema)) == schema


def test_making_the_schema_warns_of_nothing_such_as_two_shapes_of_one_name():
    from drf_spectacular.drainage import GENERATOR_STATS

    document.schema()
    assert not GENERATOR_STATS, GENERATOR_STATS._warn_cache | GENERATOR_STATS._error_cache


def test_the_schema_is_served_to_whoever_is_let_in(client, caller):
    assert client.get("/api/v1/openapi.json").status_code == 401
    assert caller("viewer", ["views:write"]).read("openapi.json") == document.schema()


@pytest.fixture(scope="module")
def site(make_project: Callable[[str], Project], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The demo pool with a run, behind the real server."""
    folder = tmp_path_factory.mktemp("fuzz")
    project = make_project("sqlite")
    project.json_all(
        [
            ["migrate", "--verbosity", "0"],
            ["demo_data", str(folder / "demo"), "--rows", "300"],
        ]
    )
    files = sorted(str(path) for path in (folder / "demo").glob("*pool*"))
    project.json("load_pool", *files)
    project.json("curate", "--preset", "full")
    project.json("create_user", "admin", "--role", "admin")
    with running_site(project, folder) as running:
        yield running


def test_no_request_that_the_schema_allows_or_forbids_breaks_the_site(site: Site, tmp_path: Path) -> None:
    done = site.project.python("manage.py", "shell", "--verbosity", "0", "-c", TOKEN)
    token = done.stdout.strip().splitlines()[-1]
    assert token.startswith("s1w_"), done.stderr
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{site.address}/api/v1/openapi.json"),
        *("-H", f"Authorization: Bearer {token}", "--phases", "examples,coverage,fuzzing"),
        *("--checks", "not_a_server_error,status_code_conformance,content_type_conformance"),
        *("--checks", "response_schema_conformance"),
        *(
            "--warnings",
            "off",
            "--max-examples",
            "4",
            "--seed",
            "1",
            "--generation-database",
            "none",
            "--max-time",
            "25",
        ),
    ]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert found.returncode == 0, found.stdout[-6_000:] + found.stderr[-2_000:]
    assert "Traceback" not in site.log()
