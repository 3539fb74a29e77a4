"""A job's own process: what it does to the row, what it writes to the log, and how it ends."""

import json
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import dj_database_url
import psutil
import pytest
from django.db import connection
from django.db.models import Sum

from curation.demo.pool import write_demo
from s1web.jobs import services, transitions
from s1web.jobs.logs import tail
from s1web.jobs.models import Job
from s1web.jobs.services import submit
from s1web.pool.models import Question, TraceLength
from tests.databases import connected
from tests.factories import make_job
from tests.processes import Project
from tests.s1web.pools import load_problems, load_rows, write_lines
from tests.workers.running import Child, is_alive, run_child, started_child, wait_for, within
from workers.child import AtCap, Ended, Progress

THOUGHT = "let me think step by step about this sum, "


def load_thoughts(folder: Path, count: int, num_characters: int) -> None:
    """Questions with a long trace each."""
    texts = [f"{number} {THOUGHT * (num_characters // len(THOUGHT))}" for number in range(count)]
    load_rows(folder, [{"question": f"Q{n}?", "thinking": text, "attempt": "7"} for n, text in enumerate(texts)])


def load_questions(folder: Path, count: int) -> None:
    """Questions, and a problem that none of them repeats."""
    load_rows(folder, [{"question": f"How many steps are {n} and {n * 7} steps?"} for n in range(count)])
    load_problems(folder, ["Is this one of them?"])


# --- the same work as in place ---


def in_place_and_as_jobs(make_migrated: Any, project: Project, commands: list[list[object]]) -> list[tuple[Any, Job]]:
    """For each command what it printed in place, on a database of its own, and the ended job of its like here."""
    printed = make_migrated("sqlite").json_all(commands)
    queued = project.json_all([[*command, "--enqueue"] for command in commands])
    jobs = [services.find_job(item["job"]) for item in queued]
    return [(result, run_child(project, job)) for result, job in zip(printed, jobs, strict=True)]


def comparable(result: dict[str, Any]) -> dict[str, Any]:
    """Without what differs between two runs of the same: the time, and the artifact folder."""
    rejected = result.get("rejected_file")
    return result | {"seconds": 0} | ({"rejected_file": Path(rejected).name} if rejected else {})


def test_a_job_gives_the_result_that_its_command_prints_in_place(make_migrated, project, tokenizer, files):
    demo = write_demo(files / "demo", num_questions=300)
    bad = files / "bad.jsonl"
    bad.write_text('{"question": "Is this one good?", "answer": "yes", "color": "red"}\n{"broken\n')
    out = [files / "out-in-place", files / "out-job"]
    commands: list[list[object]] = [
        ["load_pool", demo.pool],
        ["load_pool", bad, "--source", "mine"],
        ["load_benchmark", demo.benchmark, "--name", "demo"],
        ["annotate", "lengths", "--tokenizer", tokenizer, "--tokenizer-name", "own"],
        ["annotate", "contamination"],
        ["annotate", "search"],
        ["curate", "--preset", "paper", "--size", 50, "--tokenizer", "own"],
        ["export_selection", "paper-50-seed0", out[0]],
    ]
    pairs = in_place_and_as_jobs(make_migrated, project, commands[:-1])
    for printed, job in pairs:
        assert job.state == "done", (job.kind, job.error)
        assert job.result is not None
        assert comparable(job.result) == comparable(printed), job.kind
        assert job.done == job.total or job.kind == "load_benchmark", job.kind
        assert (job.error, job.claim, job.num_losses) == ("", "", 0)
    assert pairs[1][0]["rejected"] == 1
    # both go on from what is in the database now, to folders of their own
    printed = project.json(*commands[-1])
    job = run_child(project, submit("export_selection", {"selection": "paper-50-seed0", "out_dir": str(out[1])}))
    assert comparable(job.result or {}) == comparable(json.loads(json.dumps(printed).replace(*map(str, out))))
    assert (job.done, job.total) == (printed["rows"], printed["rows"])


def test_a_job_fails_with_the_line_that_its_command_prints_in_place(project, tokenizer, slow_tokenizer, files):
    demo = write_demo(files / "demo", num_questions=300)
    vanishing = write_lines(files / "vanishing.jsonl", [{"question": "Here today?"}])
    project.json_all(
        [
            ["load_pool", demo.pool],
            ["load_benchmark", demo.benchmark, "--name", "demo"],
            ["annotate", "lengths", "--tokenizer", tokenizer, "--tokenizer-name", "taken", "--limit", 1],
            ["curate", "--preset", "random", "--size", 50, "--name", "taken"],
        ]
    )
    commands: list[list[object]] = [
        ["annotate", "lengths", "--tokenizer", slow_tokenizer, "--tokenizer-name", "taken"],
        ["curate", "--preset", "random", "--size", 51, "--name", "taken"],
        ["load_pool", vanishing],
    ]
    queued = project.json_all([[*command, "--enqueue"] for command in commands])
    jobs = [services.find_job(item["job"]) for item in queued]
    vanishing.unlink()
    for command, job in zip(commands, jobs, strict=True):
        in_place = project.run(*command)
        assert in_place.returncode == 1
        ended = run_child(project, job)
        assert (ended.state, ended.error, ended.result) == ("failed", in_place.stderr.rstrip("\n"), None)
        assert ended.ended_at is not None
        log = tail(ended.pk)
        assert ended.error in log
        assert "Traceback" not in log


