"""Runs as processes of this machine, for real: alone, two together, and two nodes that meet."""

import json
import os
import signal
from pathlib import Path

import psutil
import pytest

from curation.errors import ConfigError, ConflictError
from tests.training.launchers.waiting import wait_for
from tests.training.tiny_run import write_run
from training.launchers.base import ENDED, Launch, LaunchError, last_line
from training.launchers.processes import LocalLauncher, ProcessHandle, TorchrunLauncher, find_process

LONG = ("max_steps=5000", "epochs=10000", "save_every=5000")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run"))


def ended(handle: ProcessHandle) -> str:
    wait_for(lambda: handle.state() in ENDED, handle)
    return handle.state()


def losses(out: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text().splitlines()]


def begun(out: Path) -> bool:
    return (out / "metrics.jsonl").exists() and (out / "metrics.jsonl").read_text().count("\n") > 1


def test_one_process_two_processes_and_two_nodes_train_alike(run: Path, tmp_path: Path, free_port: int) -> None:
    one = LocalLauncher().start(Launch(run, tmp_path / "one"))
    assert ended(one) == "done"
    two = LocalLauncher().start(Launch(run, tmp_path / "two", num_processes=2))
    assert ended(two) == "done"
    nodes = Launch(run, tmp_path / "nodes", num_nodes=2)
    handles = [TorchrunLauncher(f"localhost:{free_port}", name).start(nodes) for name in ("a", "b")]
    assert [ended(handle) for handle in handles] == ["done", "done"]
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-4)
    assert losses(tmp_path / "nodes") == pytest.approx(losses(tmp_path / "one"), abs=1e-4)
    processes = [json.loads((tmp_path / name / "run.json").read_text())["processes"] for name in ("two", "nodes")]
    assert processes == [2, 2]
    for handle in (one, two, *handles):
        text = handle.log.read_text()
        assert text.startswith("$ ")
        assert "training.sft" in text.splitlines()[0]
    assert len({handle.log for handle in handles}) == 2


def test_two_processes_stop_behind_the_same_step_and_go_on(run: Path, tmp_path: Path) -> None:
    launch = Launch(run, tmp_path / "out", LONG, num_processes=2)
    handle = LocalLauncher().start(launch)
    wait_for(lambda: begun(launch.out), handle)
    # from another process, which knows the folder alone
    found = LocalLauncher().find(launch)
    assert found is not None
    assert found.state() == "running"
    found.stop()
    assert ended(handle) == "stopped"
    told = json.loads((launch.out / "run.json").read_text())
    assert (launch.out / "checkpoints" / f"checkpoint-{told['step']}" / "complete.json").exists()
    assert len(losses(launch.out)) == told["step"]


def test_a_run_that_must_end_now_leaves_no_process(run: Path, tmp_path: Path) -> None:
    launch = Launch(run, tmp_path / "out", LONG, num_processes=2)
    handle = LocalLauncher().start(launch)
    wait_for(lambda: begun(launch.out), handle)
    everyone = psutil.Process(handle.pid).children(recursive=True)
    assert len(everyone) >= 2
    handle.stop(now=True)
    assert ended(handle) == "stopped"
    gone, alive = psutil.wait_procs(everyone, timeout=20)
    assert (len(gone), alive) == (len(everyone), [])


def test_a_run_is_not_started_twice_at_once(run: Path, tmp_path: Path) -> None:
    launch = Launch(run, tmp_path / "out", LONG)
    handle = LocalLauncher().start(launch)
    with pytest.raises(ConflictError, match=rf"is being carried out already \(process {handle.pid}\); stop it first"):
        LocalLauncher().start(launch)
    handle.stop(now=True)
    assert ended(handle) == "stopped"


def test_a_killed_run_has_failed_and_its_log_stays(run: Path, tmp_path: Path) -> None:
    launch = Launch(run, tmp_path / "out", LONG)
    handle = LocalLauncher().start(launch)
    wait_for(lambda: begun(launch.out), handle)
    os.kill(handle.pid, signal.SIGKILL)
    assert ended(handle) == "failed"
    assert handle.log.exists()


def test_what_a_process_dies_of_is_the_last_line_of_its_log(run: Path, tmp_path: Path) -> None:
    handle = LocalLauncher().start(Launch(run, tmp_path / "out", ("data=/nowhere",)))
    assert ended(handle) == "failed"
    assert last_line(handle.log) == "/nowhere: no such file or folder; give what export_selection wrote"


def test_an_earlier_launchs_end_is_not_taken_for_this_ones(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "run.json").write_text(json.dumps({"state": "done", "config": {}, "rows_sha256": ""}))
    handle = LocalLauncher().start(Launch(run, out))
    assert ended(handle) == "failed"


def test_a_run_that_cannot_begin_is_refused_before_it_does_and_has_a_log(run: Path, tmp_path: Path) -> None:
    launch = Launch(run, tmp_path / "out", ("learning_rate=1e-5x",))
    with pytest.raises(LaunchError) as refused:
        LocalLauncher().start(launch)
    log = launch.folder / "local.log"
    assert str(refused.value) == f"learning_rate='1e-5x'; a number is needed; log: {log}"
    assert last_line(log) == "launch failed: learning_rate='1e-5x'; a number is needed"
    assert LocalLauncher().find(launch) is None


def test_a_batch_that_the_processes_cannot_share_is_refused_before(run: Path, tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="batch_size=4 cannot be shared out to 3 processes"):
        LocalLauncher().start(Launch(run, tmp_path / "out", num_processes=3))


def test_an_earlier_log_stays_before_a_later_ones(run: Path, tmp_path: Path) -> None:
    launch = Launch(run, tmp_path / "out", ("seed=x",))
    for _ in range(2):
        with pytest.raises(LaunchError):
            LocalLauncher().start(launch)
    assert (launch.folder / "local.log").read_text().count("launch failed: seed='x'") == 2


def test_a_number_that_was_given_to_another_process_is_not_taken_for_the_run(run: Path, tmp_path: Path) -> None:
    launch = Launch(run, tmp_path / "out")
    launch.folder.mkdir()
    values = {"pid": os.getpid(), "created": 0.0, "record": None, "is_asked_to_stop": False}
    (launch.folder / "local.json").write_text(json.dumps(values))
    found = find_process(launch, "local")
    assert found is not None
    assert found.state() == "failed"
    # and is not killed for it
    found.stop(now=True)


@pytest.mark.parametrize("rendezvous", ["", "host", "host:", ":29500", "host:x", "host:0", "host:65536"])
def test_a_rendezvous_needs_host_and_port(rendezvous: str) -> None:
    with pytest.raises(ConfigError, match="HOST:PORT of the first node is needed"):
        TorchrunLauncher(rendezvous)


def test_a_nodes_name_is_no_path() -> None:
    with pytest.raises(ConfigError, match=r"node='\.\./x'; letters, digits, dots and dashes are allowed"):
        TorchrunLauncher("host:29500", "../x")


def test_one_machine_is_not_several(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="num_nodes=2; local is one machine: use torchrun or slurm for more"):
        LocalLauncher().start(Launch(run, tmp_path / "out", num_nodes=2))


@pytest.mark.parametrize("values", [{"num_processes": 0}, {"num_nodes": 0}, {"num_processes": 1.5}])
def test_counts_are_whole_and_above_nought(run: Path, tmp_path: Path, values: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="a whole number of 1 or more is needed"):
        Launch(run, tmp_path / "out", **values)
