"""The commands jobs, job and workers: for a person, as JSON, and one line where something is not allowed."""

from datetime import timedelta

import pytest
from django.utils import timezone

from s1web.jobs import transitions
from s1web.jobs.logs import log_path
from s1web.jobs.models import Job
from tests.factories import make_job, make_presence
from tests.processes import Project
from tests.s1web.command_line import command
from tests.workers.running import running_worker

# a fixture
__all__ = ["command"]

# --- jobs ---


def test_jobs_lists_what_runs_waits_is_held_and_has_ended(command):
    make_presence()
    running = make_job("running", title="The import", done=12_000, total=48_000, rate=4_000, plan={"unit": "rows"})
    queued = [make_job(title=f"Queued {number}") for number in range(3)]
    paused = make_job("paused", title="The lengths", note="stopped at its cap of 5 tokens")
    failed = make_job("failed", title="The [bold]export[/bold]", error="the disk is full", ended_at=timezone.now())
    found = command("jobs", "--json").json
    assert [job["job"] for job in found["running"]] == [running.pk]
    assert [(job["job"], job["position"], job["outlook"]) for job in found["queued"]] == [
        (queued[0].pk, 1, "next"),
        (queued[1].pk, 2, "waits"),
        (queued[2].pk, 3, "waits"),
    ]
    assert [(job["job"], job["reason"]) for job in found["held"]] == [(paused.pk, "stopped at its cap of 5 tokens")]
    assert [(job["job"], job["reason"]) for job in found["ended"]] == [(failed.pk, "the disk is full")]
    shown = command("jobs")
    assert (shown.code, shown.err) == (0, "")
    for text in (
        "The import",
        "12,000 rows",
        "25%",
        "9 s",
        "Queued 2",
        "The [bold]export[/bold]",
        "the disk is full",
    ):
        assert text in shown.out


def test_jobs_says_on_top_that_nobody_listens_where_jobs_wait(command):
    make_job()
    make_job(queue="gpu", kind="trial_gpu")
    make_presence()
    shown = command("jobs")
    assert shown.err == (
        "note: no worker listens on queue gpu, and 1 wait: start one on a host with a GPU with: "
        "celery -A s1web worker -Q gpu (or everything with: python manage.py up)\n"
    )
    queues = {queue["queue"]: queue for queue in command("jobs", "--json").json["queues"]}
    assert queues["cpu"]["start"] is None
    assert "celery -A s1web worker -Q gpu" in queues["gpu"]["start"]


def test_jobs_filters_and_limits(command):
    make_presence()
    for _ in range(5):
        make_job()
    make_job(kind="curate")
    ended = [make_job(state, ended_at=timezone.now()) for state in ("done", "failed")]
    found = command("jobs", "--state", "queued", "--kind", "trial_cpu", "--limit", 2, "--json").json
    assert (len(found["queued"]), found["num_queued"], found["ended"]) == (2, 5, [])
    assert "and 3 more in the queue" in command("jobs", "--kind", "trial_cpu", "--limit", 2).out
    assert [job["job"] for job in command("jobs", "--state", "failed", "--json").json["ended"]] == [ended[1].pk]
    assert command("jobs", "--queue", "gpu", "--json").json["queued"] == []


def test_jobs_of_an_empty_queue_says_how_jobs_come_to_be(command):
    assert "--enqueue" in command("jobs").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--state", "stuck"], "invalid choice: 'stuck'"),
        (["--kind", "magic"], "invalid choice: 'magic'"),
        (["--queue", "moon"], "invalid choice: 'moon'"),
        (["--limit", "0"], "--limit 0 lists nothing; give a whole number from 1 to 10,000"),
        (["--limit", "many"], "invalid int value: 'many'"),
    ],
)
def test_jobs_refuses_what_it_cannot_list(command, arguments, said):
    assert said in command("jobs", *arguments).refusal


# --- job ---