def test_a_fault_in_the_code_gives_one_line_in_the_row_and_a_traceback_in_the_log(project):
    job = make_job(kind="load_pool", params={"paths": 5})
    ended = run_child(project, job)
    assert ended.state == "failed"
    assert ended.error.startswith("a fault in the program, TypeError: ")
    assert ended.error.endswith("; see the log of the job")
    assert "\n" not in ended.error
    log = tail(job.pk)
    assert "Traceback (most recent call last)" in log
    assert "TypeError" in log


def test_the_log_says_what_ran_where_and_how_it_ended(project):
    job = submit("trial_cpu", {"seconds": 1})
    run_child(project, job)
    lines = tail(job.pk).splitlines()
    assert lines[0].endswith("INFO start 1 on test, version 1: Trial of a worker, 1 s")
    assert any(line.endswith("INFO 0 of 1 steps") for line in lines)
    assert lines[-1].endswith("INFO done")


# --- progress over several starts ---


@pytest.mark.parametrize(
    ("kind", "chunk"),
    [("annotate_contamination", 4_000), ("annotate_lengths", None)],
    ids=["contamination", "lengths"],
)
def test_a_job_goes_on_from_its_last_chunk_and_its_count_never_goes_back(project, files, tokenizer, kind, chunk):
    if kind == "annotate_lengths":
        load_thoughts(files, 1_200, 5_000)  # a chunk is 2,000,000 characters
        total, params = 1_200, {"tokenizer": tokenizer}
    else:
        load_questions(files, 9_000)
        total, params = 9_000, {}
    job = submit(kind, params, caps={"rows": 1})
    paused = run_child(project, job)
    first = paused.done
    assert 0 < first < total
    assert chunk is None or first == chunk
    assert (paused.state, paused.total, paused.spent["rows"]) == ("paused", total, first)
    assert paused.note == f"stopped at its cap of 1 rows ({first:,} spent); resume it with a higher one"
    assert "stopped at its cap of 1 rows" in tail(job.pk)
    # without a higher cap nothing more is done
    services.resume(job)
    again = run_child(project, job)
    assert (again.state, again.done, again.spent["rows"]) == ("paused", first, first)
    services.resume(job, {"rows": first + 1})
    assert run_child(project, job).state == "paused"
    second = job.done
    assert first < second < total
    services.resume(job, {"rows": 10 * total})
    seen = []
    with started_child(project, job) as child:
        while child.process.poll() is None:
            row = child.row()
            seen.append((row.done, row.total))
            time.sleep(0.01)
    done = child.row()
    assert done.state == "done", done.error
    assert (done.done, done.total, done.spent["rows"]) == (total, total, total)
    assert {of for _, of in seen} == {total}
    assert [n for n, _ in seen] == sorted(n for n, _ in seen)
    assert seen[0][0] == second
    assert done.num_starts == 4
    # the result is that of the last start: what it found done it skipped
    assert done.result is not None
    assert (done.result["done"], done.result["skipped"]) == (total - second, second)


def test_tokens_count_over_all_starts_and_a_cap_of_them_stops_a_job(project, files, tokenizer):
    load_thoughts(files, 1_200, 5_000)
    job = submit("annotate_lengths", {"tokenizer": tokenizer}, caps={"tokens": 1_000})
    paused = run_child(project, job)
    counted = TraceLength.objects.aggregate(sum=Sum("tokens"))["sum"]
    assert paused.state == "paused"
    assert paused.spent["tokens"] == counted >= 1_000
    assert paused.note.startswith("stopped at its cap of 1,000 tokens (")
    services.resume(job, {"tokens": 1e12})
    done = run_child(project, job)
    assert done.state == "done"
    assert done.spent["tokens"] == TraceLength.objects.aggregate(sum=Sum("tokens"))["sum"] > counted
    assert TraceLength.objects.count() == 1_200


