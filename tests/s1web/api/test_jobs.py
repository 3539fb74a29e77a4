"""Jobs by the API: planned without a trace, submitted like from a form, steered by the same rights."""

import pytest

from curation.presets import PRESETS, recipe_from_toml
from s1web.api.scopes import Scope, scope_for_kind
from s1web.jobs import rights
from s1web.jobs.forms import FORMS
from s1web.jobs.kinds import KINDS
from s1web.jobs.models import Job
from tests.factories import make_job
from tests.s1web.jobs.pages import NEEDS, WORKS, work_job

CURATE = {"kind": "curate", "params": {"preset": "paper", "size": 40, "seed": 7, "name": "mine"}}


def test_a_plan_changes_nothing(demo_pool, caller):
    answer = caller("curator").send("POST", "jobs/plan", CURATE)
    assert answer.status_code == 200
    plan = answer.json()
    assert plan["total"] > 0
    assert plan["unit"] == "questions"
    assert plan["outlook"]["num_workers"] == 0
    assert "no worker listens on queue cpu" in plan["outlook"]["line"]
    assert not Job.objects.exists()


@pytest.mark.parametrize(("confirm", "state"), [(False, "planned"), (True, "queued")])
def test_a_job_is_submitted_with_what_was_said(demo_pool, caller, make_user, confirm, state):
    curator = caller("curator")
    answer = curator.send("POST", "jobs", CURATE | {"confirm": confirm})
    assert answer.status_code == 202
    job = Job.objects.get()
    assert answer["Location"] == f"/api/v1/jobs/{job.pk}"
    assert job.state == state
    assert job.created_by == make_user("curator")
    recipe = recipe_from_toml(job.params["recipe"])
    assert (recipe.size, recipe.seed, job.params["name"]) == (40, 7, "mine")
    assert recipe.take_whole == PRESETS["paper"].take_whole
    found = curator.read(answer["Location"])
    assert found == answer.json()
    assert found["id"] == job.pk
    assert found["result"] is None


def test_what_is_left_out_is_what_the_form_starts_with(db, caller):
    answer = caller("operator").send("POST", "jobs", {"kind": "trial_cpu"})
    assert answer.status_code == 202
    assert Job.objects.get().params == {"seconds": 10}


def test_caps_go_with_the_confirmation(db, caller):
    operator = caller("operator")
    body = {"kind": "trial_cpu", "params": {"seconds": 3}, "confirm": True, "caps": {"seconds": 2}}
    assert operator.send("POST", "jobs", body).json()["caps"] == {"seconds": 2}
    planned = make_job("planned")
    refused = operator.send("POST", f"jobs/{planned.pk}/confirm", {"caps": {"seconds": -1}})
    assert refused.status_code == 400
    taken = operator.send("POST", f"jobs/{planned.pk}/confirm", {"caps": {"seconds": 9}})
    assert (taken.json()["state"], taken.json()["caps"]) == ("queued", {"seconds": 9})
    refused = operator.send("POST", f"jobs/{planned.pk}/pause", {"caps": {"seconds": 9}})
    assert "pause takes no caps" in refused.json()["detail"]


@pytest.mark.parametrize("action", ["confirm", "pause", "resume", "retry", "cancel"])
def test_what_is_done_to_a_job_needs_its_state_its_scope_and_its_role(db, caller, action):
    before, after = WORKS[action]
    job = work_job(before)
    weaker = {"curator": "reviewer", "operator": "curator"}[NEEDS[action]]
    assert caller(weaker).send("POST", f"jobs/{job.pk}/{action}", {}).status_code == 403
    others = [scope.value for scope in Scope if scope is not Scope.JOBS_WRITE]
    assert caller("admin", others).send("POST", f"jobs/{job.pk}/{action}", {}).status_code == 403
    job.refresh_from_db()
    assert job.state == before
    answer = caller(NEEDS[action]).send("POST", f"jobs/{job.pk}/{action}", {})
    assert (answer.status_code, answer.json()["state"]) == (202, after)
    done = work_job("done")
    assert caller("admin").send("POST", f"jobs/{done.pk}/{action}", {}).status_code == 409


@pytest.mark.parametrize("kind", sorted(FORMS))
def test_each_kind_needs_its_own_scope_and_its_role(db, caller, kind):
    needed = scope_for_kind(kind)
    others = [scope.value for scope in Scope if scope is not needed]
    for address in ("jobs", "jobs/plan"):
        answer = caller("admin", others).send("POST", address, {"kind": kind})
        assert answer.status_code == 403
        assert f"needs the scope {needed.value}" in answer.json()["detail"]
        answer = caller("reviewer").send("POST", address, {"kind": kind})
        assert answer.status_code == 403
    assert not Job.objects.exists()


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(FORMS)))
def test_a_kind_without_a_form_is_not_for_the_api(db, caller, kind):
    for address in ("jobs", "jobs/plan"):
        assert caller("admin").send("POST", address, {"kind": kind}).status_code == 400
    assert caller("viewer").send("GET", f"jobs?kind={kind}").status_code == 200
    assert not Job.objects.exists()


def test_the_kinds_say_what_their_forms_take(db, caller):
    found = caller("viewer").read("jobs/kinds")
    assert found["total"] == len(found["items"]) == len(FORMS)
    kinds = {kind["name"]: kind for kind in found["items"]}
    for name, kind in kinds.items():
        assert kind["role"] == rights.role_for_kind(name).value
        assert kind["queue"] == KINDS[name].queue
    curate = {field["name"]: field for field in kinds["curate"]["params"]}
    assert set(PRESETS) <= set(curate["preset"]["choices"])
    assert not curate["size"]["is_required"]


def test_the_list_filters_as_the_page_does(db, caller, make_user):
    mine = make_job("queued", created_by=make_user("viewer"))
    make_job("done", kind="curate")
    make_job("failed", queue="gpu", kind="trial_gpu")
    viewer = caller("viewer")

    def found(query: str) -> set[str]:
        return {job["state"] for job in viewer.read(f"jobs?{query}")["items"]}

    assert found("") == {"queued", "done", "failed"}
    assert found("state=ended") == {"done", "failed"}
    assert found("state=done") == {"done"}
    assert found("kind=curate") == {"done"}
    assert found("queue=gpu") == {"failed"}
    (own,) = viewer.read("jobs?mine=1")["items"]
    assert own["id"] == mine.pk
    assert own["created_by"] == "viewer"
