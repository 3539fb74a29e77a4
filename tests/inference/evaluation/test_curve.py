import json
import re
import shutil

import numpy as np
import pytest

from curation.errors import ConfigError, InputError
from inference import curve as command
from inference.evaluation.curve import arm_of, limits_of, read_curve
from inference.evaluation.folder import RUN, SAMPLES
from inference.metrics import Run, measure_arms
from tests.inference.evaluation.runs import evaluate, make_config, rows_of, write_problems


def forced(**forcing):
    return {"name": "budget_forcing", "forcing": {"max_answer_tokens": 12} | forcing}


@pytest.fixture
def runs(tmp_path):
    """Three caps and a Wait, over the same problems."""
    benchmark = write_problems(tmp_path / "sums.jsonl", 20)
    methods = {
        "cap1": forced(max_thinking_tokens=1),
        "cap6": forced(max_thinking_tokens=6),
        "free": {"name": "none", "max_answer_tokens": 12},
        "wait": forced(num_ignore=1),
    }
    return [
        evaluate(tmp_path, name=name, config=make_config(benchmark, method=row))[1] for name, row in methods.items()
    ]


def test_a_curve_is_what_its_samples_say(runs):
    curve = read_curve(runs, seed=1)
    points = curve["arms"]["all"]["points"]
    assert curve["num_problems"] == 20
    by_name = {point["run"]: point for point in points}
    expected = []
    for folder in runs:
        rows = rows_of(folder)
        tokens = np.array([row["thinking_tokens"] for row in rows])
        right = np.array([row["grade"]["is_right"] for row in rows], dtype=float)
        point = by_name[folder.name]
        assert point["thinking_tokens"]["value"] == pytest.approx(tokens.mean())
        assert point["accuracy"]["value"] == pytest.approx(right.mean())
        limit = {"cap1": 1.0, "cap6": 6.0}.get(folder.name)
        assert point["at_most"] == limit
        arm = {"free": "free", "wait": "wait"}.get(folder.name, "truncation")
        assert point["arm"] == arm
        expected.append(Run(folder.name, tokens, right, arm, at_most=limit))
    means = [point["thinking_tokens"]["value"] for point in points]
    assert means == sorted(means)
    for name, arm in measure_arms(expected, seed=1).items():
        found = curve["arms"][name]
        assert found["scaling"]["value"] == pytest.approx(arm.scaling.value)
        assert found["scaling"]["low"] == pytest.approx(arm.scaling.low)
        assert found["performance"]["value"] == pytest.approx(arm.performance.value)
    assert set(curve["arms"]) == {"all", "truncation", "wait"}
    assert curve["arms"]["all"]["control"]["value"] == 1.0
    assert curve["warnings"] == []


def test_problems_that_a_run_has_not_graded_are_left_out_of_all_and_counted(runs):
    rows = rows_of(runs[0])
    rows[3]["grade"] = {"is_right": None, "rule": "undecided"}
    del rows[7]
    (runs[0] / SAMPLES).write_text("".join(json.dumps(row) + "\n" for row in rows))
    curve = read_curve(runs)
    assert (curve["num_problems"], curve["num_left_out"]) == (18, 2)
    kept = [row for row in rows_of(runs[1]) if row["problem"] not in ("p003", "p007")]
    right = sum(row["grade"]["is_right"] for row in kept) / 18
    (point,) = [point for point in curve["arms"]["all"]["points"] if point["run"] == "cap6"]
    assert point["accuracy"]["value"] == pytest.approx(right)


def test_runs_that_were_made_in_other_ways_are_warned_of(runs):
    run = json.loads((runs[1] / RUN).read_text())
    run["model_sha256"] = "9" * 64
    run["config"]["engine"] = "vllm"
    (runs[1] / RUN).write_text(json.dumps(run))
    assert read_curve(runs)["warnings"] == ["cap1 and cap6 differ in model", "cap1 and cap6 differ in engine"]


def test_runs_without_a_common_problem_or_benchmark_are_refused(runs, tmp_path):
    with pytest.raises(ConfigError, match="no run; give the folders"):
        read_curve([])
    with pytest.raises(InputError, match="give the folder of a run"):
        read_curve([tmp_path / "nothing"])
    other = write_problems(tmp_path / "others.jsonl", 5)
    _, folder = evaluate(tmp_path, name="other", config=make_config(other))
    with pytest.raises(ConfigError, match="cap1 and other are runs on different problems"):
        read_curve([runs[0], folder])
    copy = tmp_path / "copies" / "cap1"
    shutil.copytree(runs[0], copy)
    with pytest.raises(ConfigError, match="two runs are named 'cap1'"):
        read_curve([runs[0], copy])
    (runs[0] / SAMPLES).write_text("")
    with pytest.raises(ConfigError, match="no graded problem in common"):
        read_curve(runs)


@pytest.mark.parametrize(
    ("method", "arm", "limits"),
    [
        ({"name": "none"}, "free", (None, None)),
        (forced(), "free", (None, None)),
        (forced(max_thinking_tokens=500), "truncation", (500.0, None)),
        (forced(max_thinking_tokens=500, num_ignore=2), "wait", (500.0, None)),
        ({"name": "token_conditional", "num_tokens": 1024, "forcing": None}, "free", (1024.0, None)),
        ({"name": "step_conditional", "num_steps": 16, "forcing": None}, "free", (1600.0, None)),
        ({"name": "class_conditional", "length": "short", "forcing": None}, "free", (6109.0, None)),
        ({"name": "class_conditional", "length": "long", "forcing": None}, "free", (None, 6109.0)),
        # what several samples spend together is under no limit
        ({"name": "rejection_sampling", "max_thinking_tokens": 4000}, "truncation", (None, None)),
        (
            {"name": "majority_voting", "num_samples": 4, "forcing": {"max_thinking_tokens": 100}},
            "truncation",
            (None, None),
        ),
    ],
)
def test_arm_and_limit_of_a_method_are_the_papers(method, arm, limits):
    assert arm_of(method) == arm
    assert limits_of(method, 6109.0) == limits


def test_the_command_prints_one_object_or_a_table_or_one_line(runs, capsys):
    names = [str(folder) for folder in runs]
    assert command.main([*names, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == read_curve(runs)
    assert command.main(names) == 0
    table = capsys.readouterr().out
    assert "cap6" in table
    assert "points per 1,000 tokens" in table
    assert command.main(["nowhere"]) == 1
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)


def test_a_metric_that_is_not_there_is_none_without_a_unit(runs, capsys):
    command.main([str(runs[2])])
    arm = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("all"))
    assert re.fullmatch(r"all +control none, scaling none, performance [\d.]+ % \[[\d.]+, [\d.]+\]", arm)
