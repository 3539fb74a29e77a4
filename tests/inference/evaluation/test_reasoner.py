"""The paper's picture on a model of this test's own: accuracy rises with the cap, and goes on to rise with Waits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.inference import reasoner

ROOT = Path(__file__).resolve().parents[3]
NUM_STEPS, NUM_PROBLEMS = 600, 150
FORCING = {"max_answer_tokens": 8, "forced_answer": reasoner.FORCED_ANSWER}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reasoner")
    reasoner.train(folder, num_steps=NUM_STEPS)
    return folder, reasoner.write_problems(folder / "chains.jsonl", NUM_PROBLEMS, seed=99)


def evaluate(trained, name, **forcing):
    """The summary of a run by the command line, as a user starts it."""
    model, benchmark = trained
    run = model / f"{name}.json"
    row = {
        "model": str(model),
        "benchmark": str(benchmark),
        "method": {"name": "budget_forcing", "forcing": FORCING | forcing},
        "engine_options": {"max_rows": 150},
    }
    run.write_text(json.dumps(row))
    done = subprocess.run(
        [sys.executable, "-m", "inference.evaluate", str(run), "--json"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_accuracy_rises_with_the_cap_and_with_waits(trained):
    runs = {
        "cap00": evaluate(trained, "cap00", max_thinking_tokens=0),
        "cap09": evaluate(trained, "cap09", max_thinking_tokens=9),
        "free": evaluate(trained, "free"),
        "wait1": evaluate(trained, "wait1", num_ignore=1),
        "wait2": evaluate(trained, "wait2", num_ignore=2),
        "wait4": evaluate(trained, "wait4", num_ignore=4),
    }
    shares = {name: summary["accuracy"]["value"] for name, summary in runs.items()}
    tokens = [summary["statistics"]["thinking_tokens"]["mean"] for summary in runs.values()]
    assert tokens == sorted(tokens)
    assert shares["cap00"] < shares["free"] - 0.15, shares
    assert shares["cap09"] < shares["free"] - 0.1, shares
    assert shares["free"] + 0.08 < shares["wait1"] < shares["wait2"] + 0.02, shares
    assert max(shares["wait2"], shares["wait4"]) > shares["free"] + 0.15, shares
    model, _ = trained
    done = subprocess.run(
        [sys.executable, "-m", "inference.curve", *(str(model / name) for name in runs), "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    curve = json.loads(done.stdout)
    assert curve["arms"]["truncation"]["scaling"]["low"] > 0
    assert curve["arms"]["wait"]["scaling"]["low"] > 0
    assert curve["arms"]["truncation"]["control"]["value"] == 1.0
