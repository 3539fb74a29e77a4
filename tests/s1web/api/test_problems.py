"""Whatever goes wrong is one line of JSON: never a page, never a traceback."""

import json

import pytest
from django.db import OperationalError

from s1web.jobs.models import Job
from tests.factories import make_job
from tests.s1web.pools import load_rows

from .conftest import Caller

NOBODY = "f" * 16


def problem_of(answer) -> dict:
    """The body of a problem, whose form is checked."""
    assert answer["Content-Type"] == "application/problem+json", answer.content[:300]
    body = json.loads(answer.content)
    assert body["status"] == answer.status_code
    assert body["type"] == "about:blank"
    assert body["title"]
    assert body["detail"]
    assert "\n" not in body["detail"]
    assert "Traceback" not in body["detail"]
    return body


@pytest.mark.parametrize(
    ("method", "address", "status", "said"),
    [
        ("GET", "nothing", 404, "nothing at this address"),
        ("GET", "/api/v1/", 404, "nothing at this address"),
        ("GET", "questions/", 404, "nothing at this address"),
        ("GET", "questions/UPPER", 404, "nothing at this address"),
        ("GET", f"questions/{NOBODY}", 404, f"the pool has no question '{NOBODY}'"),
        ("GET", f"questions/{NOBODY}/neighbours", 404, "the pool has no question"),
        ("GET", f"questions/{NOBODY}/traces/1", 404, "has no trace 1"),
        ("GET", "runs/77", 404, "no run 77"),
        ("GET", "runs/999999999999999999", 404, "no run 999999999999999999"),
        ("GET", "runs/9999999999999999999", 404, "nothing at this address"),
        ("GET", "selections/none", 404, "no selection 'none'"),
        ("GET", "selections/%00", 400, "U+0000"),
        ("GET", "jobs/77", 404, "there is no job 77"),
        ("GET", "jobs/77/cancel", 405, 'Method "GET" not allowed'),
        ("POST", "jobs/77/explode", 404, "nothing at this address"),
        ("GET", "map", 404, "no map was drawn yet"),
        ("GET", "map/points.jsonl", 404, "no map was drawn yet"),
        ("GET", "stability/3", 404, "no job 3 of kind seed_stability"),
        ("GET", "domains/agreement?first=a&second=b", 404, "no method 'a'"),
        ("GET", "domains/agreement", 400, "first: This field is required."),
        ("GET", "compare?a=1&b=x", 400, "b: A valid integer is required."),
        ("GET", "compare?a=1&b=2", 404, "no run 1"),
        ("GET", "questions?colour=red", 400, "'colour' is no filter"),
        ("GET", "questions?small=maybe", 400, "small='maybe' is not known; allowed are right, wrong, missing"),
        ("GET", "questions?after=1", 400, "after is of the pages alone"),
        ("GET", "questions?selection=none", 404, "no selection 'none'"),
        ("GET", "questions?q=a%00b", 400, "U+0000"),
        ("GET", "questions.jsonl?small=maybe", 400, "small='maybe' is not known"),
        ("GET", "jobs?colour=red", 400, "colour: is not known here; there are"),
        ("GET", "jobs?state=asleep", 400, "state: "),
        ("DELETE", "questions", 405, 'Method "DELETE" not allowed'),
        ("PUT", "views", 405, 'Method "PUT" not allowed'),
        ("OPTIONS", "questions", 405, 'Method "OPTIONS" not allowed'),
        ("DELETE", "views/none", 404, "you have no view 'none'"),
    ],
)
def test_what_is_not_there_or_not_allowed_is_said_in_one_line(db, caller, method, address, status, said):
    answer = caller("admin").send(method, address)
    assert answer.status_code == status, answer.content
    assert said in problem_of(answer)["detail"]


@pytest.mark.parametrize(
    ("address", "body", "status", "said"),
    [
        ("preview", {}, 400, "give preset or recipe"),
        ("preview", {"preset": "paper", "recipe": "size = 3"}, 400, "give preset or recipe"),
        ("preview", {"preset": "best"}, 400, "preset: "),
        ("preview", {"recipe": "size = ["}, 400, "recipe"),
        ("preview", {"preset": "paper", "sise": 3}, 400, "sise: is not known here"),
        ("preview", {"preset": "paper", "size": 0}, 400, "size: "),
        ("views", {"name": "x", "query": "colour=red"}, 400, "'colour' is no filter"),
        ("views", {"name": "a\x00", "query": ""}, 400, "U+0000"),
        ("jobs", {"kind": "coffee"}, 400, "kind: "),
        (
            "jobs",
            {"kind": "curate", "params": {"flavour": 1}},
            400,
            "params.flavour: is no parameter; there are preset",
        ),
        ("jobs", {"kind": "curate", "params": {"preset": "best"}}, 400, "params.preset: Select a valid choice"),
        ("jobs", {"kind": "curate", "params": {"preset": {"a": 1}}}, 400, "params.preset: is an object"),
        (
            "jobs",
            {"kind": "curate", "params": {"preset": "paper"}, "caps": {"tea": 1}},
            400,
            "cap 'tea' is no resource",
        ),
        ("jobs", {"kind": "curate", "params": {"preset": "paper"}, "caps": {"seconds": 1}}, 400, "send confirm true"),
        (
            "jobs",
            {"kind": "load_pool", "params": {"pool_files": ["/etc/passwd"]}},
            400,
            "is no file below the import folder",
        ),
        ("jobs/plan", {"kind": "export_selection", "params": {"selection": "none"}}, 400, "params.selection: "),
    ],
)
def test_a_body_that_cannot_be_used_is_refused_field_by_field(db, caller, address, body, status, said):
    answer = caller("admin").send("POST", address, body)
    assert answer.status_code == status, answer.content
    assert said in problem_of(answer)["detail"]
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"{", "the body is no JSON"),
        (b"[1]", "the body is no JSON object"),
        (b'"x"', "the body is no JSON object"),
        (b'{"a": NaN}', "NaN is no number of JSON"),
        (b"\xff\xfe{", "the body is no text in UTF-8"),
        (b'{"name": "\\ud800", "query": ""}', "the body is no text in UTF-8"),
        (b'{"a":' * 30_000, "the body is "),
        (b"{" + b'"a":' + b"1" * 6_000 + b"}", "the body is no JSON"),
    ],
)
def test_a_body_that_is_no_object_of_json_is_refused(db, caller, raw, said):
    answer = caller("admin").generic("POST", "/api/v1/views", raw, content_type="application/json")
    assert answer.status_code == 400
    assert said in problem_of(answer)["detail"]