CHANGES = [
    ("--confirm", "planned", "queued"),
    ("--cancel", "queued", "cancelled"),
    ("--pause", "queued", "paused"),
    ("--resume", "paused", "queued"),
    ("--retry", "failed", "queued"),
    ("--retry", "cancelled", "queued"),
]


@pytest.mark.parametrize(("option", "before", "after"), CHANGES)
def test_job_changes_a_job_and_says_where_it_stands_and_twice_is_one_line(command, option, before, after):
    job = make_job(before, ended_at=timezone.now() if before in ("failed", "cancelled") else None)
    assert command("job", job.pk, option, "--json").json["state"] == after
    assert f"job {job.pk} is {after}; only one that is " in command("job", job.pk, option).refusal


def test_job_asks_a_running_job_and_says_so(command):
    job = make_job("running")
    shown = command("job", job.pk, "--cancel")
    assert "running, asked to cancel: runs on cpu@here" in shown.out
    job.refresh_from_db()
    assert (job.state, job.stop) == ("running", "cancel")


def test_job_moves_a_job(command):
    make_presence()
    _first, second, third = make_job(), make_job(), make_job()
    assert command("job", third.pk, "--move-up", "--json").json["position"] == 2
    assert command("job", second.pk, "--to-front", "--json").json["position"] == 1
    running = make_job("running")
    assert "only one that is queued can be moved" in command("job", running.pk, "--move-up").refusal


def test_job_takes_caps_where_it_lets_the_job_run(command):
    paused, planned = make_job("paused", caps={"rows": 5}), make_job("planned")
    assert command("job", paused.pk, "--resume", "--cap", "rows=1_000", "--json").json["caps"] == {"rows": 1000}
    assert command("job", planned.pk, "--confirm", "--cap", "tokens=7", "--json").json["caps"] == {"tokens": 7}
    job = make_job("paused", caps={"rows": 5})
    assert command("job", job.pk, "--resume", "--json").json["caps"] == {"rows": 5}


def test_job_shows_everything_of_a_job(command):
    job = make_job(
        "paused",
        title="Count [red]lengths[/red]",
        note="stopped at its cap of 1,000 tokens",
        done=12,
        total=50,
        plan={
            "title": "x",
            "total": 50,
            "unit": "traces",
            "spends": {"tokens": 9000},
            "seconds": 4.0,
            "notes": ["slow"],
        },
        caps={"tokens": 1000},
        spent={"tokens": 1001},
        seconds=3.21,
        num_starts=2,
        num_losses=1,
        result=None,
    )
    out = command("job", job.pk).out
    for text in (
        f"job {job.pk}: Count [red]lengths[/red]",
        "paused: stopped at its cap of 1,000 tokens",
        "done: 12 of 50 traces",
        "plan: 50 traces, 9,000 tokens, about 4 s",
        "note: slow",
        "caps: 1,000 tokens",
        "spent: 1,001 tokens",
        "ran for 3.2 s in 2 starts, lost 1 time",
    ):
        assert text in out
    printed = command("job", job.pk, "--json").json
    assert (printed["job"], printed["state"], printed["caps"]) == (job.pk, "paused", {"tokens": 1000})
    assert "result" in printed


def test_job_prints_its_log_whole_and_nothing_else(command):
    job = make_job()
    assert f"job {job.pk} has no log at {log_path(job.pk)}" in command("job", job.pk, "--log").refusal
    log_path(job.pk).parent.mkdir(parents=True)
    text = "start 1\n" + "x" * 50_000 + "\n[bold]end[/bold]\n"
    log_path(job.pk).write_text(text, encoding="utf-8")
    assert command("job", job.pk, "--log").out == text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["4711"], "there is no job 4711; see the list with: python manage.py jobs"),
        (["x"], "invalid int value: 'x'"),
        ([], "arguments are required: NUMBER"),
        (["1", "--cancel", "--pause"], "not allowed with argument"),
        (["1", "--cap", "rows=5"], "--cap is for a job that is about to run; add --confirm or --resume"),
        (["1", "--log", "--json"], "--log prints the log as it stands"),
        (["1", "--resume", "--cap", "rows"], "cap 'rows' cannot be read; write RESOURCE=NUMBER"),
        (["1", "--resume", "--cap", "magic=5"], "cap 'magic' is no resource; choose of rows, tokens"),
    ],
)
def test_job_refuses_in_one_line(command, arguments, said):
    make_job(pk=1)
    assert said in command("job", *arguments).refusal


