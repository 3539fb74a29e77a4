"""Which GPUs jobs get: asked of a real program called nvidia-smi, which prints what the test wants."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from workers import devices
from workers.devices import Devices

TWO = "NVIDIA H100\nNVIDIA H100\n"


@pytest.fixture(autouse=True)
def _no_devices_of_this_host(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def fake_smi(folder: Path, printed: str = "", code: int = 0, seconds: float = 0) -> None:
    """A program in the PATH that answers as the driver's does."""
    path = folder / "bin" / "nvidia-smi"
    path.parent.mkdir(exist_ok=True)
    sleep = shutil.which("sleep", path=os.defpath + ":/bin:/usr/bin")
    lines = "".join(f"echo '{line}'\n" for line in printed.splitlines())
    path.write_text(f"#!/bin/sh\n{sleep} {seconds}\n{lines}exit {code}\n")
    path.chmod(0o755)


def all_of(found: Devices) -> list[str | None]:
    """What as many jobs get as there are devices, and one more."""
    given: list[str | None] = []

    def take() -> None:
        with found.take("gpu") as device:
            given.append(device)
            if device is not None:
                take()

    take()
    return given


def test_a_host_without_gpus_runs_one_job_of_the_queue_on_its_cpu():
    found = Devices()
    assert found.names == []
    assert all_of(found) == ["", None]
    assert found.label == f"cpu, {os.cpu_count()} cores"
    assert found.num_slots(["gpu"], 4) == 1


def test_each_device_goes_to_one_job_at_a_time(tmp_path):
    fake_smi(tmp_path, TWO)
    found = Devices()
    assert sorted(filter(None, all_of(found))) == ["0", "1"]
    # and comes back with the job's end, however that was
    with pytest.raises(ZeroDivisionError), found.take("gpu"):
        raise ZeroDivisionError
    assert len(all_of(found)) == 3


def test_two_threads_never_get_the_same_device(tmp_path):
    fake_smi(tmp_path, TWO)
    found = Devices()
    held: set[str] = set()
    clashes: list[str] = []

    def work() -> None:
        for _ in range(300):
            with found.take("gpu") as device:
                if device is None:
                    continue
                if device in held:
                    clashes.append(device)
                held.add(device)
                held.discard(device)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clashes == []
    assert len(all_of(found)) == 3


@pytest.mark.parametrize(
    ("allowed", "numbers"),
    [
        ("1", ["1"]),
        ("1,0", ["0", "1"]),
        (" 0 , 1 ", ["0", "1"]),
        ("", []),
        ("-1", []),
        ("0,-1,1", ["0"]),
        ("7", []),
        ("GPU-8f2a", ["GPU-8f2a"]),
    ],
)
def test_jobs_get_what_the_workers_own_environment_leaves(tmp_path, monkeypatch, allowed, numbers):
    fake_smi(tmp_path, TWO)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    found = Devices()
    given = all_of(found)
    assert sorted(device for device in given if device) == numbers
    assert len(found.names) == len(numbers)
    # one without any falls back on the CPU, one job at a time
    assert found.num_slots(["gpu"], 9) == max(len(numbers), 1) == len(given) - 1
    assert found.label.startswith("cpu, ") == (not numbers)


def test_a_list_of_workers_shows_the_devices_names(tmp_path):
    fake_smi(tmp_path, TWO)
    assert Devices().label == "2 x NVIDIA H100"
    fake_smi(tmp_path, "NVIDIA L4\n")
    assert Devices().label == "NVIDIA L4"


def test_only_a_worker_of_gpus_alone_is_limited_by_their_number(tmp_path):
    fake_smi(tmp_path, TWO)
    found = Devices()
    assert found.num_slots(["gpu"], 8) == 2
    assert found.num_slots(["gpu"], 1) == 1
    assert found.num_slots(["cpu"], 8) == 8
    assert found.num_slots(["cpu", "gpu"], 8) == 8


def test_jobs_of_the_cpu_take_no_device(tmp_path):
    fake_smi(tmp_path, TWO)
    found = Devices()
    with found.take("cpu") as first, found.take("cpu") as second, found.take("cpu") as third:
        assert (first, second, third) == ("", "", "")
        assert len(all_of(found)) == 3


@pytest.mark.parametrize("code", [1, 9])
def test_a_driver_that_fails_means_no_gpus(tmp_path, code):
    fake_smi(tmp_path, "NVIDIA-SMI has failed\n", code=code)
    assert Devices().label.startswith("cpu, ")


def test_a_driver_that_hangs_means_no_gpus(tmp_path, monkeypatch):
    fake_smi(tmp_path, TWO, seconds=30)
    monkeypatch.setattr(devices, "_ASK_SECONDS", 0.2)
    assert Devices().label.startswith("cpu, ")


def test_the_driver_is_asked_once(tmp_path):
    fake_smi(tmp_path, TWO)
    found = Devices()
    found.look()
    (tmp_path / "bin" / "nvidia-smi").unlink()
    assert found.label == "2 x NVIDIA H100"