def test_a_text_that_only_looks_like_a_null_is_taken(db, caller):
    body = {"name": "back\\u0000slash", "query": ""}
    assert caller("viewer").send("POST", "views", body).status_code == 201


def test_another_kind_of_body_and_one_too_large_are_refused(db, caller):
    admin = caller("admin")
    answer = admin.generic("POST", "/api/v1/views", b"name=x", content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 415
    problem_of(answer)
    answer = admin.generic("POST", "/api/v1/views", b" " * (3 * 2**20), content_type="application/json")
    assert answer.status_code == 413
    assert "send less than 2.5 MB" in problem_of(answer)["detail"]


def test_a_fault_in_the_program_says_nothing_but_that(db, caller, monkeypatch, caplog):
    def fail() -> None:
        raise RuntimeError("the secret is swordfish")

    monkeypatch.setattr("s1web.api.routes.pool.count_pool", fail)
    answer = caller("viewer").send("GET", "pool")
    assert answer.status_code == 500
    assert "swordfish" not in answer.content.decode()
    assert "fault in the program" in problem_of(answer)["detail"]
    assert "swordfish" in caplog.text


def test_a_busy_database_asks_to_come_back(db, caller, monkeypatch):
    def fail() -> None:
        raise OperationalError("database is locked")

    from django.db import connection

    monkeypatch.setattr("s1web.api.routes.pool.count_pool", fail)
    monkeypatch.setattr(connection, "vendor", "sqlite")
    answer = caller("viewer").send("GET", "pool")
    assert answer.status_code == 503
    assert answer["Retry-After"] == "2"
    problem_of(answer)


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*", "nonsense"])
def test_whatever_is_accepted_json_is_sent(db, accept):
    client = Caller("s1w_x")
    answer = client.get("/api/v1/pool", headers={"Accept": accept})
    assert answer.status_code == 401
    problem_of(answer)


def test_hostile_text_comes_back_as_data(db, caller, tmp_path):
    hostile = "<script>alert(1)</script>\u202e\"'&\u2028 \\u003c"
    load_rows(tmp_path, [{"question": hostile, "source_type": hostile, "solution": hostile, "domain": hostile}])
    viewer = caller("operator")
    (row,) = viewer.read("questions")["items"]
    assert row["text"].strip() == hostile.strip()
    assert row["source"] == row["domain"] == hostile
    answer = viewer.send("GET", f"questions/{row['question_hash']}")
    assert answer["Content-Type"] == "application/json"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer.json()["solution"] == hostile
    lines = b"".join(viewer.send("GET", "questions.jsonl").streaming_content).decode().split("\n")
    assert json.loads(lines[0])["source"] == hostile
    refused = viewer.send("GET", "questions?source=%3Cscript%3E%ED%A0%80")
    assert refused.status_code == 400
    assert "<script>" in problem_of(refused)["detail"]


def test_an_unchanged_pool_is_not_sent_again(db, caller, tmp_path):
    load_rows(tmp_path, [{"question": "One?"}], "one")
    viewer = caller("viewer")
    first = viewer.send("GET", "questions?sort=tokens")
    assert "private" in first["Cache-Control"]
    again = viewer.get("/api/v1/questions?sort=tokens", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = viewer.get("/api/v1/questions?sort=source", headers={"If-None-Match": first["ETag"]})
    assert other.status_code == 200
    load_rows(tmp_path, [{"question": "Two?"}], "two")
    changed = viewer.get("/api/v1/questions?sort=tokens", headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    assert changed.json()["total"] == 2


def test_a_job_of_somebody_else_is_steered_by_roles(db, caller, make_user):
    job = make_job("queued", kind="curate", created_by=make_user("admin"))
    refused = caller("curator").send("POST", f"jobs/{job.pk}/cancel", {})
    assert refused.status_code == 403
    assert "needs the role operator" in problem_of(refused)["detail"]
    own = make_job("queued", kind="curate", created_by=make_user("viewer"))
    assert caller("viewer").send("POST", f"jobs/{own.pk}/cancel", {}).status_code == 202
    late = caller("operator").send("POST", f"jobs/{own.pk}/cancel", {})
    assert late.status_code == 409
    problem_of(late)
