"""What people do to jobs from a page: each works, by a POST alone, by who may, and twice is said in a line."""

import json

import pytest
from django.test import Client
from django.urls import reverse

from s1web.jobs.actions import ACTIONS
from s1web.roles import Role
from tests.factories import make_job
from tests.s1web.jobs.conftest import MakeUser, SignedIn
from tests.s1web.jobs.pages import NEEDS, WORKS, ended_at, page_of, said_on, url_of, user_of, work_job

ROLES = [role.value for role in Role]


# --- actions ---


def test_every_action_has_its_line_in_the_tables_of_this_test():
    assert set(WORKS) == set(NEEDS) == set(ACTIONS)


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_changes_the_job_and_says_so_on_its_page(signed_in: SignedIn, action):
    before, after = WORKS[action]
    job = work_job(before)
    answer = signed_in("operator").post(url_of(action, job), follow=True)
    assert answer.redirect_chain == [(reverse("jobs:detail", args=[job.pk]), 302)]
    said = next(text for level, text in said_on(answer.content.decode()) if level == "success")
    assert said.startswith(f"Job {job.pk} ")
    job.refresh_from_db()
    assert job.state == after


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_is_a_post_alone(signed_in: SignedIn, action):
    job = work_job(WORKS[action][0])
    client = signed_in("operator")
    for method in (client.get, client.head, client.put, client.delete):
        assert method(url_of(action, job)).status_code == 405
    job.refresh_from_db()
    assert job.state == WORKS[action][0]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("role", ROLES)
def test_an_action_on_the_job_of_somebody_else_needs_its_role(signed_in: SignedIn, make_user: MakeUser, action, role):
    before, after = WORKS[action]
    job = work_job(before, created_by=make_user("curator", "somebody"))
    answer = signed_in(role).post(url_of(action, job))
    job.refresh_from_db()
    if Role(role).rank >= Role(NEEDS[action]).rank:
        assert (answer.status_code, job.state) == (302, after)
    else:
        assert (answer.status_code, job.state) == (403, before)
        assert f"This needs the role {NEEDS[action]} or one above it" in answer.content.decode()


@pytest.mark.parametrize("action", ["pause", "cancel"])
def test_what_one_submitted_oneself_can_be_stopped_without_a_role(signed_in: SignedIn, action):
    client = signed_in("viewer")
    job = work_job(WORKS[action][0], created_by=user_of(client))
    assert client.post(url_of(action, job)).status_code == 302
    job.refresh_from_db()
    assert job.state == WORKS[action][1]


@pytest.mark.parametrize("action", ["move_up", "to_front"])
def test_ones_own_job_goes_ahead_of_others_by_an_operator_alone(signed_in: SignedIn, action):
    client = signed_in("curator")
    job = work_job("queued", created_by=user_of(client))
    assert client.post(url_of(action, job)).status_code == 403


@pytest.mark.parametrize("action", ["confirm", "resume", "retry"])
def test_a_trial_runs_by_an_operator_alone(signed_in: SignedIn, action):
    for role, status in (("curator", 403), ("operator", 302)):
        job = make_job(WORKS[action][0], ended_at=ended_at(WORKS[action][0]))
        assert signed_in(role).post(url_of(action, job)).status_code == status


@pytest.mark.parametrize("action", sorted(set(ACTIONS) - {"move_up", "to_front"}))
def test_an_action_that_comes_twice_says_in_a_line_that_it_is_too_late(signed_in: SignedIn, action):
    job = work_job(WORKS[action][0])
    client = signed_in("operator")
    client.post(url_of(action, job))
    answer = client.post(url_of(action, job), follow=True)
    assert answer.status_code == 200
    lines = [text for level, text in said_on(answer.content.decode()) if level == "error"]
    assert len(lines) == 1
    assert lines[0].startswith(f"job {job.pk} is {WORKS[action][1]}; only one that is ")


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_on_a_job_that_is_not_there_is_404(signed_in: SignedIn, action):
    client = signed_in("operator")
    for pk in (4711, 10**30):
        assert client.post(f"/jobs/{pk}/{action.replace('_', '-')}/").status_code == 404


@pytest.mark.parametrize("action", ["pause", "cancel"])
def test_a_running_job_is_asked_and_its_page_says_so_at_once(signed_in: SignedIn, action):
    job = work_job("running")
    client = signed_in("operator")
    page = client.post(url_of(action, job), follow=True).content.decode()
    assert f"Job {job.pk} was asked to {'pause' if action == 'pause' else 'end'}." in page
    assert {"pause": "pausing…", "cancel": "cancelling…"}[action] in page
    assert url_of("pause", job) not in page
    # who asked to pause may still cancel
    assert (url_of("cancel", job) in page) == (action == "pause")


def test_a_form_without_the_sign_of_the_site_changes_nothing(make_user: MakeUser):
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user("operator"))
    job = work_job("queued")
    assert client.post(url_of("cancel", job)).status_code == 403
    job.refresh_from_db()
    assert job.state == "queued"


@pytest.mark.parametrize(
    ("next_page", "goes_to"),
    [
        ("/jobs/?state=queued", "/jobs/?state=queued"),
        ("https://elsewhere.example.org/", None),
        ("//elsewhere.example.org/", None),
        ("javascript:alert(1)", None),
        ("", None),
    ],
)
def test_an_action_leads_back_to_the_page_it_came_from_if_it_is_ours(signed_in: SignedIn, next_page, goes_to):
    job = work_job("queued")
    answer = signed_in("operator").post(url_of("pause", job), {"next": next_page})
    assert answer["Location"] == goes_to or reverse("jobs:detail", args=[job.pk])


def test_a_fragment_gets_the_line_alone_and_asks_for_the_list_again(signed_in: SignedIn):
    job = work_job("queued")
    answer = signed_in("operator").post(url_of("pause", job), headers={"HX-Request": "true"})
    assert (answer.status_code, json.loads(answer["HX-Trigger"])) == (200, {"jobs-changed": True})
    page = answer.content.decode()
    assert said_on(page) == [("success", f"Job {job.pk} was paused.")]
    assert page.count("</p>") == 1
    assert "<html" not in page


# --- caps ---


@pytest.mark.parametrize("action", ["confirm", "resume"])
def test_caps_go_with_the_job_as_they_were_typed(signed_in: SignedIn, action):
    job = work_job(WORKS[action][0], plan={"spends": {"rows": 5.0, "tokens": 9.0}}, caps={"rows": 7})
    client = signed_in("curator")
    assert 'name="cap-rows" value="7"' in page_of(client, job)
    client.post(url_of(action, job), {"cap-rows": "", "cap-tokens": "1500", "cap-seconds": "0.5"})
    job.refresh_from_db()
    assert job.caps == {"tokens": 1500, "seconds": 0.5}


def test_caps_that_were_not_sent_stay(signed_in: SignedIn):
    job = work_job("paused", caps={"rows": 7})
    signed_in("curator").post(url_of("resume", job))
    job.refresh_from_db()
    assert (job.state, job.caps) == ("queued", {"rows": 7})


@pytest.mark.parametrize("typed", ["0", "-3", "many", "nan", "inf", "1e300"])
def test_a_cap_that_is_no_limit_is_refused_and_the_job_stays(signed_in: SignedIn, typed):
    job = work_job("paused", caps={"rows": 7})
    page = signed_in("curator").post(url_of("resume", job), {"cap-rows": typed}, follow=True).content.decode()
    assert f"cap rows=&#x27;{typed}&#x27; is no limit; give a number above 0" in page
    job.refresh_from_db()
    assert (job.state, job.caps) == ("paused", {"rows": 7})