def test_job_waits_until_the_job_rests_and_says_how_it_ended(command):
    """Each of these is at rest already."""
    done = make_job("done", ended_at=timezone.now(), result={"rows": 7})
    assert command("job", done.pk, "--wait", "--json").json["result"] == {"rows": 7}
    failed = make_job("failed", ended_at=timezone.now(), error="the disk is full")
    assert command("job", failed.pk, "--wait").refusal == f"job {failed.pk} is failed: the disk is full"
    queued = make_job()
    assert command("job", queued.pk, "--cancel", "--wait", "--json").json["state"] == "cancelled"
    paused = make_job()
    assert command("job", paused.pk, "--pause", "--wait", "--json").json["state"] == "paused"


# --- workers ---


def test_workers_says_who_is_there_and_who_is_gone(command, settings):
    make_presence("cpu@alpha", slots=4, device="16 cores", version="0.0.1")
    gone = timezone.now() - timedelta(seconds=settings.JOB_LOST_SECONDS + 60)
    make_presence("cpu@gone", seen_at=gone)
    job = make_job("running", worker="cpu@alpha")
    make_job(queue="gpu", kind="trial_gpu")
    found = command("workers", "--json").json
    assert [(worker["worker"], worker["is_there"], worker["jobs"]) for worker in found["workers"]] == [
        ("cpu@alpha", True, [job.pk]),
        ("cpu@gone", False, []),
    ]
    assert found["workers"][1]["silent_seconds"] >= settings.JOB_LOST_SECONDS + 60
    assert [(queue["queue"], queue["waiting"], queue["running"], queue["workers"]) for queue in found["queues"]] == [
        ("cpu", 0, 1, 1),
        ("gpu", 1, 0, 0),
    ]
    shown = command("workers")
    assert shown.err.startswith("note: no worker listens on queue gpu: start one on a host with a GPU with: ")
    for text in ("cpu@alpha", "there", "16 cores", "0.0.1 (here ", "gone"):
        assert text in shown.out


# --- with a real worker ---


def test_a_person_follows_a_job_with_the_commands_alone(project: Project):
    """Submitted with nobody there, which is said; a worker comes, runs it, and is asked to stop another."""
    job = Job.objects.create(
        kind="trial_cpu", queue="cpu", state="queued", place=1, title="Trial", params={"seconds": 1}, plan={}
    )
    long = Job.objects.create(
        kind="trial_cpu", queue="cpu", state="queued", place=2, title="Trial", params={"seconds": 600}, plan={}
    )
    shown = project.run("jobs")
    assert "no worker listens on queue cpu, and 2 wait" in shown.stderr
    with running_worker(project) as worker:
        done = project.json("job", job.pk, "--wait")
        assert (done["state"], done["result"]["seconds"]) == ("done", 1.0)
        assert [item["worker"] for item in project.json("workers")["workers"]] == [worker.name]
        ended = project.json("job", long.pk, "--cancel", "--wait")
        assert ended["state"] == "cancelled"
    assert "start 1" in project.run("job", job.pk, "--log").stdout
    listed = project.json("jobs")
    assert [(item["job"], item["state"]) for item in listed["ended"]] == [(long.pk, "cancelled"), (job.pk, "done")]
    transitions.retry(long)
    assert project.json("job", long.pk)["position"] == 1
