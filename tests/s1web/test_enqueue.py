"""Long commands as jobs: --plan, --enqueue, --wait, --after and --cap, by the same function as in place."""

import json
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.core.management import load_command_class

from s1web.jobs import services, transitions
from s1web.jobs.models import Job
from s1web.management.jobs import JobCommand
from s1web.pool.models import Benchmark, Question
from tests.processes import ROOT, Project
from tests.s1web.pools import write_lines
from tests.s1web.tokenizers import write_tokenizer
from tests.workers.running import running_worker, wait_for

LONG = ("load_pool", "load_benchmark", "annotate", "curate", "stability", "export_selection", "evaluate")
START = "start one with: celery -A s1web worker -Q cpu (or everything with: python manage.py up)"


@pytest.fixture
def rows(tmp_path) -> Path:
    return write_lines(tmp_path / "rows.jsonl", [{"question": f"How many are {n}?"} for n in range(100)])


@pytest.fixture
def benchmark(tmp_path) -> Path:
    return write_lines(tmp_path / "b.jsonl", [{"id": "1", "problem": "Which of them?", "answer": "7"}])


def plain_recipe(folder: Path) -> Path:
    """Draws from questions that have no annotation."""
    path = folder / "plain.toml"
    path.write_text('base = "random"\nname = "plain"\nsize = 5\n[annotation]\nrequires = []\n')
    return path


def one_line(done: "subprocess.CompletedProcess[str]") -> str:
    """The error's line, after checking that there is nothing but it."""
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.rstrip("\n")


@pytest.mark.parametrize("name", LONG)
def test_every_long_command_can_be_a_job(name):
    command = load_command_class("s1web", name)
    assert isinstance(command, JobCommand)
    names = {option for action in command.create_parser("m", name)._actions for option in action.option_strings}
    assert {"--plan", "--enqueue", "--wait", "--after", "--cap", "--json"} <= names


