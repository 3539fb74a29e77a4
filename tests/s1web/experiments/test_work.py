"""A run as work: stopped, killed, resumed, retried, as a job, and planned."""

import json
import signal
import subprocess
import sys
from collections import Counter

import pytest

from curation.errors import ConflictError, S1WebError
from inference.evaluation.config import config_from_json, config_to_json
from inference.evaluation.folder import SAMPLES, SESSIONS, read_jsonl
from inference.evaluation.work import carry_out, load
from s1web.experiments import services
from s1web.experiments.models import EvaluationRun, Sample
from s1web.experiments.queries import read_line
from s1web.experiments.work import evaluate_until, evaluation, plan_evaluation
from s1web.jobs.kinds import KINDS
from s1web.jobs.services import make_plan, resume, submit
from s1web.progress import ignore
from tests.inference.engines.completion_server import table_server
from tests.processes import ROOT
from tests.s1web.command_line import command
from tests.s1web.experiments.conftest import NUM_PROBLEMS, TEMPLATE, write_sums
from tests.workers.running import run_child, wait_for

__all__ = ["command"]
REPEATS = 150
FORCING = {"max_thinking_tokens": 12, "max_answer_tokens": 8}


@pytest.fixture
def params(tiny_model, sums):
    def make(name="run", retry_failed=False, **changes):
        config = {
            "model": str(tiny_model),
            "benchmark": str(sums),
            "method": {"name": "budget_forcing", "forcing": FORCING},
            "template": TEMPLATE,
            "grading": {"math_verify": False},
        }
        config = config_to_json(config_from_json(config | changes))
        return {
            "config": json.loads(json.dumps(config)),
            "name": name,
            "retry_failed": retry_failed,
            "made_by": "ada",
        }

    return make


def assert_in_step(name="run"):
    """Each line of the file has its row, once, and leads to it; returns the run."""
    run = EvaluationRun.objects.get(name=name)
    lines = {row["key"]: row for row in read_jsonl(run.folder / SAMPLES)}
    found = Counter(f"{sample.problem_key}/{sample.repeat}" for sample in run.samples.all())
    assert found == Counter(lines.keys())
    for sample in run.samples.all()[:20]:
        assert read_line(sample) == lines[f"{sample.problem_key}/{sample.repeat}"]
    assert run.num_done == len(lines)
    return run


