"""What cannot be trained, or not to its end: one clear line, and nothing half-written is taken for a model."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.training.runs import ROOT, command, metrics_of, write_run

IN_A_SMALL_DISK = """
mount -t tmpfs -o size="$1" none "$2" || exit 99
shift 2
"$@"; code=$?
cp -r "$DISK" "$KEPT"
exit $code
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bad")


@pytest.mark.parametrize("size", ["40k", "200k", "500k", "700k"])
def test_a_full_disk_is_said_in_one_line_and_the_run_goes_on_with_more_room(folder, size):
    run = write_run(folder, name=f"full{size}")
    disk, kept = folder / f"disk{size}", folder / f"kept{size}"
    disk.mkdir()
    start = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", IN_A_SMALL_DISK, "sh", size, str(disk)]
    if shutil.which("unshare") is None:
        pytest.skip("unshare(1) is not installed, so no small disk can be mounted")
    done = subprocess.run(
        [*start, sys.executable, "-m", "training.sft", str(run), "--out", str(disk / "run"), "--json"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "DISK": str(disk), "KEPT": str(kept)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 99 or "unshare failed" in done.stderr:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"the disk of {disk / 'run'} is full; make room and start again")
    assert "Traceback" not in done.stderr
    assert not (kept / "run" / "model").exists()
    record = json.loads((kept / "run" / "run.json").read_text())
    assert record["state"] == "failed"
    checkpoints = [path.name for path in (kept / "run" / "checkpoints").glob("checkpoint-*")]
    assert checkpoints == ([f"checkpoint-{record['step']}"] if record["step"] else [])
    again = command(run, "--out", kept / "run")
    assert "done at step 10 of 10" in again.stdout, again.stderr
    assert [line["step"] for line in metrics_of(kept / "run")] == list(range(1, 11))


def without_tokenizer(model):
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (model / name).unlink(missing_ok=True)


def without_weights(model):
    (model / "model.safetensors").unlink()


def with_pickled_weights(model):
    import torch

    (model / "model.safetensors").unlink()
    torch.save({}, model / "pytorch_model.bin")


def with_code_of_its_own(model):
    path = model / "config.json"
    row = json.loads(path.read_text()) | {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config"}}
    path.write_text(json.dumps(row))
    (model / "mine.py").write_text("raise SystemExit('it ran')\n")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without_tokenizer, "has no tokenizer; one of tokenizer.json"),
        (without_weights, "its weights cannot be loaded"),
        (with_pickled_weights, "its weights cannot be loaded"),
        (with_code_of_its_own, "brings code of its own, which does not run here"),
    ],
)
def test_a_model_that_cannot_be_trained_is_refused(tmp_path, change, said):
    run = write_run(tmp_path)
    change(tmp_path / "model")
    done = command(run)
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert "it ran" not in done.stdout + done.stderr
    assert not (tmp_path / "run" / "model").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "learning_rate=1e-5x"], "learning_rate='1e-5x'; a number is needed"),
        (["--set", "block_size=4"], "block_size=4 is below the longest answer"),
        (["--set", "batch_size=6", "--set", "micro_batch_size=4"], "does not divide batch_size=6"),
        (["--set", "nothing=1"], "setting 'nothing' is unknown"),
        (["--set", "sharding"], "no KEY=VALUE"),
    ],
)
def test_a_setting_that_cannot_be_is_one_line_before_anything_begins(folder, arguments, said):
    run = write_run(folder, name="settings")
    done = command(run, *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (folder / "settings").exists()


def test_rows_without_traces_are_counted(folder):
    run = write_run(folder, name="bare")
    rows = folder / "bare.jsonl"
    rows.write_text(json.dumps({"question": "2 + 2?", "solution": "4"}) + "\n")
    done = command(run, "--set", f"data={rows}")
    assert done.returncode == 1
    assert "1 of 1 rows have no trace (row 1 is the first)" in done.stderr
    assert not (folder / "bare").exists()


def test_other_settings_in_the_folder_of_a_run_are_refused(folder):
    run = write_run(folder, name="other", max_steps=1)
    assert command(run).returncode == 0
    done = command(run, "--set", "learning_rate=0.5")
    assert done.returncode == 1
    assert "holds a run with learning_rate=0.003, not 0.5" in done.stderr