def test_every_command_makes_a_job_that_knows_all_it_needs_from_any_folder(
    project: Project, tmp_path, rows, benchmark
):
    tokenizer = write_tokenizer(tmp_path / "tok" / "tokenizer.json")
    recipe = tmp_path / "mine.toml"
    recipe.write_text('base = "random"\nname = "mine"\nsize = 5\n')
    project.json("load_pool", rows)
    project.json("curate", "--recipe", plain_recipe(tmp_path), "--name", "all")
    commands = [
        ["load_pool", "rows.jsonl", "--source", "s", "--map", "question=question", "--existing-only"],
        ["load_benchmark", "b.jsonl", "--name", "b"],
        ["annotate", "lengths", "--tokenizer", "tok/tokenizer.json", "--limit", "3"],
        ["annotate", "contamination"],
        ["curate", "--recipe", "mine.toml", "--seed", "4", "--name", "picked"],
        ["export_selection", "all", "out", "--format", "jsonl", "--overwrite"],
    ]
    seen = {}
    for words in commands:
        done = subprocess.run(
            [sys.executable, ROOT / "manage.py", *words, "--enqueue", "--json"],
            cwd=tmp_path,
            env=project.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        printed = json.loads(done.stdout)
        job = Job.objects.get(pk=printed["job"])
        assert (printed["state"], printed["params"]) == ("queued", job.params)
        seen[job.kind] = job.params
    assert seen["load_pool"] == {
        "paths": [str(rows)],
        "source": "s",
        "mapping": ["question=question"],
        "existing_only": True,
    }
    assert seen["load_benchmark"] == {"path": str(benchmark), "name": "b"}
    assert seen["annotate_lengths"] == {"tokenizer": tokenizer, "name": "tok/tokenizer.json", "limit": 3}
    assert seen["annotate_contamination"] == {"limit": None}
    assert (seen["curate"]["name"], "seed = 4" in seen["curate"]["recipe"]) == ("picked", True)
    assert seen["export_selection"]["out_dir"] == str(tmp_path / "out")
    # the recipe as it was: the file may change before the job starts
    recipe.unlink()
    assert Question.objects.count() == 100


def test_plan_says_what_would_be_done_and_does_nothing(project: Project, rows):
    printed = project.json("load_pool", rows, "--plan")
    assert (printed["title"], printed["total"], printed["unit"]) == (
        "Import rows.jsonl",
        rows.stat().st_size,
        "bytes",
    )
    done = project.run("load_pool", rows, "--plan")
    assert done.stdout.splitlines()[0] == "Import rows.jsonl"
    assert done.stdout.splitlines()[1].startswith(f"plan: {rows.stat().st_size:,} bytes, about 0 s")
    assert not Job.objects.exists()
    assert not Question.objects.exists()


def test_an_enqueued_command_says_its_job_its_place_and_that_nobody_listens(project: Project, rows):
    done = project.run("load_pool", rows, "--enqueue")
    assert done.returncode == 0, done.stderr
    job = Job.objects.get()
    lines = done.stdout.splitlines()
    assert lines[0] == f"job {job.pk}: Import rows.jsonl"
    assert lines[1] == f"queued: number 1 in the queue, and no worker listens on queue cpu: {START}"
    printed = project.json("load_pool", rows, "--enqueue")
    assert (printed["position"], printed["workers"], printed["kind"]) == (2, 0, "load_pool")
    assert not Question.objects.exists()


def test_a_command_that_waits_for_its_job_prints_what_it_prints_in_place(
    project: Project, make_migrated: Any, tmp_path, rows, benchmark
):
    commands: list[list[object]] = [
        ["load_pool", rows],
        ["load_benchmark", benchmark, "--name", "b"],
        ["annotate", "contamination"],
        ["curate", "--recipe", plain_recipe(tmp_path), "--name", "all"],
    ]
    in_place = make_migrated("sqlite").json_all(commands)
    with running_worker(project) as worker:
        queued = [project.json(*command, "--enqueue", "--wait") for command in commands]
        shown = project.run("export_selection", "all", tmp_path / "out", "--enqueue", "--wait")
        assert shown.returncode == 0, (shown.stderr, worker.log())
    for ours, theirs in zip(queued, in_place, strict=True):
        assert ours | {"seconds": 0} == theirs | {"seconds": 0}
    size = in_place[-1]["size"]
    assert shown.stdout.startswith(f"{size:,} rows in layout s1k: {tmp_path / 'out'}")
    assert not shown.stderr


def test_a_command_that_waits_fails_with_its_jobs_line_when_that_fails(project: Project, rows):
    with running_worker(project):
        line = one_line(project.run("curate", "--preset", "random", "--enqueue", "--wait"))
    job = Job.objects.get()
    assert line == (
        f"job {job.pk} is failed: the pool is empty; load questions with load_pool first; "
        f"see python manage.py job {job.pk}"
    )


def test_a_command_that_waits_says_what_it_waits_for_and_ends_when_its_job_is_cancelled(project: Project, rows):
    process = subprocess.Popen(
        [sys.executable, "manage.py", "load_pool", str(rows), "--enqueue", "--wait", "--json"],
        cwd=ROOT,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(Job.objects.exists, 30)
    job = Job.objects.get()
    wait_for(lambda: services.position_of(job), 5)
    transitions.cancel(job)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    lines = err.splitlines()
    if len(lines) > 1:
        assert lines[0] == f"note: job {job.pk}: number 1 in the queue, and no worker listens on queue cpu: {START}"
    assert lines[-1] == f"job {job.pk} is cancelled: somebody stopped it; see python manage.py job {job.pk}"


def test_who_stops_waiting_does_not_stop_the_job(project: Project, rows):
    process = subprocess.Popen(
        [sys.executable, "manage.py", "load_pool", str(rows), "--enqueue", "--wait"],
        cwd=ROOT,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(Job.objects.exists, 30)
    assert process.stderr is not None
    assert "no worker listens" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    job = Job.objects.get()
    assert job.state == "queued"
    assert f"job {job.pk} goes on" in err


def test_a_command_after_another_waits_for_its_job(project: Project, tmp_path, rows, benchmark):
    recipe = plain_recipe(tmp_path)
    first = project.json("load_pool", rows, "--enqueue")["job"]
    second = project.json("annotate", "contamination", "--enqueue", "--after", first)
    assert (second["parent"], second["outlook"]) == (first, f"waits for job {first}, which is queued")
    # a planner must not look at a pool that is not there yet
    third = project.json("curate", "--recipe", recipe, "--name", "all", "--enqueue", "--after", second["job"])
    project.json("load_benchmark", benchmark, "--name", "b")
    with running_worker(project, WORKER_SLOTS="3") as worker:
        wait_for(lambda: Job.objects.get(pk=third["job"]).has_ended, 60, worker.log)
    jobs = list(Job.objects.order_by("pk"))
    assert [job.state for job in jobs] == ["done"] * 3
    for before, after in pairwise(jobs):
        assert before.ended_at is not None
        assert after.started_at is not None
        assert before.ended_at <= after.started_at
    assert (jobs[1].result or {})["done"] == 100
    assert Benchmark.objects.count() == 1


def test_a_capped_command_stops_with_the_line_that_says_how_to_go_on(project: Project, tmp_path):
    path = write_lines(tmp_path / "many.jsonl", [{"question": f"How many are {n}?"} for n in range(5_000)])
    with running_worker(project):
        line = one_line(project.run("load_pool", path, "--enqueue", "--wait", "--cap", "rows=1", "--cap", "money=5"))
    job = Job.objects.get()
    assert job.caps == {"rows": 1, "money": 5}
    assert line == f"job {job.pk} is paused: {job.note}; see python manage.py job {job.pk}"
    assert job.note.startswith("stopped at its cap of 1 rows (")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--wait"], "--wait is for a job; add --enqueue, or leave it out"),
        (["--after", "1"], "--after is for a job; add --enqueue, or leave it out"),
        (["--after", "0"], "--after is for a job; add --enqueue, or leave it out"),
        (["--cap", "rows=1"], "--cap is for a job; add --enqueue, or leave it out"),
        (["--plan", "--enqueue"], "--plan only says what would be done; leave out --enqueue, or --plan"),
        (["--enqueue", "--after", "77"], "there is no job 77; see the list with: python manage.py jobs"),
        (["--enqueue", "--cap", "rows"], "cap 'rows' cannot be read; write RESOURCE=NUMBER, for example "),
        (["--enqueue", "--cap", "euros=1"], "cap 'euros' is no resource; choose of rows, tokens, requests, money, "),
    ],
)
def test_options_that_make_no_sense_are_refused_in_one_line(project: Project, rows, options, line):
    assert one_line(project.run("load_pool", rows, *options)).startswith(line)
    assert not Job.objects.exists()
    assert not Question.objects.exists()


def test_what_cannot_work_is_refused_before_it_is_queued_by_the_line_of_the_command_in_place(project: Project):
    for words in (
        ["load_pool", "/no/such/file.jsonl"],
        ["annotate", "lengths"],
        ["export_selection", "nobody", "/tmp/nowhere"],
    ):
        lines = {one_line(project.run(*words, *more)) for more in ([], ["--plan"], ["--enqueue"])}
        assert len(lines) == 1, lines
    assert not Job.objects.exists()
