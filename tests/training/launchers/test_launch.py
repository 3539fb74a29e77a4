"""python -m training.launch: what it starts, writes, waits for and refuses."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.training.launchers.cluster import JOB, Cluster
from tests.training.tiny_run import write_run
from training import launch


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run"))


def test_a_run_is_carried_out_to_its_end(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert launch.main([str(run), "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"state": "done", "log": f"{out}.launch/local.log"}
    assert (out / "model" / "model.safetensors").exists()
    assert launch.main([str(run), "--out", str(out), "--state"]) == 0
    assert capsys.readouterr().out == f"done; log {out}.launch/local.log\n"


def test_a_run_that_fails_says_why_and_where_its_log_is(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert launch.main([str(run), "--out", str(out), "--set", "data=/nowhere"]) == 1
    reason = "/nowhere: no such file or folder; give what export_selection wrote"
    assert capsys.readouterr().err == f"failed: {reason}; log: {out}.launch/local.log\n"


def test_ctrl_c_asks_the_run_to_stop_and_waits_for_it(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "training.launch", str(run), "--out", str(out), "--set", "epochs=10000"]
    process = subprocess.Popen([*command, "--set", "max_steps=5000"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    end = time.monotonic() + 120
    while not ((out / "metrics.jsonl").exists() and (out / "metrics.jsonl").stat().st_size):
        assert time.monotonic() < end
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert printed.splitlines()[-1] == f"stopped; log {out}.launch/local.log"
    assert json.loads((out / "run.json").read_text())["state"] == "stopped"


def test_a_detached_run_is_asked_after_and_killed_by_another_command(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    which = [str(run), "--out", str(tmp_path / "out"), "--set", "epochs=10000"]
    assert launch.main([*which, "--detach"]) == 0
    assert capsys.readouterr().out.startswith("running; log ")
    assert launch.main([*which, "--kill"]) == 0
    capsys.readouterr()
    end = time.monotonic() + 60
    while True:
        assert launch.main([*which, "--state", "--json"]) == 0
        if json.loads(capsys.readouterr().out)["state"] == "stopped":
            break
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--with", "local"], [sys.executable, "-m", "training.sft"]),
        (["--processes", "2"], [sys.executable, "-m", "torch.distributed.run", "--standalone"]),
        (
            ["--with", "torchrun", "--nodes", "2", "--rendezvous", "n1:29500"],
            [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"],
        ),
    ],
)
def test_the_command_is_written_and_nothing_is_started(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: list[str]
) -> None:
    out = tmp_path / "my out"
    assert launch.main([str(run), "--out", str(out), *arguments, "--print"]) == 0
    written = capsys.readouterr().out.splitlines()[-1]
    assert shlex.split(written)[: len(words)] == words
    assert shlex.split(written)[-4:] == ["training.sft", str(run), "--out", str(out)]
    assert list(tmp_path.iterdir()) == []


def test_a_written_command_does_what_the_launch_does(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert launch.main([str(run), "--out", str(tmp_path / "out"), "--print"]) == 0
    done = subprocess.run(capsys.readouterr().out, shell=True, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "done at step 3 of 3\n")


def test_slurm_is_given_a_script_of_ones_own(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(tmp_path / "cluster")
    monkeypatch.setenv("PATH", cluster.path)
    template = tmp_path / "own.sh"
    template.write_text("#!/bin/bash\n#SBATCH --output=@LOG@\nmodule load cuda\n@OPTIONS@\nsrun @COMMAND@\n")
    which = [str(run), "--out", str(tmp_path / "out"), "--with", "slurm", "--template", str(template)]
    assert launch.main([*which, "--option=--account=lab", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "waiting"
    assert "module load cuda\n#SBATCH --account=lab\n" in cluster.read("script")
    assert launch.main([*which, "--stop"]) == 0
    assert cluster.read("cancelled") == JOB
    assert capsys.readouterr().out.startswith("stopped; log ")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--with", "torchrun"], "torchrun needs --rendezvous HOST:PORT"),
        (["--rendezvous", "a:1"], "--rendezvous is for --with torchrun, not local; leave it out"),
        (["--with", "torchrun", "--template", "x"], "--template is for --with slurm, not torchrun; leave it out"),
        (["--with", "slurm", "--node", "x"], "--node is for --with torchrun, not slurm; leave it out"),
        (["--with", "slurm", "--template", "/nowhere"], "/nowhere: No such file or directory; give a Slurm script"),
        (["--processes", "0"], "num_processes=0; a whole number of 1 or more is needed"),
        (["--state"], "no launch with local; start one"),
        (["--print", "--set", "batch_size=0"], "batch_size=0; a whole number of 1 or more is needed"),
        (["--nodes", "2"], "num_nodes=2; local is one machine: use torchrun or slurm for more"),
    ],
)
def test_what_cannot_be_launched_is_one_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], error: str
) -> None:
    assert launch.main([str(run), "--out", str(tmp_path / "out"), *arguments]) == 1
    printed = capsys.readouterr()
    assert error in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""


def test_the_launching_process_may_end_while_the_run_goes_on(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "training.launch", str(run), "--out", str(out), "--detach", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"NO_COLOR": "1"})
    assert json.loads(done.stdout)["state"] == "running"
    end = time.monotonic() + 120
    while not (out / "model").exists():
        assert time.monotonic() < end
        time.sleep(0.2)
