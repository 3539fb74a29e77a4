"""Decisions by the API: the rules, the numbers and the history of the pages."""

import pytest

from s1web.jobs.models import Job
from s1web.pool.models import Contamination, ContaminationRuling, Question
from s1web.review.models import ReviewChange, ReviewState
from s1web.selections.ablations import ABLATIONS

from .conftest import World
from .test_problems import problem_of

HARD = "small=wrong&large=wrong"


@pytest.fixture
def hashes(world: World) -> list[str]:
    """Some questions on which nobody has decided."""
    free = Question.objects.filter(review=None).order_by("pk")
    return list(free.values_list("question_hash", flat=True)[:3])


def states() -> dict[str, str]:
    return dict(ReviewState.objects.values_list("question__question_hash", "state"))


def test_picked_questions_get_a_state_and_lose_it_again(hashes, caller):
    reviewer, before = caller("reviewer"), states()
    made = reviewer.send("POST", "review/questions", {"state": "keep", "questions": hashes})
    assert made.status_code == 201
    change = made.json()
    assert (change["num_questions"], change["state"], change["made_by"]) == (3, "keep", "reviewer")
    assert (change["scope"], change["undone_at"]) == ("", None)
    assert states() == before | dict.fromkeys(hashes, "keep")
    assert {row["review"] for row in reviewer.read("questions?review=keep")["items"]} == {"keep"}
    back = reviewer.send("POST", "review/questions", {"state": "none", "questions": hashes[:1]}).json()
    assert (back["state"], back["num_questions"]) == ("none", 1)
    assert states() == before | dict.fromkeys(hashes[1:], "keep")
    assert [item["id"] for item in reviewer.read("review/changes")["items"]][:2] == [back["id"], change["id"]]


def test_one_question_that_is_not_there_and_none_is_decided_on(hashes, caller):
    reviewer, before = caller("reviewer"), states()
    answer = reviewer.send("POST", "review/questions", {"state": "keep", "questions": [*hashes, "f" * 16]})
    assert answer.status_code == 404
    assert "no question 'ffffffffffffffff'" in problem_of(answer)["detail"]
    assert states() == before
    again = {"state": "keep", "questions": hashes}
    assert reviewer.send("POST", "review/questions", again).status_code == 201
    late = reviewer.send("POST", "review/questions", again)
    assert late.status_code == 409
    assert "keep already" in problem_of(late)["detail"]


@pytest.mark.parametrize(
    ("address", "body", "said"),
    [
        ("questions", {"state": "maybe", "questions": ["f" * 16]}, 'state: "maybe" is not a valid choice'),
        ("questions", {"state": "keep", "questions": []}, "questions: This list may not be empty"),
        ("questions", {"state": "keep", "questions": ["f" * 16] * 201}, "no more than 200 elements"),
        ("questions", {"state": "keep", "questions": ["abc\n"]}, "questions.0: "),
        ("questions", {"state": "keep", "query": ""}, "query: is not known here"),
        ("filter", {"state": "keep", "query": HARD}, "confirmed: This field is required"),
        ("filter", {"state": "keep", "query": "colour=red", "confirmed": 1}, "'colour' is no filter"),
        ("filter", {"state": "keep", "query": "after=1", "confirmed": 1}, "after is of the pages alone"),
        ("filter", {"state": "keep", "query": HARD, "confirmed": -1}, "confirmed: "),
    ],
)
def test_a_decision_that_cannot_be_read_is_refused_field_by_field(db, caller, address, body, said):
    answer = caller("admin").send("POST", f"review/{address}", body)
    assert answer.status_code == 400, answer.content
    assert said in problem_of(answer)["detail"]
    assert not ReviewChange.objects.exists()


def test_all_of_a_filter_get_a_state_by_the_number_that_was_seen(world, caller):
    curator, before = caller("curator"), states()
    total = curator.read(f"questions?{HARD}&review=none&limit=1")["total"]
    body = {"state": "drop", "query": f"{HARD}&review=none"}
    for wrong in (0, total - 1, total + 1):
        refused = curator.send("POST", "review/filter", body | {"confirmed": wrong})
        assert refused.status_code == 409
        assert f"{total:,} questions fulfil this filter now" in problem_of(refused)["detail"]
        assert states() == before
    made = curator.send("POST", "review/filter", body | {"confirmed": total}).json()
    assert (made["num_questions"], made["scope"]) == (total, f"{HARD}&review=none")
    assert curator.read(f"questions?{HARD}&review=none&limit=1")["total"] == 0
    undone = curator.send("POST", f"review/changes/{made['id']}/undo").json()
    assert (undone["num_restored"], undone["undone_by"]) == (total, "curator")
    assert undone["undone_at"]
    assert states() == before