def test_a_limit_is_of_the_job_and_not_of_each_of_its_starts(project, files):
    load_questions(files, 13_000)
    job = submit("annotate_contamination", {"limit": 10_000}, caps={"rows": 5_000})
    assert run_child(project, job).done == 8_000
    services.resume(job, {})
    done = run_child(project, job)
    assert (done.state, done.done, done.total, done.spent["rows"]) == ("done", 10_000, 10_000, 10_000)


def test_a_job_that_has_done_all_is_done_although_the_last_chunk_went_over_its_cap(project, files):
    load_questions(files, 100)
    done = run_child(project, submit("annotate_contamination", {}, caps={"rows": 50}))
    assert (done.state, done.spent) == ("done", {"rows": 100})


def test_a_capped_import_keeps_what_it_has_loaded_and_goes_on(project, files):
    rows = [{"question": f"How many steps are {n} and {n * 7} steps?"} for n in range(5_000)]
    path = write_lines(files / "rows.jsonl", rows)
    job = submit("load_pool", {"paths": [str(path)]}, caps={"rows": 1})
    paused = run_child(project, job)
    assert paused.state == "paused"
    loaded = Question.objects.count()
    assert 0 < loaded < 5_000
    assert paused.spent["rows"] == loaded
    services.resume(job, {})
    done = run_child(project, job)
    assert done.state == "done"
    assert done.spent["rows"] == Question.objects.count() == 5_000


class Row:
    """Drives `Progress` on a real row, without the process around it."""

    def __init__(self, **values: Any) -> None:
        self.job = make_job("running", plan={"unit": "rows"}, **values)
        self.claim = transitions.Claim(self.job.pk, self.job.claim)
        self.progress = Progress(self.claim, self.job)

    def told(self) -> tuple[int, int, dict[str, float]]:
        self.progress.flush()
        self.job.refresh_from_db()
        return self.job.done, self.job.total, self.job.spent


def test_the_first_report_is_written_at_once_and_later_ones_are_thinned_out(project):
    row = Row()
    row.progress(3, 100)
    row.job.refresh_from_db()
    assert (row.job.done, row.job.total) == (3, 100)
    row.progress(4, 100)
    row.job.refresh_from_db()
    assert row.job.done == 3
    time.sleep(0.35)
    row.progress(9, 100)
    row.job.refresh_from_db()
    assert row.job.done == 9
    # six steps in that time
    assert 6 / 1.0 < row.job.rate < 6 / 0.3


@pytest.mark.parametrize(
    ("before", "report", "after"),
    [
        # the first start: as it is told
        ({"num_starts": 1, "total": 500}, (0, 400), (0, 400)),
        # work that counts what is left: 600 of 1,000 were done before
        ({"num_starts": 2, "total": 1_000, "done": 600}, (0, 400), (600, 1_000)),
        ({"num_starts": 2, "total": 1_000, "done": 600}, (100, 400), (700, 1_000)),
        # a chunk that was stored, but not told, before the process was killed
        ({"num_starts": 2, "total": 1_000, "done": 600}, (0, 300), (700, 1_000)),
        # work that counts from the beginning each time
        ({"num_starts": 2, "total": 1_000, "done": 600}, (50, 1_000), (50, 1_000)),
        # nobody knows how much there is
        ({"num_starts": 2, "total": 0, "done": 600}, (50, 0), (50, 0)),
    ],
)
def test_a_later_start_counts_on_where_its_work_skips_what_is_done(project, before, report, after):
    row = Row(**before)
    row.progress(*report)
    assert row.told()[:2] == after


def test_what_was_spent_before_counts(project):
    row = Row(num_starts=2, total=10, spent={"rows": 4, "tokens": 40})
    row.progress(1, 6, rows=1)
    assert row.told()[2] == {"rows": 5, "tokens": 40}
    row.progress(2, 6, rows=2, tokens=20, requests=1)
    assert row.told()[2] == {"rows": 6, "tokens": 60, "requests": 1}


def test_a_cap_is_met_when_it_is_reached_and_told_of_by_then(project):
    row = Row(caps={"tokens": 100, "rows": 1_000})
    row.progress(1, 10, tokens=99, rows=1)
    with pytest.raises(AtCap, match=r"^stopped at its cap of 100 tokens \(100 spent\); resume it with a higher one$"):
        row.progress(2, 10, tokens=100, rows=2)
    row.job.refresh_from_db()
    assert (row.job.done, row.job.spent) == (2, {"tokens": 100, "rows": 2})


def test_work_whose_claim_was_taken_ends_at_its_next_report(project):
    row = Row()
    row.progress(1, 10)
    Job.objects.update(claim="another")
    time.sleep(0.35)
    with pytest.raises(Ended):
        row.progress(2, 10)
    assert Job.objects.get().done == 1


# --- how it ends ---


def is_up(child: Child) -> bool:
    """Whether the work itself has begun."""
    return child.row().heartbeat_at != child.row().started_at


