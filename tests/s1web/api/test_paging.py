"""Following `next` visits every item of a list once, in its order; following `previous` goes the same way back."""

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s1web.browse.filters import SORTS
from s1web.browse.queries import matching_pks
from s1web.pool.models import Question
from s1web.selections.models import SelectionMember
from tests.factories import make_job
from tests.s1web.browse.conftest import listing
from tests.s1web.pools import load_rows

from .conftest import ROOT, Caller


def walk(caller: Caller, address: str, direction: str = "next") -> tuple[list[Any], int, str]:
    """(items, pages, the last page's address) from an address on."""
    items: list[Any] = []
    pages = 0
    while True:
        found = caller.read(address)
        items = items + found["items"] if direction == "next" else found["items"] + items
        pages += 1
        assert pages < 500
        if found[direction] is None:
            return items, pages, address
        address = found[direction]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sort=st.sampled_from(SORTS),
    is_turned=st.booleans(),
    condition=st.sampled_from(
        ["", "small=wrong", "large=missing", "selected=yes", "tokens=3000-", "domain=11&domain=05"]
    ),
    limit=st.sampled_from([23, 50, 499]),
)
def test_every_row_comes_once_in_the_order_of_the_page(world, caller, sort, is_turned, condition, limit):
    viewer = caller("viewer")
    query = f"{condition}&sort={'-' if is_turned else ''}{sort}"
    wanted = [pk for piece in matching_pks(listing(query.strip("&"))) for pk in piece]
    hashes = dict(Question.objects.values_list("pk", "question_hash"))
    forward, _, last = walk(viewer, f"questions?{query.strip('&')}&limit={limit}")
    assert [row["question_hash"] for row in forward] == [hashes[pk] for pk in wanted]
    backward, _, _ = walk(viewer, last, "previous")
    assert [row["question_hash"] for row in backward] == [row["question_hash"] for row in forward]
    assert viewer.read(last)["total"] == len(wanted)


@pytest.mark.parametrize("limit", [1, 3, 50, 51, 120])
def test_members_come_in_the_order_of_the_selection(world, caller, limit):
    viewer, run = caller("viewer"), world.runs[0]
    found, pages, _ = walk(viewer, f"selections/{run.selection.name}/questions?limit={limit}")
    members = SelectionMember.objects.filter(selection=run.selection).order_by("position")
    assert [row["question_hash"] for row in found] == list(members.values_list("question__question_hash", flat=True))
    assert [row["position"] for row in found] == list(range(1, 31))
    assert pages == -(-30 // limit)


@pytest.mark.parametrize("limit", [1, 49, 50, 51, 130])
def test_rows_of_a_run_come_once_whatever_the_limit(world, caller, limit):
    run = world.runs[0]
    stage = next(stage for stage in run.ledger if stage["stage"] == "difficulty")
    found, _, _ = walk(caller("viewer"), f"runs/{run.pk}/rows?rule=difficulty&limit={limit}")
    hashes = [row["question_hash"] for row in found]
    assert len(set(hashes)) == len(hashes) == stage["in"] - stage["out"]
    assert {row["rule"] for row in found} == {"difficulty.solved"}


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
def test_the_newest_jobs_come_first_both_ways(db, caller, limit):
    made = [make_job().pk for _ in range(7)]
    viewer = caller("viewer")
    found, _, last = walk(viewer, f"jobs?limit={limit}")
    assert [job["id"] for job in found] == made[::-1]
    back, _, _ = walk(viewer, last, "previous")
    assert [job["id"] for job in back] == made[::-1]


@pytest.mark.parametrize("limit", [4, 7, 50])
def test_the_questions_of_a_change_come_once(world, caller, limit):
    a, b = world.runs
    query = f"compare?a={a.pk}&b={b.pk}"
    viewer = caller("viewer")
    counts = {item["change"]: item["count"] for item in viewer.read(query)["changes"]}
    for change in ("added", "removed", "kept"):
        found, _, _ = walk(viewer, f"compare/questions?a={a.pk}&b={b.pk}&change={change}&limit={limit}")
        assert len({row["question_hash"] for row in found}) == len(found) == counts[change]
    assert counts["added"]


def test_rows_that_come_in_meanwhile_move_nothing(db, tmp_path, caller):
    load_rows(tmp_path, [{"question": f"Q{n}?", "domain": str(n % 3)} for n in range(9)], "early")
    viewer = caller("viewer")
    first = viewer.read("questions?sort=domain&limit=4")
    load_rows(tmp_path, [{"question": f"New {n}?", "domain": "0"} for n in range(5)], "late")
    rest, _, _ = walk(viewer, first["next"])
    hashes = [row["question_hash"] for row in [*first["items"], *rest]]
    early = Question.objects.filter(text__startswith="Q").order_by("domain", "pk")
    wanted = list(early.values_list("question_hash", flat=True))
    assert [found for found in hashes if found in wanted] == wanted
    assert len(hashes) == len(set(hashes))


def test_a_page_keeps_its_limit_and_its_filters(world, caller):
    found = caller("viewer").read("questions?small=wrong&limit=3&sort=-tokens")
    assert found["next"].startswith(f"{ROOT}questions?small=wrong&limit=3&sort=-tokens&cursor=")


def packed(*values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%00",
        "é",
        "=" * 8,
        "A" * 5_000,
        packed("00000000", "f", "1"),
        packed("00000000", "f"),
        packed({}),
        base64.urlsafe_b64encode(b"[" * 3_000).decode(),
    ],
)
def test_a_cursor_that_is_none_gets_one_line(db, caller, cursor):
    answer = caller("viewer").send("GET", f"questions?cursor={cursor}")
    assert answer.status_code == 400
    assert "cursor" in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]


def test_a_cursor_belongs_to_the_list_it_came_from(world, caller):
    viewer = caller("viewer")
    cursor = viewer.read("questions?sort=tokens&limit=2")["next"].rpartition("cursor=")[2]
    for address in ("questions?sort=source", "questions?sort=tokens&small=wrong", "jobs", "runs", "questions"):
        answer = viewer.send("GET", f"{address}{'&' if '?' in address else '?'}cursor={cursor}")
        assert answer.status_code == 400, address
        assert "is not of this list" in answer.json()["detail"]
    assert viewer.read(f"questions?limit=9&sort=tokens&cursor={cursor}")["items"]


@pytest.mark.parametrize("limit", ["0", "501", "-1", "many", "1e2", "9" * 40])
def test_a_limit_beyond_what_is_allowed_gets_one_line(db, caller, limit):
    answer = caller("viewer").send("GET", f"questions?limit={limit}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0].startswith("limit: ")
