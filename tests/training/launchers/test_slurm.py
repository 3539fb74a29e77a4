"""Runs through Slurm, whose commands are stand-ins; the script they are given is run for real once."""

import json
import re
from pathlib import Path

import pytest

from curation.errors import ConfigError, ConflictError
from tests.training.launchers.cluster import JOB, Cluster
from tests.training.launchers.waiting import wait_for
from tests.training.tiny_run import write_run
from training.launchers.base import Launch, LaunchError, State
from training.launchers.slurm import TEMPLATE, SlurmLauncher


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster(tmp_path / "cluster")
    monkeypatch.setenv("PATH", made.path)
    return made


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    return Launch(write_run(tmp_path), tmp_path / "out 100%", ("max_steps=2",), num_nodes=2)


def record(launch: Launch, state: str) -> None:
    """What the run itself would write down."""
    launch.out.mkdir(exist_ok=True)
    (launch.out / "run.json").write_text(json.dumps({"state": state}), encoding="utf-8")


def test_a_script_is_submitted_that_starts_every_node_and_writes_the_log(cluster: Cluster, launch: Launch) -> None:
    handle = SlurmLauncher(options=("--partition=gpu", "--time=01:00:00"), python="/opt/py/bin/python").start(launch)
    script = cluster.read("script")
    assert script.startswith("#!/bin/bash\n")
    for line in (
        "#SBATCH --job-name=out-100-",
        "#SBATCH --nodes=2",
        "#SBATCH --ntasks-per-node=1",
        # the run is on CPUs
        "#SBATCH --cpus-per-task=1",
        "#SBATCH --partition=gpu",
        "#SBATCH --time=01:00:00",
        f'#SBATCH --output="{str(handle.log).replace("%", "%%")}"',
    ):
        assert line in script.splitlines()
    assert "srun /opt/py/bin/python -m torch.distributed.run --nnodes 2 --nproc-per-node 1 " in script
    assert f"-m training.sft {launch.run} --out '{launch.out}' --set max_steps=2" in script
    assert not re.search(r"@[A-Z]+@", script)
    assert f"submitted as Slurm job {JOB}" in handle.log.read_text()


def test_gpus_are_asked_for_where_the_run_may_use_them(launch: Launch) -> None:
    launch = Launch(launch.run, launch.out, ("device=auto",), num_processes=8, num_nodes=2)
    with pytest.raises(ConfigError, match="cannot be shared out to 16 processes"):
        launch.check()
    assert "#SBATCH --gpus-per-node=8\n" in SlurmLauncher().script(launch)


@pytest.mark.parametrize("reply", [JOB, f"{JOB};main"])
def test_the_jobs_number_is_read_with_or_without_its_cluster(cluster: Cluster, launch: Launch, reply: str) -> None:
    cluster.write("reply", reply)
    assert SlurmLauncher().start(launch).job == JOB


@pytest.mark.parametrize(
    ("code", "recorded", "state"),
    [
        ("PENDING", None, "waiting"),
        ("CONFIGURING", None, "waiting"),
        ("RUNNING", "running", "running"),
        ("COMPLETING", "running", "running"),
        ("COMPLETED", "done", "done"),
        ("COMPLETED", "stopped", "stopped"),
        # its script ended well without a run
        ("COMPLETED", None, "failed"),
        ("FAILED", "running", "failed"),
        ("FAILED", None, "failed"),
        ("OUT_OF_MEMORY", "running", "failed"),
        ("NODE_FAIL", "running", "failed"),
        ("TIMEOUT", "running", "failed"),
        # the time was up, and a checkpoint was written
        ("TIMEOUT", "stopped", "stopped"),
        ("CANCELLED by 1000", None, "stopped"),
        ("CANCELLED by 1000", "running", "stopped"),
        ("CANCELLED+", "done", "done"),
        ("SOMETHING_NEW", None, "unknown"),
        ("SOMETHING_NEW", "done", "done"),
    ],
)
@pytest.mark.parametrize("is_forgotten", [False, True])
def test_the_state_is_slurms_word_made_finer_by_the_runs_own(
    cluster: Cluster, launch: Launch, code: str, recorded: str | None, state: State, is_forgotten: bool
) -> None:
    handle = SlurmLauncher().start(launch)
    if recorded is not None:
        record(launch, recorded)
    cluster.write("state", code)
    if is_forgotten:
        # squeue forgets, and sacct knows
        cluster.write("forgotten")
    assert handle.state() == state
    assert f"--jobs {JOB}" in cluster.read("squeue-asked")


@pytest.mark.parametrize(("recorded", "state"), [(None, "unknown"), ("running", "unknown"), ("done", "done")])
def test_without_accounts_the_runs_own_word_is_left(
    cluster: Cluster, launch: Launch, recorded: str | None, state: State
) -> None:
    handle = SlurmLauncher().start(launch)
    cluster.write("forgotten")
    cluster.write("keeps-no-accounts")
    if recorded is not None:
        record(launch, recorded)
    assert handle.state() == state


def test_an_earlier_launchs_end_is_not_taken_for_this_ones(cluster: Cluster, launch: Launch) -> None:
    record(launch, "stopped")
    handle = SlurmLauncher().start(launch)
    cluster.write("state", "FAILED")
    assert handle.state() == "failed"


def test_how_a_job_ended_stands_in_its_log_once(cluster: Cluster, launch: Launch) -> None:
    handle = SlurmLauncher().start(launch)
    cluster.write("state", "NODE_FAIL")
    assert [handle.state(), handle.state()] == ["failed", "failed"]
    assert handle.log.read_text().count(f"Slurm job {JOB} ended: NODE_FAIL\n") == 1