def test_a_filter_takes_a_curator_and_others_decisions_do_too(hashes, caller, world):
    body = {"state": "keep", "query": HARD, "confirmed": 1}
    refused = caller("reviewer").send("POST", "review/filter", body)
    assert refused.status_code == 403
    assert "needs the role curator or one above it; yours is reviewer" in problem_of(refused)["detail"]
    foreign = caller("curator").send("POST", "review/questions", {"state": "keep", "questions": hashes}).json()
    refused = caller("reviewer").send("POST", f"review/changes/{foreign['id']}/undo")
    assert refused.status_code == 403
    assert "Taking back what others decided needs the role curator" in problem_of(refused)["detail"]
    assert ReviewChange.objects.get(pk=foreign["id"]).undone_at is None
    own = f"review/changes/{world.names['change_id']}/undo"
    assert caller("reviewer").send("POST", own).status_code == 200
    assert caller("reviewer").send("POST", own).status_code == 409
    assert caller("curator").send("POST", f"review/changes/{foreign['id']}/undo").status_code == 200
    assert caller("curator").send("POST", "review/changes/77777/undo").status_code == 404


def test_a_viewer_gets_no_token_that_decides(db, caller, signed_in):
    assert (
        caller("viewer").send("POST", "review/questions", {"state": "keep", "questions": ["f" * 16]}).status_code
        == 403
    )
    assert 'value="review:write"' not in signed_in("viewer").get("/api/tokens/").content.decode()
    assert 'value="review:write"' in signed_in("reviewer").get("/api/tokens/").content.decode()


def test_evidence_is_overruled_with_a_reason_and_counts_again(world, caller):
    reviewer, name = caller("reviewer"), world.names["overrule_evidence"]
    found = reviewer.read(f"questions/{name}")["contamination"]
    ids = [piece["id"] for piece in found]
    assert ids == list(
        Contamination.objects.filter(question__question_hash=name)
        .order_by("-num_words", "problem_id")
        .values_list("pk", flat=True)
    )
    address = f"questions/{name}/contamination"
    body = {"reason": " a phrase ", "evidence": ids}
    answer = reviewer.send("POST", f"{address}/overrule", body).json()
    assert (answer["num_decided"], answer["is_contaminated"]) == (len(ids), False)
    assert {piece["is_overruled"] for piece in answer["contamination"]} == {True}
    assert answer["contamination"][0]["rulings"][0]["decided_by"] == "reviewer"
    assert answer["contamination"][0]["rulings"][0]["reason"] == "a phrase"
    again = reviewer.send("POST", f"{address}/overrule", body)
    assert again.status_code == 409
    assert "is overruled already" in problem_of(again)["detail"]
    back = reviewer.send("POST", f"{address}/reinstate", {}).json()
    assert (back["num_decided"], back["is_contaminated"]) == (len(ids), True)
    assert len(back["contamination"][0]["rulings"]) == 2


@pytest.mark.parametrize(
    ("what", "body", "status", "said"),
    [
        ("overrule", {}, 400, "reason: This field is required"),
        ("overrule", {"reason": "  "}, 400, "reason: This field may not be blank"),
        ("overrule", {"reason": "x" * 2_001}, 400, "no more than 2000 characters"),
        ("overrule", {"reason": "x", "evidence": []}, 400, "may not be empty"),
        ("overrule", {"reason": "x", "evidence": [999_999]}, 404, "has no evidence 999999"),
        ("reinstate", {}, 404, "no overruled evidence"),
    ],
)
def test_what_cannot_be_decided_of_evidence_is_said(world, caller, what, body, status, said):
    before = ContaminationRuling.objects.count()
    address = f"questions/{world.names['overrule_evidence']}/contamination/{what}"
    answer = caller("reviewer").send("POST", address, body)
    assert answer.status_code == status, answer.content
    assert said in problem_of(answer)["detail"]
    assert ContaminationRuling.objects.count() == before


@pytest.mark.parametrize("what", ["overrule", "reinstate"])
def test_evidence_against_a_question_that_is_not_there(db, caller, what):
    answer = caller("reviewer").send("POST", f"questions/{'f' * 16}/contamination/{what}", {"reason": "x"})
    assert answer.status_code == 404
    assert "the pool has no question" in problem_of(answer)["detail"]


def test_the_ablations_of_a_recipe_are_submitted_at_once(world, caller):
    num_before = Job.objects.count()
    answer = caller("curator").send("POST", "ablations", {"preset": "paper", "size": 25, "seed": 3})
    assert answer.status_code == 202
    group = answer.json()
    assert answer["Location"] == f"/api/v1/ablations/{group['job']}"
    assert [item["method"] for item in group["items"]] == ["", *ABLATIONS]
    assert {item["state"] for item in group["items"]} == {"queued"}
    assert {item["size"] for item in group["items"]} == {None}
    assert Job.objects.count() == num_before + 5
    assert set(Job.objects.filter(parent=group["job"]).values_list("pk", flat=True)) == {
        item["job"] for item in group["items"][1:]
    }
    assert caller("viewer").read(answer["Location"]) == group
    child = caller("viewer").send("GET", f"ablations/{group['items'][1]['job']}")
    assert child.status_code == 404
    assert "has no ablations" in problem_of(child)["detail"]


def test_ablations_of_a_recipe_that_cannot_run_queue_nothing(world, caller):
    num_before = Job.objects.count()
    for body in ({}, {"recipe": "size = ["}, {"preset": "paper", "recipe": "size = 3"}):
        assert caller("curator").send("POST", "ablations", body).status_code == 400
    assert caller("reviewer").send("POST", "ablations", {"preset": "paper"}).status_code == 403
    assert Job.objects.count() == num_before
