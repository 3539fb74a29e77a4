"""A run through its command line: one trajectory of losses however it is computed, stopped or killed."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.training.runs import ROOT, command, metrics_of, weights_of, write_run

CLOSE = 1e-4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("training")


@pytest.fixture(scope="module")
def plain(folder):
    """The run that others are compared with: eight rows at once, uninterrupted."""
    run = write_run(folder)
    done = command(run, "--json")
    assert done.returncode == 0, done.stderr
    return folder / "run", json.loads(done.stdout)


def losses(folder):
    return [line["loss"] for line in metrics_of(folder)]


def test_a_run_leaves_a_model_metrics_and_what_made_it(plain):
    folder, record = plain
    lines = metrics_of(folder)
    assert [line["step"] for line in lines] == list(range(1, 11))
    assert lines[-1]["loss"] < lines[0]["loss"] - 0.5
    assert lines[4]["epoch"] == pytest.approx(1.0)
    assert all(line["grad_norm"] > 0 and line["tokens_per_second"] > 0 for line in lines)
    assert lines[0]["mfu"] is None
    assert json.loads((folder / "run.json").read_text()) == record
    assert (record["state"], record["step"], record["rows"], record["device"]) == ("done", 10, 40, "cpu")
    assert record["config"]["seed"] == 0
    assert record["libraries"]["trl"]
    assert len(record["rows_sha256"]) == 64
    assert {path.suffix for path in (folder / "model").iterdir()} >= {".safetensors"}
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    assert model.config.vocab_size == len(tokenizer)


@pytest.mark.parametrize(
    ("name", "changes", "processes"),
    [
        ("accumulated", {"micro_batch_size": 1}, 1),
        ("halves", {"micro_batch_size": 4}, 1),
        ("padding_free", {"is_padding_free": True}, 1),
        ("checkpointed", {"checkpoints_gradients": True}, 1),
        ("two_processes", {"micro_batch_size": 4}, 2),
        ("two_processes_accumulated", {"micro_batch_size": 2}, 2),
    ],
)
def test_the_losses_are_the_same_however_a_step_is_computed(folder, plain, name, changes, processes):
    run = write_run(folder, name=name, **changes)
    done = command(run, processes=processes)
    assert done.returncode == 0, done.stderr
    assert losses(folder / name) == pytest.approx(losses(plain[0]), abs=CLOSE)
    assert done.stdout.count("done at step 10 of 10") == 1
    for key, weight in weights_of(folder / name).items():
        assert (weight - weights_of(plain[0])[key]).abs().max() < 1e-3, key


@pytest.mark.parametrize(("micro_batch_size", "processes"), [(1, 1), (4, 1), (4, 2)])
def test_an_epochs_smaller_last_step_counts_its_rows_once(folder, micro_batch_size, processes):
    """37 rows are four steps of 8 and one of 5."""
    if not (folder / "ragged" / "metrics.jsonl").exists():
        command(write_run(folder, name="ragged", num_rows=37))
    name = f"ragged{micro_batch_size}x{processes}"
    run = write_run(folder, name=name, num_rows=37, micro_batch_size=micro_batch_size)
    assert command(run, processes=processes).returncode == 0
    assert len(losses(folder / name)) == 10
    assert losses(folder / name) == pytest.approx(losses(folder / "ragged"), abs=CLOSE)
    rows = [line["tokens"] for line in metrics_of(folder / name)]
    assert rows[4] < min(rows[:4])


def test_a_stopped_run_goes_on_as_if_nothing_had_been(folder, plain):
    run = write_run(folder, name="stopped")
    process = subprocess.Popen(
        [sys.executable, "-m", "training.sft", str(run)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    path = folder / "stopped" / "metrics.jsonl"
    while not (path.exists() and path.read_text().count("\n") >= 2):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate()
    assert process.returncode == 0
    stopped_at = json.loads((folder / "stopped" / "run.json").read_text())["step"]
    assert f"stopped at step {stopped_at} of 10" in out
    assert len(losses(folder / "stopped")) == stopped_at < 10
    assert not (folder / "stopped" / "model").exists()
    done = command(run)
    assert "done at step 10 of 10" in done.stdout, done.stderr
    assert losses(folder / "stopped") == pytest.approx(losses(plain[0]), abs=1e-6)
    assert all((weight == weights_of(plain[0])[key]).all() for key, weight in weights_of(folder / "stopped").items())


def test_a_run_that_was_killed_20_times_loses_no_step_and_doubles_none(folder, plain):
    run = write_run(folder, name="killed", num_rows=40, epochs=10, save_every=2)
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.killing", str(run), "20", "7"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == ["20"]
    quiet = write_run(folder, name="quiet", num_rows=40, epochs=10, save_every=50)
    assert command(quiet).returncode == 0
    assert [line["step"] for line in metrics_of(folder / "killed")] == list(range(1, 51))
    assert losses(folder / "killed") == losses(folder / "quiet")
    ours, theirs = weights_of(folder / "killed"), weights_of(folder / "quiet")
    assert all((ours[key] == theirs[key]).all() for key in theirs)
    kept = sorted(path.name for path in (folder / "killed" / "checkpoints").glob("checkpoint-*"))
    assert kept == ["checkpoint-48", "checkpoint-50"]


def test_a_finished_run_is_not_trained_again(plain):
    folder, record = plain
    before = (folder / "metrics.jsonl").read_bytes()
    done = command(folder.with_suffix(".json"), "--json")
    assert json.loads(done.stdout) == record
    assert (folder / "metrics.jsonl").read_bytes() == before


def test_adapters_are_trained_and_the_rest_stays(folder, plain):
    run = write_run(folder, name="lora", lora={"rank": 4, "alpha": 8}, learning_rate=3e-2)
    done = command(run)
    assert done.returncode == 0, done.stderr
    assert losses(folder / "lora")[-1] < losses(folder / "lora")[0] - 0.3
    kept = {path.name for path in (folder / "lora" / "model").iterdir()}
    assert "adapter_model.safetensors" in kept
    assert "model.safetensors" not in kept
