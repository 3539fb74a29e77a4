"""Every operation does what its documentation says: as shown, with the right token, and with no other."""

import json
from typing import Any

import jsonschema
import pytest
from django.http import QueryDict
from django.test import Client

from s1web.api import document
from s1web.api.operations import Example
from s1web.api.scopes import Scope
from s1web.browse.filters import Listing
from s1web.browse.queries import read_page
from s1web.jobs.models import Job

from .conftest import Caller, MakeCaller, World

Operation = tuple[str, str, str, Example]
OPERATIONS = document.examples()


def ids(found: Operation) -> str:
    return found[0]


def address_of(operation: Operation, world: World) -> str:
    """The example's address with the names that this pool has."""
    name, _, path, example = operation
    values = {key: value for key, value in world.names.items() if "{" + key + "}" in path}
    if name == "delete_view":
        values["name"] = "hard"
    if name == "read_stability":
        values["job_id"] = str(Job.objects.get(kind="seed_stability").pk)
    if name == "read_ablations":
        values["job_id"] = str(Job.objects.get(kind="curate", title="ablations").pk)
    if name in ("overrule_evidence", "reinstate_evidence"):
        values["question_hash"] = world.names[name]
    address = example.address(path, **values)
    return address.replace("a=1&b=2", f"a={world.runs[0].pk}&b={world.runs[1].pk}")


def body_of(operation: Operation, world: World) -> Any:
    """The example's body with a question and a number that this pool has."""
    body = operation[3].body
    if operation[0] == "decide_on_questions":
        return body | {"questions": [world.names["question_hash"]]}
    if operation[0] == "decide_on_filter":
        return body | {"confirmed": read_page(Listing.parse(QueryDict(body["query"]))).total}
    return body


def send(caller: Client, operation: Operation, world: World) -> Any:
    method, body = operation[1], body_of(operation, world)
    return Caller.send(caller, method, address_of(operation, world), body)  # type: ignore[arg-type]


def answer_schema(operation: Operation) -> tuple[int, str, dict[str, Any]]:
    """Status, media type and schema of the answer that is documented."""
    _, method, path, _ = operation
    found = document.schema()["paths"][path][method.lower()]["responses"]
    status = next(code for code in found if code < "400")
    media_type, content = next(iter(found[status].get("content", {"": {"schema": {}}}).items()))
    return int(status), media_type, {**content["schema"], "components": document.schema()["components"]}


@pytest.mark.parametrize("operation", OPERATIONS, ids=ids)
def test_the_documented_example_runs_and_answers_what_is_documented(operation, world, caller):
    status, media_type, schema = answer_schema(operation)
    answer = send(caller("admin"), operation, world)
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    assert answer.status_code == status, body
    if status == 204:
        assert body == b""
    elif media_type == "application/x-ndjson":
        assert answer["Content-Type"] == media_type
        lines = [json.loads(line) for line in body.decode().splitlines()]
        assert lines
        if schema.get("$ref"):
            for line in lines:
                jsonschema.validate(line, schema)
    else:
        assert answer["Content-Type"] == "application/json"
        found = json.loads(body)
        jsonschema.validate(found, schema)
        assert found.get("items", True), "the example shows an empty list"


@pytest.mark.parametrize("operation", OPERATIONS, ids=ids)
def test_without_a_token_there_is_a_401_that_says_what_to_send(operation, world):
    answer = send(Client(), operation, world)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer["Content-Type"] == "application/problem+json"
    assert "Authorization: Bearer" in answer.json()["detail"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=ids)
def test_with_every_scope_but_its_own_there_is_a_403_that_names_it(operation, world, caller):
    schema = document.schema()["paths"][operation[2]][operation[1].lower()]
    needed = schema["x-scope"]
    if needed == "by the kind of job":
        needed = Scope.CURATE.value  # of the job in the example
    answer = send(caller("admin", [scope for scope in Scope.values if scope != needed]), operation, world)
    assert answer.status_code == 403
    assert f"needs the scope {needed}" in answer.json()["detail"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=ids)
def test_every_operation_says_what_it_does_takes_and_refuses(operation):
    found = document.schema()["paths"][operation[2]][operation[1].lower()]
    assert found["summary"]
    assert found["description"]
    assert {"401", "403", "429"} <= found["responses"].keys()
    for parameter in found.get("parameters", ()):
        assert parameter.get("description"), parameter["name"]
    for status, response in found["responses"].items():
        if status >= "400":
            assert response["content"].keys() == {"application/problem+json"}


def test_what_a_token_may_falls_with_the_role_of_its_user(world, caller, make_user):
    operator = caller("operator")
    assert operator.send("GET", "questions.jsonl").status_code == 200
    from s1web.roles import set_role

    set_role(make_user("operator"), "viewer")
    answer = operator.send("GET", "questions.jsonl")
    assert answer.status_code == 403
    assert "needs the role operator or one above it; yours is viewer" in answer.json()["detail"]
    assert operator.send("GET", "questions").status_code == 200


@pytest.mark.parametrize(
    ("address", "num_items"), [("questions", 60), ("runs/{run_id}/rows?rule=difficulty.solved", 60)]
)
def test_the_number_of_queries_does_not_grow_with_the_rows(
    address, num_items, world: World, caller: MakeCaller, django_assert_max_num_queries
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    path = address.format(**world.names)
    viewer = caller()
    viewer.read(path)
    counts = []
    for limit in (2, 50):
        with CaptureQueriesContext(connection) as queries:
            found = viewer.read(f"{path}{'&' if '?' in path else '?'}limit={limit}")
        assert len(found["items"]) == limit
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("path", ["questions/{question_hash}", "questions/{question_hash}/traces/{trace_id}", "jobs"])
def test_one_thing_takes_a_handful_of_queries(path, world, caller, django_assert_max_num_queries):
    viewer = caller()
    viewer.read(path.format(**world.names))
    with django_assert_max_num_queries(24):
        viewer.read(path.format(**world.names))