def test_a_process_that_is_asked_to_end_does_so_and_leaves_the_row_to_its_worker(project):
    job = submit("trial_cpu", {"seconds": 60})
    with started_child(project, job) as child:
        wait_for(lambda: is_up(child), 30, child.log)
        child.process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        assert child.wait(5) == 0
        assert time.monotonic() - started < within(2)
        assert (child.row().state, child.row().error) == ("running", "")
        assert "stopped as asked" in child.log()
        assert "Traceback" not in child.log()


def test_ctrl_c_in_the_workers_terminal_is_not_for_the_job(project):
    job = submit("trial_cpu", {"seconds": 2})
    with started_child(project, job) as child:
        wait_for(lambda: is_up(child), 30, child.log)
        child.process.send_signal(signal.SIGINT)
        assert child.wait() == 0
        assert child.row().state == "done"


def test_a_process_whose_worker_has_died_ends_at_once_with_all_that_it_started(project, files):
    rows = [{"question": f"{n}? {'steps ' * 200}"} for n in range(30_000)]
    path = write_lines(files / "rows.jsonl", rows)
    job = submit("load_pool", {"paths": [str(path)]})
    with started_child(project, job) as child:
        # a file of this size is read by a second process
        wait_for(lambda: child.row().done > 0, 60, child.log)
        family = psutil.Process(child.process.pid).children(recursive=True)
        assert family
        assert child.process.stdin is not None
        child.process.stdin.close()
        started = time.monotonic()
        assert child.wait(5) == -signal.SIGKILL
        psutil.wait_procs(family, timeout=5)
        assert not [process for process in family if is_alive(process)]
        assert time.monotonic() - started < within(2)
        assert child.row().state == "running"


def test_a_process_in_a_long_call_of_a_library_ends_with_its_worker_too(project, files, slow_tokenizer):
    load_thoughts(files, 1, 6_000_000)
    job = submit("annotate_lengths", {"tokenizer": slow_tokenizer})
    with started_child(project, job) as child:
        wait_for(lambda: is_up(child), 30, child.log)
        time.sleep(0.5)
        assert child.process.stdin is not None
        child.process.stdin.close()
        started = time.monotonic()
        assert child.wait(5) == -signal.SIGKILL
        assert time.monotonic() - started < within(1)
    assert not TraceLength.objects.exists()


def test_a_job_that_was_taken_away_before_its_process_was_up_is_left_alone(project):
    job = submit("trial_cpu", {"seconds": 5})
    with started_child(project, job) as child:
        Job.objects.update(claim="another")
        assert child.wait() == 0
        assert child.row().done == 0
        assert "was stopped or given to another worker before this start" in child.log()


def test_a_job_that_was_taken_away_on_the_way_writes_nothing_more(project):
    job = submit("trial_cpu", {"seconds": 20})
    with started_child(project, job) as child:
        wait_for(lambda: child.row().done >= 1, 30, child.log)
        Job.objects.update(claim="another", done=77)
        assert child.wait(5) == 0
        assert (child.row().done, child.row().state) == (77, "running")


def test_a_postgresql_that_goes_away_is_no_failure_of_the_job(make_migrated, postgres, django_db_blocker, files):
    made = make_migrated("postgresql")
    with django_db_blocker.unblock(), connected(made):
        job = submit("trial_cpu", {"seconds": 30})
        with started_child(made, job) as child:
            wait_for(lambda: child.row().done >= 1, 30, child.log)
            # the test's own connection goes first, so that all others are the job's
            connection.close()
            name = dj_database_url.parse(made.database_url)["NAME"]
            killed = postgres.psql(
                f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}'"
            )
            assert " 1\n" in killed
            assert child.wait(10) == 1
            assert "the database went away" in child.log()
            assert (child.row().state, child.row().error) == ("running", "")


def test_an_sqlite_that_others_keep_busy_is_no_failure_of_the_job(project):
    job = submit("trial_cpu", {"seconds": 30})
    with started_child(project, job, SQLITE_TIMEOUT_SECONDS="1") as child:
        wait_for(lambda: child.row().done >= 1, 30, child.log)
        other = sqlite3.connect(project.sqlite_path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert child.wait(10) == 1
        other.execute("ROLLBACK")
        other.close()
        assert "the database went away" in child.log()
        assert (child.row().state, child.row().error) == ("running", "")


def test_a_process_without_a_claim_does_nothing(project):
    job = make_job(claim="the right one")
    with started_child(project, job) as child:
        child.process.kill()
    transitions.release(child.claim)
    before = Job.objects.values().get()
    done = project.python("-m", "workers.child", job.pk, child.claim.token)
    assert done.returncode in (0, 1)
    assert Job.objects.values().get() == before
