"""Pages of jobs and workers: what they say, who may do what, and that nothing hostile gets through them."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from s1web.jobs import transitions
from s1web.jobs.actions import ACTIONS
from s1web.jobs.kinds import KINDS
from s1web.jobs.logs import log_path
from s1web.jobs.models import Job
from s1web.roles import Role
from tests.factories import make_job, make_presence
from tests.s1web.jobs.conftest import MakeUser, SignedIn
from tests.s1web.jobs.pages import NEEDS, page_of, url_of, user_of, work_job

HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)>"


# --- one job ---


@pytest.mark.parametrize("state", [state.value for state in Job.State])
def test_a_page_offers_what_can_be_done_and_nothing_else(signed_in: SignedIn, state):
    make_job()
    job = work_job(state)
    page, seen = page_of(signed_in("operator"), job), page_of(signed_in("viewer"), job)
    offered = {action for action in ACTIONS if url_of(action, job) in page}
    assert (
        offered
        == {
            "planned": {"confirm", "cancel"},
            "queued": {"move_up", "to_front", "pause", "cancel"},
            "running": {"pause", "cancel"},
            "paused": {"resume", "cancel"},
            "failed": {"retry"},
            "cancelled": {"retry"},
            "done": set(),
        }[state]
    )
    assert page.count("button--primary") <= 1
    assert not [action for action in ACTIONS if url_of(action, job) in seen]


def test_the_page_says_how_far_the_job_is_and_when_it_will_be_done(signed_in: SignedIn):
    job = work_job("running", done=12_000, total=57_629, rate=4_012.0, plan={"unit": "rows"}, seconds=10)
    page = page_of(signed_in(), job)
    assert "12,000 of 57,629 rows" in page
    assert "4,012 rows/s" in page
    assert "about 11 s left" in page
    assert 'max="57629" value="12000"' in page


def test_to_cancel_says_in_numbers_what_stays(signed_in: SignedIn):
    client = signed_in("operator")
    values = {"done": 12_000, "total": 57_629, "plan": {"unit": "rows"}}
    assert "12,000 of 57,629 rows are done and stay" in page_of(
        client, work_job("running", kind="load_pool", **values)
    )
    assert "so nothing of it stays" in page_of(client, work_job("running", kind="curate", **values))
    assert "Nothing is done yet" in page_of(client, work_job("queued"))


def test_a_job_that_has_just_ended_ran_for_as_long_as_its_last_start_although_its_worker_did_not_write_it_yet(
    signed_in: SignedIn,
):
    now = timezone.now()
    job = work_job("done", started_at=now - timedelta(seconds=75), ended_at=now, num_starts=1, seconds=0)
    assert "ran for 1 m 15 s" in page_of(signed_in(), job)
    Job.objects.filter(pk=job.pk).update(seconds=200, num_starts=3)
    assert "ran for 3 m 20 s" in page_of(signed_in(), job)


def test_plan_spending_and_caps_stand_beside_each_other(signed_in: SignedIn):
    plan = {"unit": "traces", "spends": {"tokens": 3_400_000.0}, "seconds": 252.0, "notes": ["it is <long>"]}
    job = work_job("paused", plan=plan, spent={"tokens": 1_000_213.0}, caps={"tokens": 1e6}, seconds=42, num_starts=1)
    page = re.sub(r"\s+", " ", page_of(signed_in(), job))
    cells = '<td class="num">{}</td><td class="num">{}</td><td class="num">{}</td>'
    assert cells.format("3,400,000", "1,000,213", "1,000,000") in page
    assert cells.format("4 m 12 s", "42 s", "–") in page
    assert "It is &lt;long&gt;." in page


def test_a_failure_shows_its_reason_its_log_and_the_way_on(signed_in: SignedIn):
    job = work_job("failed", error="line 12 is no JSON; mend the file", num_starts=2, num_losses=1)
    log_path(job.pk).parent.mkdir(parents=True)
    log_path(job.pk).write_text("start 1\nERROR line 12\n", encoding="utf-8")
    page = page_of(signed_in("curator"), job)
    assert "line 12 is no JSON; mend the file" in page
    assert "ERROR line 12" in page
    assert "1 time, and went on" in page
    assert url_of("retry", job) in page
    assert f"/jobs/new/curate/?like={job.pk}" in page


def test_parent_and_children_lead_to_each_other(signed_in: SignedIn):
    parent = work_job("running", title="The first")
    child = work_job("queued", title="The second", parent=parent, waits_for_parent=True)
    client = signed_in()
    assert f'<a href="/jobs/{child.pk}/">The second</a>' in page_of(client, parent)
    page = page_of(client, child)
    assert f'<a href="/jobs/{parent.pk}/">job {parent.pk}</a>, running' in page
    assert f"Waits for job {parent.pk}, which is running" in page


@pytest.mark.parametrize("state", ["planned", "queued"])
def test_before_and_after_it_is_submitted_the_page_says_that_nobody_will_take_it(signed_in: SignedIn, state):
    job = make_job(state, kind="trial_gpu", queue="gpu")
    client = signed_in()
    said = "no worker listens on queue gpu: start one on a host with a GPU with: celery -A s1web worker -Q gpu"
    assert said in page_of(client, job)
    make_presence("gpu@here", queues=["gpu"])
    page = page_of(client, job)
    assert said not in page
    assert "1 worker on queue gpu" in page


@pytest.mark.parametrize(
    ("kind", "result", "said"),
    [
        (
            "load_pool",
            {"read": 57_629, "new": 54_112, "updated": 1, "unchanged": 3_516, "rejected": 2, "rejected_file": "/a/r"},
            ["57,629", "54,112", "3,516", "/a/r"],
        ),
        ("load_benchmark", {"read": 30, "new": 29, "updated": 1, "unchanged": 0, "rejected": 0}, ["30", "29"]),
        ("annotate_lengths", {"done": 2_389, "skipped": 3, "tokens": 3_977_041, "tokenizer": "bpe"}, ["3,977,041"]),
        ("annotate_contamination", {"done": 54_112, "skipped": 0, "contaminated": 2_351}, ["54,112", "2,351"]),
        (
            "curate",
            {
                "run": 3,
                "selection": "mine",
                "size": 1_000,
                "sha256": "ab" * 32,
                "ledger": [{"stage": "pool", "in": 57_629, "out": 54_112, "dropped": {"pool.duplicate": 3_517}}],
                "hashes": ["0" * 16] * 1_000,
                "warnings": ["pool.jsonl is cut"],
            },
            ["mine", "57,629", "pool.duplicate", "3,517", "pool.jsonl is cut", "... and 980 more"],
        ),
        (
            "export_selection",
            {"rows": 200, "folder": "/a/out", "layout": "s1k", "format": "jsonl"},
            ["200", "/a/out"],
        ),
        ("trial_cpu", {"host": "alpha", "cores": 2}, ["alpha"]),
    ],
)
def test_a_result_is_read_without_its_json(signed_in: SignedIn, kind, result, said):
    page = page_of(signed_in(), work_job("done", kind=kind, result=result))
    for text in said:
        assert text in page
    assert len(page) < 40_000


def test_a_job_that_has_ended_stops_the_asking(signed_in: SignedIn):
    client = signed_in()
    for state, status in (("running", 200), ("queued", 200), ("planned", 200), ("done", 286), ("failed", 286)):
        job = work_job(state)
        answer = client.get(reverse("jobs:now", args=[job.pk]))
        assert answer.status_code == status, state
        assert ("hx-trigger" in answer.content.decode()) == (status == 200), state
        assert "<html" not in answer.content.decode()


def test_the_whole_log_is_a_text_to_keep(signed_in: SignedIn):
    job = work_job("running")
    client = signed_in()
    assert client.get(reverse("jobs:log", args=[job.pk])).status_code == 404
    log_path(job.pk).parent.mkdir(parents=True)
    log_path(job.pk).write_bytes(b"x" * 40_000 + b"\n" + HOSTILE.encode() + b"\xff\n")
    answer = client.get(reverse("jobs:log", args=[job.pk]))
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["Content-Disposition"] == f'attachment; filename="job-{job.pk}.log"'
    assert b"".join(answer.streaming_content).endswith(HOSTILE.encode() + b"\xff\n")  # type: ignore[attr-defined]


def test_the_record_holds_everything_but_the_claim(signed_in: SignedIn):
    job = work_job("done", result={"hashes": ["0" * 16] * 30}, claim="secret-token")
    record = json.loads(signed_in().get(reverse("jobs:record", args=[job.pk])).content)
    assert len(record["result"]["hashes"]) == 30
    assert (record["job"], record["kind"], record["state"]) == (job.pk, "curate", "done")
    assert "claim" not in record


# --- hostile text ---


@pytest.mark.parametrize("state", [state.value for state in Job.State])
def test_hostile_texts_are_shown_and_never_obeyed(signed_in: SignedIn, make_user: MakeUser, state):
    somebody = make_user("curator", "somebody")
    values: dict[str, Any] = {
        "title": HOSTILE,
        "error": HOSTILE,
        "note": HOSTILE,
        "params": {"recipe": f"{HOSTILE}\n{HOSTILE}", HOSTILE: HOSTILE, "paths": [HOSTILE]},
        "plan": {"unit": HOSTILE, "notes": [HOSTILE], "spends": {}},
        "result": {
            "run": 1,
            "selection": HOSTILE,
            "warnings": [HOSTILE],
            "ledger": [{"stage": HOSTILE, "dropped": {HOSTILE: 1}}],
        },
        "worker": HOSTILE,
        "version": HOSTILE,
        "created_by": somebody,
        "done": 3,
    }
    job = work_job(state, **values)
    work_job("queued", title=HOSTILE, parent=job)
    log_path(job.pk).parent.mkdir(parents=True)
    log_path(job.pk).write_text(f"{HOSTILE}\n", encoding="utf-8")
    make_presence(HOSTILE, host=HOSTILE, device=HOSTILE, version=HOSTILE)
    client = signed_in("operator")
    for path in (f"/jobs/{job.pk}/", f"/jobs/{job.pk}/now/", "/jobs/", "/jobs/rows/", "/workers/", "/jobs/meter/"):
        page = client.get(path).content.decode()
        assert "<script>alert" not in page, path
        assert "<img" not in page, path
    assert "&lt;script&gt;alert" in page_of(client, job)


@pytest.mark.parametrize("path", ["/jobs/", "/jobs/rows/", "/jobs/new/curate/", "/jobs/new/load_pool/"])
def test_hostile_addresses_are_no_errors_and_come_back_harmless(signed_in: SignedIn, path):
    client = signed_in("operator")
    for name in ("state", "kind", "queue", "mine", "after", "before", "like"):
        answer = client.get(path, {name: HOSTILE})
        assert answer.status_code == 200
        assert "<img" not in answer.content.decode()
    assert client.get(path, {"like": "9" * 40}).status_code == 200


# --- lists ---


def test_the_list_names_the_jobs_and_their_people(signed_in: SignedIn, make_user: MakeUser):
    client = signed_in("curator")
    running = work_job("running", title="The import", done=5, total=10, created_by=make_user("curator", "ada"))
    failed = work_job("failed", error="the disk is full", seconds=61)
    page = client.get("/jobs/").content.decode()
    for text in ("The import", "5 of 10", "ada", "the disk is full", "1 m 01 s"):
        assert text in page
    for job in (running, failed):
        assert f'href="/jobs/{job.pk}/"' in page


def test_the_list_says_that_jobs_wait_for_nobody_and_how_to_start_a_worker(signed_in: SignedIn):
    make_job(queue="gpu", kind="trial_gpu")
    client = signed_in()
    page = client.get("/jobs/").content.decode()
    assert "No worker listens on queue gpu, and 1 job waits for one." in page
    assert "celery -A s1web worker -Q gpu" in page
    assert '1 waiting</span><span class="top__wide">, no worker on gpu' in client.get("/jobs/meter/").content.decode()
    make_presence("gpu@here", queues=["gpu"])
    assert "No worker listens" not in client.get("/jobs/").content.decode()


def test_the_list_asks_often_while_something_moves_and_seldom_while_nothing_does(signed_in: SignedIn):
    client = signed_in()
    assert "every 10s" in client.get("/jobs/rows/").content.decode()
    job = make_job()
    assert "every 2s" in client.get("/jobs/rows/").content.decode()
    transitions.cancel(job)
    assert "every 10s" in client.get("/jobs/rows/").content.decode()


def test_an_empty_list_offers_the_next_step_to_who_may_take_it(signed_in: SignedIn):
    assert "Make the first" in signed_in("curator").get("/jobs/").content.decode()
    page = signed_in("viewer").get("/jobs/").content.decode()
    assert "Make the first" not in page
    assert "Jobs are submitted by curators" in page


def test_a_filter_that_hides_everything_says_so_and_can_be_taken_off(signed_in: SignedIn):
    make_job()
    page = signed_in().get("/jobs/?kind=curate&state=queued").content.decode()
    assert "No job is like that." in page
    assert 'href="/jobs/?kind=curate"' in page
    assert 'href="/jobs/?state=queued"' in page


def test_mine_shows_my_own_alone(signed_in: SignedIn):
    client = signed_in("curator")
    work_job("queued", title="Of somebody else")
    work_job("queued", title="Of my own", created_by=user_of(client))
    page = client.get("/jobs/?mine=1").content.decode()
    assert "Of my own" in page
    assert "Of somebody else" not in page


@pytest.mark.parametrize("role", ["viewer", "curator", "operator"])
def test_rows_offer_what_their_reader_may_do(signed_in: SignedIn, role):
    client = signed_in(role)
    first = work_job("queued")
    others, own = work_job("queued"), work_job("queued", created_by=user_of(client))
    page = client.get("/jobs/").content.decode()
    offered = {
        (action, job.pk): url_of(action, job) in page
        for action in ("pause", "cancel", "move_up", "to_front")
        for job in (others, own)
    }
    rank = Role(role).rank
    assert offered == {
        (action, job.pk): rank >= Role(NEEDS[action]).rank or (job is own and action in ("pause", "cancel"))
        for action in ("pause", "cancel", "move_up", "to_front")
        for job in (others, own)
    }
    assert first.pk != others.pk


def test_pages_take_as_many_queries_for_a_thousand_jobs_as_for_ten(signed_in: SignedIn):
    client = signed_in("operator")
    make_presence()
    parent = work_job("running", worker="cpu@here")
    jobs = [work_job("queued", parent=parent, waits_for_parent=True) for _ in range(10)]
    paths = ["/jobs/", "/jobs/rows/", "/jobs/meter/", "/workers/", f"/jobs/{parent.pk}/", f"/jobs/{jobs[5].pk}/now/"]

    def num_queries() -> dict[str, int]:
        counts = {}
        for path in paths:
            with CaptureQueriesContext(connection) as captured:
                assert client.get(path).status_code == 200
            counts[path] = len(captured)
        return counts

    few = num_queries()
    names = ("kind", "queue", "state", "title", "params", "plan", "parent", "waits_for_parent")
    Job.objects.bulk_create(
        Job(**{name: getattr(jobs[0], name) for name in names}, place=10_000 + number) for number in range(990)
    )
    assert num_queries() == few
    assert max(few.values()) <= 12


def test_workers_say_what_they_do_and_which_of_them_are_gone_or_old(signed_in: SignedIn, settings):
    make_presence("cpu@alpha", host="alpha", slots=4, device="16 cores", version="0.0.1")
    gone = timezone.now() - timedelta(seconds=settings.JOB_LOST_SECONDS + 60)
    make_presence("cpu@gone", seen_at=gone)
    job = work_job("running", worker="cpu@alpha", title="The import")
    page = signed_in().get("/workers/").content.decode()
    for text in ("cpu@alpha", "16 cores", "1 of 4", "0.0.1, not ", "The import", f"/jobs/{job.pk}/", "cpu@gone"):
        assert text in page
    assert page.count(">there<") == page.count(">gone<") == 1


def test_without_workers_the_page_says_how_to_start_them(signed_in: SignedIn):
    page = signed_in().get("/workers/").content.decode()
    assert "No worker is there, so no job can run." in page
    assert "python manage.py up" in page


def test_the_meter_is_silent_while_nothing_runs_or_waits(signed_in: SignedIn):
    client = signed_in()
    assert client.get("/jobs/meter/").content.decode().strip() == ""
    make_presence()
    make_job("running")
    for _ in range(2):
        make_job()
    page = client.get("/jobs/meter/").content.decode()
    assert "1 running" in page
    assert "2 waiting" in page
    assert "no worker" not in page


def test_every_fragment_is_fresh(signed_in: SignedIn):
    job = make_job("running")
    client = signed_in()
    for path in ("/jobs/rows/", "/jobs/meter/", "/workers/rows/", f"/jobs/{job.pk}/now/"):
        assert "no-store" in client.get(path)["Cache-Control"]


def test_a_page_of_a_job_that_is_not_there_is_404(signed_in: SignedIn):
    client = signed_in()
    for pk in (4711, 10**30):
        for path in ("", "now/", "log/", "record/"):
            assert client.get(f"/jobs/{pk}/{path}").status_code == 404


def test_a_job_of_a_kind_that_is_gone_can_still_be_read(signed_in: SignedIn):
    job = work_job("done", kind="of_old", result={"x": 1})
    assert "of_old" in page_of(signed_in("admin"), job)
    assert "of_old" not in KINDS