def test_another_process_finds_the_job(cluster: Cluster, launch: Launch) -> None:
    assert SlurmLauncher().find(launch) is None
    SlurmLauncher().start(launch)
    found = SlurmLauncher().find(launch)
    assert found is not None
    assert (found.job, found.state()) == (JOB, "waiting")


def test_a_waiting_job_is_taken_from_the_queue(cluster: Cluster, launch: Launch) -> None:
    handle = SlurmLauncher().start(launch)
    handle.stop()
    assert cluster.read("cancelled") == JOB
    assert handle.state() == "stopped"


def test_a_running_job_is_killed_where_it_must_end_now(cluster: Cluster, launch: Launch) -> None:
    handle = SlurmLauncher().start(launch)
    cluster.write("state", "RUNNING")
    handle.stop(now=True)
    assert cluster.read("cancelled") == JOB


def test_a_run_is_not_submitted_twice(cluster: Cluster, launch: Launch) -> None:
    SlurmLauncher().start(launch)
    with pytest.raises(ConflictError, match=rf"is being carried out already \(Slurm job {JOB}\); stop it first"):
        SlurmLauncher().start(launch)
    cluster.write("state", "FAILED")
    assert SlurmLauncher().start(launch).job == JOB


def test_a_refusal_is_one_line_and_in_the_log(cluster: Cluster, launch: Launch) -> None:
    cluster.write("refuses", "sbatch: error: Batch job submission failed: Invalid partition name specified")
    with pytest.raises(LaunchError) as refused:
        SlurmLauncher().start(launch)
    log = launch.folder / "slurm.log"
    assert str(refused.value) == (
        f"sbatch failed (1): sbatch: error: Batch job submission failed: Invalid partition name specified; log: {log}"
    )
    assert "launch failed: sbatch failed (1): " in log.read_text()
    assert SlurmLauncher().find(launch) is None


def test_a_host_without_slurm_is_told_so_and_has_a_log(launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(LaunchError, match="sbatch is not on PATH; start it on a login node of the cluster; log: "):
        SlurmLauncher().start(launch)
    assert "sbatch is not on PATH" in (launch.folder / "slurm.log").read_text()


def test_a_reply_without_a_number_is_refused(cluster: Cluster, launch: Launch) -> None:
    cluster.write("reply", "Welcome to the cluster")
    with pytest.raises(LaunchError, match="sbatch replied 'Welcome to the cluster', and a job's number is needed"):
        SlurmLauncher().start(launch)


def test_a_stop_that_slurm_refuses_is_one_line(cluster: Cluster, launch: Launch) -> None:
    handle = SlurmLauncher().start(launch)
    cluster.write("refuses", "scancel: error: Kill job error on job id 4242: Access/permission denied")
    with pytest.raises(LaunchError, match=r"scancel failed .*permission denied; log: "):
        handle.stop()


@pytest.mark.parametrize(
    ("template", "error"),
    [
        ("@LOG@", "the Slurm template has no @COMMAND@; put it where it belongs"),
        ("@COMMAND@", "the Slurm template has no @LOG@; put it where it belongs"),
        (TEMPLATE + "@GPUS@", "the Slurm template holds @GPUS@; allowed: @COMMAND@, @NAME@, @NODES@, @DEVICES@"),
    ],
)
def test_a_template_that_would_start_nothing_is_refused(template: str, error: str) -> None:
    with pytest.raises(ConfigError) as refused:
        SlurmLauncher(template)
    assert str(refused.value).startswith(error)


@pytest.mark.parametrize("option", ["-p gpu", "partition=gpu", "--partition=gpu\nrm -rf /", "--x y"])
def test_an_option_that_is_none_is_refused(option: str) -> None:
    with pytest.raises(ConfigError, match=r"--NAME=VALUE in one line is needed"):
        SlurmLauncher(options=(option,))


@pytest.mark.parametrize("name", ['a"b', "a\nb", "a\\b"])
def test_a_log_that_slurm_cannot_name_is_refused(tmp_path: Path, launch: Launch, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be a log of Slurm"):
        SlurmLauncher().script(Launch(launch.run, tmp_path / name))


def test_names_and_settings_stay_words_of_one_command(tmp_path: Path, launch: Launch) -> None:
    hostile = Launch(launch.run, tmp_path / "a;rm -rf $HOME", ("generator=$(touch x)",))
    script = SlurmLauncher().script(hostile)
    assert f"--out '{tmp_path}/a;rm -rf $HOME' --set 'generator=$(touch x)'" in script
    assert "#SBATCH --job-name=a-rm--rf--HOME\n" in script


def test_the_script_trains_over_two_nodes_and_stops_when_asked(cluster: Cluster, launch: Launch) -> None:
    cluster.write("runs")
    launch = Launch(launch.run, launch.out, ("max_steps=5000", "epochs=10000", "save_every=5000"), num_nodes=2)
    handle = SlurmLauncher().start(launch)
    metrics = launch.out / "metrics.jsonl"
    wait_for(lambda: metrics.exists() and metrics.read_text().count("\n") > 1, handle)
    assert handle.state() == "running"
    handle.stop()
    wait_for(lambda: handle.state() != "running", handle)
    assert handle.state() == "stopped"
    assert cluster.read("cancelled") == f"--signal=TERM {JOB}"
    told = json.loads((launch.out / "run.json").read_text())
    assert (told["state"], told["processes"]) == ("stopped", 2)
    # a whole checkpoint of the step it stopped at, the same on both nodes
    assert (launch.out / "checkpoints" / f"checkpoint-{told['step']}" / "complete.json").exists()
    assert metrics.read_text().count("\n") == told["step"]
