"""python -m training.preflight, on a model folder and rows that are there."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.inference.models import make_tokenizer, random_model
from tests.training.templates import QWEN_TEMPLATE
from training.config import read_config
from training.preflight.__main__ import main
from training.prepared import prepare

ROOT = Path(__file__).resolve().parents[3]
LENGTHS = (3, 30, 60, 200)


@pytest.fixture(scope="module")
def run_file(tmp_path_factory):
    """A run of a small model on four rows, the last of them long."""
    folder = tmp_path_factory.mktemp("preflight")
    model, tokenizer = random_model(context_tokens=4_096), make_tokenizer()
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    (folder / "model" / "chat_template.jinja").write_text(QWEN_TEMPLATE)
    with (folder / "rows.jsonl").open("w") as file:
        for count in LENGTHS:
            row = {"question": f"Count to {count}.", "solution": str(count), "attempt": str(count)}
            file.write(json.dumps(row | {"thinking_trajectories": ["so 12 + 30 = 42 " * count]}) + "\n")
    path = folder / "run.json"
    config = {"model": str(folder / "model"), "data": str(folder / "rows.jsonl"), "batch_size": 2, "device": "cpu"}
    path.write_text(json.dumps(config))
    return path


def run(path, *arguments, capsys):
    """The command in this process: its exit code, standard output and standard error."""
    capsys.readouterr()
    code = main([str(path), *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def run_process(path, *arguments):
    command = [sys.executable, "-m", "training.preflight", str(path), *arguments]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_figures_are_one_json_object_and_agree_with_the_runs_own_record(run_file):
    done = run_process(run_file, "--json", "--set", "block_size=900")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    prepared = prepare(replace(read_config(run_file), block_size=900))
    assert found["cuts"]["num_cut"] == prepared.num_cut == 1
    assert found["cuts"]["cut_rows"] == [4]
    assert found["cuts"]["num_lost"] == prepared.num_lost
    assert found["cuts"]["num_tokens"] == sum(len(example.ids) for example in prepared.examples)
    assert found["steps"]["num_steps"] == prepared.num_steps == 10
    peak = max(found["memory"]["moments"], key=lambda moment: moment["num_bytes"])
    assert sum(line["num_bytes"] for line in peak["lines"]) == found["memory"]["peak"]["num_bytes"]
    assert (found["verdict"], found["cost"]) == (None, None)


def test_a_device_gives_verdict_hours_and_dollars_in_words(run_file, capsys):
    options = ("--device", "H100", "--devices", "2", "--dollars-per-hour", "3", "--set", "device=auto")
    code, out, err = run(run_file, *options, capsys=capsys)
    assert (code, err) == (0, "")
    for text in (
        "no row is cut off",
        "GiB of 79 of a H100: fits",
        "device-hours on 2 H100",
        "at 3 a device and hour",
        "from 40% assumed while a device computes",
    ):
        assert text in out


def test_the_assumed_share_of_the_peak_can_be_set(run_file, capsys):
    arguments = ("--json", "--device", "H100", "--set", "device=auto", "--mfu")
    outs = [run(run_file, *arguments, mfu, capsys=capsys)[1] for mfu in ("0.2", "0.4")]
    hours = [json.loads(out)["cost"]["hours"] for out in outs]
    assert hours[0] == pytest.approx(2 * hours[1])


def test_a_run_that_would_fail_is_shown_and_ends_in_one_line(run_file, capsys):
    code, out, err = run(run_file, "--set", "block_size=3", capsys=capsys)
    assert (code, err.count("\n")) == (1, 1)
    assert "problem: block_size=3 is below the longest answer" in out
    assert err.startswith("the run would fail: block_size=3 is below the longest answer")
    assert err.endswith("(and 1 more)\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--device", "H900"), "--device 'H900' is unknown; allowed: H200, H100"),
        (("--devices", "0"), "devices=0; a whole number of 1 or more is needed"),
        (("--device", "H100", "--set", "device=auto", "--mfu", "40"), "mfu=40; a share of the peak above 0"),
        (("--set", "learning_rate=1e-5x"), "learning_rate='1e-5x'; a number is needed"),
        (("--set", "block_size"), "--set 'block_size' is no KEY=VALUE"),
        (("--set", "data=none.jsonl"), "none.jsonl: no such file or folder"),
        (("--set", "model=/"), "model '/' has no config.json that can be read"),
    ],
)
def test_bad_input_is_one_line(run_file, arguments, message, capsys):
    code, out, err = run(run_file, *arguments, capsys=capsys)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(message)


def test_a_model_of_another_family_is_checked_without_memory_and_hours(run_file, tmp_path, capsys):
    model = shutil.copytree(run_file.parent / "model", tmp_path / "model")
    (model / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    code, out, err = run(run_file, "--json", "--set", f"model={model}", capsys=capsys)
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["memory"] is None
    assert found["warnings"][0].startswith("model_type='gpt2': memory and hours are estimated for qwen2")
    assert found["cuts"]["num_rows"] == len(LENGTHS)
