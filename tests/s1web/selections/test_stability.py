"""The report on seeds as a job: what it says, what it refuses, and that it leaves nothing but itself."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from curation.demo.pool import DemoPool
from curation.errors import ConfigError, NotFoundError
from curation.presets import MAX_SEED, PRESETS, recipe_from_toml
from s1web.jobs.models import Job
from s1web.jobs.services import make_plan, submit
from s1web.progress import ignore
from s1web.selections.models import CurationRun, Selection
from s1web.selections.services import curate
from s1web.selections.work import MAX_SEEDS, plan_seed_stability, seed_stability
from tests.factories import EVALUATION_QUESTIONS, make_rows
from tests.s1web.command_line import Ended, command
from tests.s1web.pools import load_problems, load_rows
from tests.workers.running import run_child

# a fixture
__all__ = ["command"]

PAPER = replace(PRESETS["paper"], size=30, seed=5)


def test_the_report_is_that_of_runs_with_these_seeds(demo_pool: DemoPool):
    result = seed_stability({"recipe": PAPER.to_toml(), "num_seeds": 4}, ignore)
    assert not CurationRun.objects.exists()
    runs = [curate(replace(PAPER, seed=seed), name=f"seed {seed}").result for seed in range(5, 9)]
    assert [item["seed"] for item in result["outcomes"]] == [5, 6, 7, 8]
    assert [item["sha256"] for item in result["outcomes"]] == [run.sha256 for run in runs]
    always = set.intersection(*(set(run.hashes) for run in runs))
    assert set(result["always"]) == always
    assert result["num_always"] == len(always)
    assert result["recipe"]["benchmarks"] == ["demo"]


def test_progress_goes_seed_by_seed(demo_pool: DemoPool):
    told: list[tuple[int, int]] = []
    seed_stability({"recipe": PAPER.to_toml(), "num_seeds": 3}, lambda done, total, **_: told.append((done, total)))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_seeds_at_the_end_of_their_range_are_those_before_it(demo_pool: DemoPool):
    result = seed_stability({"recipe": replace(PAPER, seed=MAX_SEED).to_toml(), "num_seeds": 2}, ignore)
    assert [item["seed"] for item in result["outcomes"]] == [MAX_SEED - 1, MAX_SEED]


@pytest.mark.parametrize("num_seeds", [0, 1, MAX_SEEDS + 1, "20", True, 2.5])
def test_a_number_of_seeds_that_tells_nothing_is_refused(db: None, num_seeds):
    with pytest.raises(ConfigError, match=f"tells nothing of stability; give a whole number from 2 to {MAX_SEEDS}"):
        plan_seed_stability({"recipe": PAPER.to_toml(), "num_seeds": num_seeds})


def test_the_plan_says_what_to_know_before(db: None):
    plan = make_plan("seed_stability", {"recipe": replace(PRESETS["longest"], near_duplicates=True).to_toml()})
    assert (plan.total, plan.unit) == (20, "seeds")
    assert plan.seconds
    assert plan.notes == (
        "the pool is empty: load questions first",
        "method longest draws nothing: every seed gives the same",
        "near duplicates are looked for once, which takes longer than all draws",
    )


def test_an_empty_pool_is_refused(db: None):
    with pytest.raises(NotFoundError, match="the pool is empty; load questions with load_pool first"):
        seed_stability({"recipe": PAPER.to_toml()}, ignore)


def test_as_a_job_it_stores_its_report_alone(project, tmp_path: Path):
    load_rows(tmp_path, make_rows(random.Random(3), 200))
    load_problems(tmp_path, EVALUATION_QUESTIONS)
    recipe = replace(PRESETS["diverse"], size=12, near_duplicates=True)
    job = run_child(project, submit("seed_stability", {"recipe": recipe.to_toml(), "num_seeds": 3}))
    assert job.state == "done", job.error
    assert (job.done, job.total) == (3, 3)
    assert [item["size"] for item in job.result["outcomes"]] == [12, 12, 12]
    assert job.result["num_pairs"] == 3
    assert not Selection.objects.exists()


def test_the_command_reports_what_the_job_reports(demo_pool: DemoPool, command: Callable[..., Ended], tmp_path: Path):
    expected = seed_stability({"recipe": PAPER.to_toml(), "num_seeds": 3}, ignore)
    run = curate(PAPER, name="mine").run
    (tmp_path / "mine.toml").write_text(PAPER.to_toml())
    by_preset = ["--preset", "paper", "--size", 30, "--seed", 5]
    for given in ([run.pk], ["--recipe", tmp_path / "mine.toml"], by_preset):
        found = command("stability", *given, "--seeds", 3, "--json").json
        assert found["outcomes"] == json.loads(json.dumps(expected["outcomes"]))
        assert found["overlap"] == list(expected["overlap"])
    assert CurationRun.objects.count() == 1
    shown = " ".join(command("stability", run.pk, "--seeds", 3).out.split())
    mean, least, most = expected["overlap"]
    assert f"{mean:.3f}, {least:.3f} to {most:.3f} over 3 pairs of 3 seeds" in shown
    assert f"drawn by every seed: {expected['num_always']}" in shown
    for item in expected["outcomes"]:
        assert f"{item['seed']} 30 {item['num_domains']} {item['quartiles'][1]:,.0f} {item['sha256']}" in shown


def test_the_command_leaves_the_report_to_a_worker(demo_pool: DemoPool, command: Callable[..., Ended]):
    planned = command("stability", "--preset", "diverse", "--seeds", 7, "--plan", "--json").json
    assert (planned["total"], planned["unit"]) == (7, "seeds")
    assert not Job.objects.exists()
    queued = command("stability", "--preset", "diverse", "--seed", 2, "--enqueue", "--json").json
    job = Job.objects.get(pk=queued["job"])
    assert (job.kind, job.state, job.params["num_seeds"]) == ("seed_stability", "queued", 20)
    assert recipe_from_toml(job.params["recipe"]) == replace(PRESETS["diverse"], seed=2)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "give a run's number, --preset or --recipe, one of the three"),
        ([1, "--preset", "paper"], "give a run's number, --preset or --recipe, one of the three"),
        ([7], "no run 7 (there is none yet)"),
        (["--preset", "best"], "best"),
        (["--preset", "paper", "--seeds", 1], "num_seeds=1 tells nothing of stability"),
        (["--preset", "paper"], "the pool is empty"),
        (["--recipe", "nowhere.toml"], "nowhere.toml: No such file"),
    ],
)
def test_the_command_refuses_what_cannot_be_drawn(db: None, command: Callable[..., Ended], given, said):
    assert said in command("stability", *given).refusal
