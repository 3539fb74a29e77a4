"""docker-compose.yml: that it is well formed, gives no secret away, and that what it runs runs."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.faults.conftest import build
from tests.faults.system import System, free_port, wait_until
from tests.processes import ROOT, Project

SECRETS = {"SECRET_KEY": "of-a-test", "POSTGRES_PASSWORD": "of-a-test"}
ONE_SHOT = {"migrate", "manage"}
# read by others than s1web's settings
FOREIGN = {"HF_HOME", "FORWARDED_ALLOW_IPS"}


def services() -> dict[str, Any]:
    """The file's services, merges and anchors resolved, variables not yet."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return found


def compose() -> list[str]:
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    if shutil.which("docker"):
        asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if asked.returncode == 0:
            return ["docker", "compose"]
    pytest.skip("neither docker-compose nor docker compose is installed (Debian: apt-get install docker-compose)")


Config = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """`docker-compose OPTIONS config`, with no variables but those given."""
    # a .env of the developer's must not decide
    empty = tmp_path / "empty.env"
    empty.touch()

    def run(*options: str, secrets: dict[str, str] = SECRETS) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if name not in SECRETS} | secrets
        command = [*compose(), "--env-file", str(empty), *options, "config"]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize("options", [[], ["--profile", "gpu"], ["--profile", "gpu", "--profile", "tools"]])
def test_the_file_is_valid_with_every_profile(config, options):
    done = config(*options)
    assert done.returncode == 0, done.stderr
    resolved = yaml.safe_load(done.stdout)["services"]
    assert set(resolved) >= {"web", "worker", "beat", "redis", "db", "migrate"}
    if "gpu" in options:
        assert set(resolved) >= {"worker-gpu", "vllm"}
        assert resolved["vllm"]["healthcheck"]


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_a_secret_has_no_default_and_its_lack_is_said(config, name):
    done = config(secrets={other: value for other, value in SECRETS.items() if other != name})
    assert done.returncode != 0
    assert f"set {name} in .env" in done.stderr
    text = (ROOT / "docker-compose.yml").read_text()
    assert not re.search(r"(?i)(password|secret|key)\w*:?-[^}?]", "".join(re.findall(r"\$\{[^}]*\}", text)))


def test_every_service_that_stays_is_watched_restarted_and_given_time_to_end():
    for name, service in services().items():
        if name in ONE_SHOT:
            continue
        assert service["healthcheck"]["test"], name
        assert service["restart"] == "unless-stopped", name
        assert service["stop_grace_period"], name


def test_what_needs_the_tables_waits_for_the_one_shot_that_makes_them():
    for name in ("web", "worker", "worker-gpu", "beat"):
        depends = services()[name]["depends_on"]
        assert depends["migrate"]["condition"] == "service_completed_successfully", name
        assert depends["redis"]["condition"] == "service_healthy", name
    assert services()["migrate"]["depends_on"]["db"]["condition"] == "service_healthy"


def test_only_the_pages_are_reachable_and_from_this_host_alone():
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert published == {"web": ["${PUBLISH:-127.0.0.1:8000}:8000"]}


def test_every_setting_is_one_that_is_read():
    known = set(re.findall(r"^#?\s?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), flags=re.MULTILINE))
    for name in ("web", "worker", "worker-gpu", "beat", "migrate", "manage"):
        assert set(services()[name]["environment"]) - FOREIGN <= known, name


def test_the_image_runs_as_an_ordinary_user():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["s1web"]
    last = max(place for place, line in enumerate(lines) if line.startswith(("RUN ", "COPY ")))
    assert lines.index("USER s1web") > last


class ByHand:
    """The services' own commands, as processes of this host."""

    def __init__(self, system: System) -> None:
        self.port = free_port()
        binaries = Path(sys.executable).parent
        self._environment = system.environment | {
            "SECRET_KEY": "of-a-test",
            "PORT": str(self.port),
            "PATH": f"{binaries}:{os.environ['PATH']}",
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        command = shlex.split(services()[name]["command"].replace("--port 8000", f"--port {self.port}"))
        self.processes[name] = subprocess.Popen(command, cwd=ROOT, env=self._environment, start_new_session=True)

    def is_healthy(self, name: str) -> bool:
        kind, *command = services()[name]["healthcheck"]["test"]
        assert kind == "CMD"
        done = subprocess.run(command, cwd=ROOT, env=self._environment, capture_output=True, text=True, check=False)
        # what is wrong is a line, never a traceback
        assert done.stderr.count("\n") == (done.returncode != 0), done.stderr
        return done.returncode == 0

    def stop(self, name: str) -> int:
        """What `docker compose stop` does: SIGTERM, and no more than the grace period."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(int(services()[name]["stop_grace_period"].removesuffix("s")))


@pytest.fixture
def by_hand(make_project: Callable[[str], Project]) -> Iterator[tuple[System, ByHand]]:
    system = build(make_project, "team")
    hand = ByHand(system)
    yield system, hand
    for process in hand.processes.values():
        process.kill()
    system.close()


def test_the_commands_of_the_services_run_as_they_stand_on_redis_and_postgresql(by_hand):
    system, hand = by_hand
    long_lived = ["web", "worker", "worker-gpu", "beat"]
    hand.start("migrate")
    assert hand.processes.pop("migrate").wait(60) == 0
    assert not hand.is_healthy("worker")
    for name in long_lived:
        hand.start(name)
    for name in long_lived:
        wait_until(f"{name} is healthy", lambda name=name: hand.is_healthy(name), 60)
    jobs = [system.clerk.submit(kind, {"seconds": 2}) for kind in ("trial_cpu", "trial_gpu")]
    wait_until("they are done", lambda: {system.clerk.job(job)["state"] for job in jobs} == {"done"}, 30)
    long = system.clerk.submit("trial_cpu", {"seconds": 600})
    wait_until("it runs", lambda: system.clerk.job(long)["done"] > 0, 20)
    started = time.monotonic()
    codes = {name: hand.stop(name) for name in long_lived}
    # uvicorn ends its connections and then by the signal itself
    assert codes == {"web": -signal.SIGTERM, "worker": 0, "worker-gpu": 0, "beat": 0}
    print(f"stopped after {time.monotonic() - started:.1f} s")
    assert system.clerk.job(long)["state"] == "queued"
    assert not hand.is_healthy("worker")
    assert not hand.is_healthy("web")
    assert hand.is_healthy("beat")
    system.redis.kill()
    assert not hand.is_healthy("beat")