def test_a_run_that_is_stopped_or_killed_goes_on_without_losing_or_doubling_a_row(either_project, params, tmp_path):
    made = params(repeats=REPEATS, sampling={"temperature": 1.0})
    path = tmp_path / "run.json"
    path.write_text(json.dumps(made["config"]))
    words = [sys.executable, "manage.py", "evaluate", "--config", str(path), "--name", "run", "--json"]

    file = either_project.artifact_dir / "evaluations" / "run" / SAMPLES

    def num_lines():
        return file.read_bytes().count(b"\n") if file.exists() else 0

    def start():
        before = num_lines()
        process = subprocess.Popen(
            words,
            cwd=ROOT,
            env=either_project.environment | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_for(lambda: process.poll() is not None or num_lines() > before, 120)
        return process

    process = start()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    stopped = assert_in_step()
    printed = json.loads(out)
    assert 0 < printed["num_done"] == stopped.num_done < NUM_PROBLEMS * REPEATS
    assert stopped.summary["num_done"] == stopped.num_done
    assert (stopped.finished_at, stopped.is_complete) == (None, False)

    process = start()
    process.kill()
    process.communicate(timeout=60)
    num_killed = num_lines()
    assert stopped.num_done < num_killed < NUM_PROBLEMS * REPEATS
    # rows follow the file, and may be behind it
    assert stopped.num_done <= Sample.objects.count() <= num_killed

    told = []
    result = evaluation(made, lambda done, total, /, **spent: told.append((done, total)))
    run = assert_in_step()
    assert result["is_complete"]
    assert run.is_complete
    assert run.finished_at is not None
    assert run.num_done == NUM_PROBLEMS * REPEATS
    assert told[0][0] == num_killed
    assert told[-1] == (NUM_PROBLEMS * REPEATS, NUM_PROBLEMS * REPEATS)
    assert sum(1 for _ in read_jsonl(run.folder / SESSIONS)) == 3


def test_rows_and_progress_follow_a_run_while_it_is_at_work(db, params, monkeypatch):
    monkeypatch.setattr(services, "_ROWS_SECONDS", 0)
    seen = []

    def report(done, total, /, **spent):
        seen.append((done, total, spent, Sample.objects.count()))

    evaluation(params(engine_options={"max_rows": 1}), report)
    assert [done for done, *_ in seen] == sorted(done for done, *_ in seen)
    assert seen[0] == (0, NUM_PROBLEMS, {"tokens": 0, "requests": 0}, 0)
    assert len({rows for *_, rows in seen}) > 2
    run = assert_in_step()
    done, total, spent, _ = seen[-1]
    assert (done, total, spent["requests"]) == (NUM_PROBLEMS, NUM_PROBLEMS, NUM_PROBLEMS)
    assert spent["tokens"] == run.summary["account"]["sampled_tokens"] > 0
    assert run.made_by == "ada"


def test_what_was_evaluated_without_the_database_is_taken_over(db, params):
    made = params()
    asked = []
    evaluate_until(made, ignore, lambda: len(asked) >= 3 or asked.append(True))
    assert assert_in_step().num_done == 3
    before = dict(Sample.objects.values_list("problem_key", "pk"))
    config = config_from_json(made["config"])
    folder = EvaluationRun.objects.get().folder
    carry_out(config, load(config, services.find_benchmark(config)), folder)
    assert Sample.objects.count() == 3
    evaluation(made, ignore)
    assert assert_in_step().num_done == NUM_PROBLEMS
    after = dict(Sample.objects.values_list("problem_key", "pk"))
    assert {key: after[key] for key in before} == before
    # and a database that was put back from an older copy has its rows again
    EvaluationRun.objects.all().delete()
    evaluation(made, ignore)
    assert assert_in_step().is_complete


def test_a_report_that_ends_the_work_keeps_what_was_stored(db, params):
    class Ended(BaseException):
        pass

    def report(done, total, /, **spent):
        if done >= 2:
            raise Ended

    with pytest.raises(Ended):
        evaluation(params(engine_options={"max_rows": 1}), report)
    run = assert_in_step()
    assert 2 <= run.num_done < NUM_PROBLEMS
    assert run.finished_at is None
    evaluation(params(engine_options={"max_rows": 1}), ignore)
    assert assert_in_step().is_complete


def test_failed_samples_are_done_anew_when_asked_and_their_rows_follow(either_project, params):
    evaluation(params(name="retried"), ignore)
    run = assert_in_step("retried")
    path = run.folder / SAMPLES
    rows = list(read_jsonl(path))
    for row in rows[2:4]:
        row |= {"error": "out of memory", "grade": None, "chosen": None, "candidates": []}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    evaluation(params(name="retried"), ignore)
    run = assert_in_step("retried")
    assert (run.num_done, run.num_failed) == (NUM_PROBLEMS, 2)
    assert plan_evaluation(params(name="retried")).total == 0
    assert plan_evaluation(params(name="retried", retry_failed=True)).total == 2
    evaluation(params(name="retried", retry_failed=True), ignore)
    run = assert_in_step("retried")
    assert (run.num_done, run.num_failed) == (NUM_PROBLEMS, 0)
    assert not run.samples.exclude(error="").exists()


# --- as a job ---


def test_a_job_stops_at_its_cap_and_goes_on_where_it_was(project, params):
    made = params(engine_options={"max_rows": 1}, repeats=4, sampling={"temperature": 1.0})
    job = submit("evaluate", made, caps={"requests": 10})
    assert job.queue == "gpu"
    job = run_child(project, job, OMP_NUM_THREADS="1")
    assert (job.state, job.error) == ("paused", "")
    assert job.note.startswith("stopped at its cap of 10 requests (")
    first = assert_in_step()
    assert 10 <= first.num_done < 32
    resume(job, {})
    job = run_child(project, job, OMP_NUM_THREADS="1")
    assert (job.state, job.error) == ("done", "")
    run = assert_in_step()
    assert run.num_done == 32
    assert (job.result["run"], job.result["num_done"], job.done, job.total) == ("run", 32, 32, 32)
    # of both starts; what was being graded when the first one reached its cap is in none
    assert 10 + 32 - first.num_done <= job.spent["requests"] <= 32


def test_a_model_behind_an_address_is_driven_by_a_cpu_worker_and_by_a_command(
    project, params, tiny_model, sums, settings_file
):
    with table_server(512) as server:
        elsewhere = {
            "model": "table",
            "tokenizer": str(tiny_model),
            "engine": "openai",
            "engine_options": {"address": server.address},
        }
        job = submit("evaluate_endpoint", params(name="job", **elsewhere))
        assert job.queue == "cpu"
        job = run_child(project, job)
        assert (job.state, job.error) == ("done", "")
        assert assert_in_step("job").num_done == NUM_PROBLEMS
        assert len(server.calls) >= NUM_PROBLEMS
        words = [
            *("evaluate", "--config", settings_file, "--engine", "openai", "--model", "table"),
            *("--engine-option", f"address={server.address}", "--tokenizer", tiny_model, "--benchmark", sums),
            *("--method", "budget_forcing", "--max-thinking-tokens", 12, "--set", "forcing.max_answer_tokens=8"),
        ]
        assert project.json(*words, "--name", "in-place")["num_done"] == NUM_PROBLEMS
        run = assert_in_step("in-place")
        assert run.model == "table"
        assert run.model_sha256 == ""
    words[words.index(f"address={server.address}")] = "address=http://127.0.0.1:9/v1"
    refused = project.run(*words, "--engine-option", "max_retries=0", "--name", "nobody")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.count("\n") == 1, refused.stderr
    assert "http://127.0.0.1:9/v1" in refused.stderr
    assert not EvaluationRun.objects.filter(name="nobody").exists()


def test_a_command_leaves_an_evaluation_to_the_queue_that_fits_it(command, words):
    queued = command(*words, "--name", "later", "--enqueue", "--json").json
    assert (queued["kind"], queued["queue"], queued["title"]) == ("evaluate", "gpu", "Evaluate later")
    assert queued["params"]["config"]["method"]["name"] == "budget_forcing"
    elsewhere = command(*words, "--engine", "openai", "--name", "elsewhere", "--enqueue", "--json").json
    assert (elsewhere["kind"], elsewhere["queue"]) == ("evaluate_endpoint", "cpu")
    assert KINDS["evaluate"].work == KINDS["evaluate_endpoint"].work
    assert not EvaluationRun.objects.exists()


# --- planned ---


def test_a_plan_counts_trials_requests_and_tokens_at_most_and_changes_nothing(db, params, artifact_dir):
    plan = make_plan("evaluate", params(repeats=3, limit=5, sampling={"temperature": 0.5}))
    assert (plan.title, plan.total, plan.unit) == ("Evaluate run", 15, "trials")
    assert plan.spends == {"requests": 15, "tokens": 15 * 20}
    assert plan.seconds == 30.0
    assert plan.notes == ("requests and tokens are upper bounds",)
    assert not EvaluationRun.objects.exists()
    assert not artifact_dir.exists()


def test_a_plan_counts_what_is_left(db, params):
    asked = []
    evaluate_until(params(), ignore, lambda: len(asked) >= 3 or asked.append(True))
    plan = plan_evaluation(params())
    assert plan.total == NUM_PROBLEMS - 3
    assert plan.notes[0] == "run run has 3 of 8 trials done"
    evaluation(params(), ignore)
    plan = plan_evaluation(params())
    assert (plan.total, plan.notes[0]) == (0, "run run has 8 of 8 trials done: there is nothing to do")


@pytest.mark.parametrize(
    ("method", "requests", "tokens"),
    [
        # the model's context is 1,024
        ({"name": "none"}, 1, 1024),
        ({"name": "budget_forcing", "forcing": {"max_thinking_tokens": 100}}, 1, 1024),
        ({"name": "budget_forcing", "forcing": {"max_thinking_tokens": 100, "max_answer_tokens": 50}}, 1, 150),
        ({"name": "token_conditional", "num_tokens": 64, "forcing": {"max_answer_tokens": 10}}, 1, 74),
        ({"name": "majority_voting", "num_samples": 4, "forcing": FORCING}, 4, 80),
        (
            {"name": "rejection_sampling", "max_thinking_tokens": 20, "max_attempts": 5, "max_answer_tokens": 9},
            6,
            109,
        ),
        (
            {"name": "rebase", "num_samples": 4, "max_steps": 3, "max_step_tokens": 10, "max_answer_tokens": 7},
            16,
            4 * 37,
        ),
    ],
)
def test_the_most_that_a_trial_takes_is_said_of_each_method(db, params, method, requests, tokens):
    plan = plan_evaluation(params(method=method, limit=1))
    assert plan.spends == {"requests": requests, "tokens": tokens}


def test_a_plan_without_a_bound_says_so(db, params):
    plan = plan_evaluation(params(model="somebody/elsewhere", method={"name": "none"}, repeats=2))
    assert plan.spends == {"requests": 16}
    assert plan.notes == (
        "tokens have no upper bound that is known here: give caps for thinking and answers",
        "requests and tokens are upper bounds",
        "repeats of greedy samples are all the same; give a --temperature",
    )


def test_no_trial_takes_more_than_the_plan_says(db, params):
    for name, method in {
        "forced": {"name": "budget_forcing", "forcing": FORCING},
        "votes": {"name": "majority_voting", "num_samples": 3, "forcing": FORCING},
        "rejected": {
            "name": "rejection_sampling",
            "max_thinking_tokens": 6,
            "max_attempts": 3,
            "max_answer_tokens": 5,
        },
    }.items():
        made = params(name=name, method=method, sampling={"temperature": 1.0})
        plan = plan_evaluation(made)
        account = evaluation(made, ignore)["account"]
        assert account["requests"] <= plan.spends["requests"]
        assert account["thinking_tokens"] + account["answer_tokens"] <= plan.spends["tokens"]


def test_a_plan_refuses_what_cannot_work_with_the_line_of_the_work_itself(db, params, tmp_path):
    evaluation(params(), ignore)
    wrong = [
        {"config": params()["config"] | {"method": {"name": "guess"}}, "name": "x"},
        {"config": params()["config"] | {"repeats": 0}, "name": "x"},
        {"config": params()["config"] | {"benchmark": "nothing"}, "name": "x"},
        {"config": params()["config"] | {"benchmark": str(write_sums(tmp_path / "no.jsonl", 1, answer=" "))}},
        params(name="a/b"),
        params(seed=5),
    ]
    for each in wrong:
        with pytest.raises(S1WebError) as planned:
            make_plan("evaluate", each)
        with pytest.raises(S1WebError) as worked:
            evaluation(each, ignore)
        assert str(planned.value) == str(worked.value)
        assert "\n" not in str(planned.value)


def test_two_do_not_work_on_one_run(db, params):
    refused = []

    def report(done, total, /, **spent):
        if not refused:
            with pytest.raises(ConflictError, match="another process works on this run; wait for it or stop it"):
                evaluation(params(), ignore)
            refused.append(done)

    evaluation(params(), report)
    assert refused
    assert assert_in_step().is_complete
