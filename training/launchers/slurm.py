"""Runs through Slurm: sbatch from a template, the state read back through squeue and sacct, scancel to stop."""

import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.errors import ConfigError, ConflictError, S1WebError
from training.config import read_config_with
from training.launchers.base import (
    ENDED,
    Launch,
    State,
    append_log,
    ended_state,
    failed,
    fingerprint,
    open_log,
    recorded_state,
    save,
    saved,
)

TEMPLATE = """\
#!/bin/bash
#SBATCH --job-name=@NAME@
#SBATCH --nodes=@NODES@
#SBATCH --ntasks-per-node=1
#SBATCH @DEVICES@
#SBATCH --output=@LOG@
#SBATCH --open-mode=append
#SBATCH --no-requeue
@OPTIONS@

# every node runs the same, and they meet at the first
export RENDEZVOUS="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1):$((20000 + SLURM_JOB_ID % 40000))"
srun @COMMAND@
"""
_PLACE = re.compile(r"@([A-Z]+)@")
_TIMEOUT_SECONDS = 60

# https://slurm.schedmd.com/job_state_codes.html
_STATES: dict[str, State] = {
    **dict.fromkeys(
        ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD"), "waiting"
    ),
    **dict.fromkeys(
        ("RUNNING", "COMPLETING", "STAGE_OUT", "SIGNALING", "RESIZING", "SUSPENDED", "STOPPED"), "running"
    ),
    **dict.fromkeys(("CANCELLED", "PREEMPTED", "REVOKED"), "stopped"),
    **dict.fromkeys(
        ("FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE", "TIMEOUT", "SPECIAL_EXIT", "LAUNCH_FAILED"),
        "failed",
    ),
    "COMPLETED": "done",
}


@dataclass(frozen=True, slots=True)
class SlurmLauncher:
    """A cluster's queue.

    Attributes:
        template: of the script, with places: @COMMAND@ (needed), @NAME@, @NODES@, @DEVICES@,
            @LOG@ (needed), @OPTIONS@.
        options: of sbatch, one each: `--partition=gpu`, `--time=01:00:00`, `--account=x`.
        python: of the nodes; "": this process's own.
    """

    template: str = TEMPLATE
    options: tuple[str, ...] = ()
    python: str = ""

    def __post_init__(self) -> None:
        places = _PLACE.findall(self.template)
        allowed = ("COMMAND", "NAME", "NODES", "DEVICES", "LOG", "OPTIONS")
        unknown = next((place for place in places if place not in allowed), None)
        if unknown is not None:
            raise ConfigError(f"the Slurm template holds @{unknown}@; allowed: @{'@, @'.join(allowed)}@")
        for needed in ("COMMAND", "LOG"):
            if needed not in places:
                raise ConfigError(f"the Slurm template has no @{needed}@; put it where it belongs")
        for option in self.options:
            if not re.fullmatch(r"--[a-z][a-z-]*(=[^\n\r]*)?", option):
                raise ConfigError(f"Slurm option {option!r:.80}; --NAME=VALUE in one line is needed")

    def script(self, launch: Launch) -> str:
        """The script that is submitted.

        Raises:
            InputError: the run cannot be read.
            ConfigError: it cannot be used, or the path of the log cannot stand in the script.
        """
        log = str(_log(launch))
        if any(letter in log for letter in '\n\r"\\'):
            raise ConfigError(f"{log!r:.200} cannot be a log of Slurm: it holds a line break, a quote or a backslash")
        is_on_cpu = read_config_with(launch.run, launch.settings).device == "cpu"
        devices = "cpus-per-task" if is_on_cpu else "gpus-per-node"
        values = {
            "NAME": re.sub(r"[^\w.-]", "-", launch.out.name),
            "NODES": str(launch.num_nodes),
            "DEVICES": f"--{devices}={launch.num_processes}",
            # a percent sign begins a pattern there
            "LOG": '"' + log.replace("%", "%%") + '"',
            "OPTIONS": "\n".join(f"#SBATCH {option}" for option in self.options),
            "COMMAND": self._command(launch),
        }
        return _PLACE.sub(lambda place: values[place[1]], self.template)

    def _command(self, launch: Launch) -> str:
        python = self.python or sys.executable
        shared = ["--nnodes", str(launch.num_nodes), "--nproc-per-node", str(launch.num_processes)]
        # scancel reaches torchrun, which asks the processes; they finish a step and write a checkpoint
        shared += ["--shutdown-timeout", "600"]
        meeting = '--rdzv-backend c10d --rdzv-id "$SLURM_JOB_ID" --rdzv-endpoint "$RENDEZVOUS"'
        return (
            f"{shlex.join([python, '-m', 'torch.distributed.run', *shared])} {meeting} {shlex.join(launch.module())}"
        )

    def written(self, launch: Launch) -> str:
        """The script, to be kept as a file and given to sbatch."""
        return self.script(launch)

    def start(self, launch: Launch) -> "SlurmHandle":
        """Submit; see `Launcher`."""
        before = self.find(launch)
        if before is not None and before.state() not in ENDED:
            raise ConflictError(f"{launch.out} is being carried out already (Slurm job {before.job}); stop it first")
        path = launch.folder / "slurm.sh"
        command = ["sbatch", "--parsable", str(path)]
        open_log(_log(launch), command)
        try:
            launch.check()
            path.write_text(self.script(launch), encoding="utf-8")
            reply = _ask(command)
        except (OSError, S1WebError) as error:
            raise failed(_log(launch), str(error)) from None
        # JOB, or JOB;CLUSTER
        job = reply.strip().partition(";")[0]
        if not job.isdecimal():
            raise failed(_log(launch), f"sbatch replied {reply.strip()!r:.200}, and a job's number is needed")
        append_log(_log(launch), f"submitted as Slurm job {job}")
        values = {"job": job, "record": fingerprint(launch.out), "is_asked_to_stop": False, "told": None}
        save(launch.folder / "slurm.json", values)
        return SlurmHandle(launch, values)

    def find(self, launch: Launch) -> "SlurmHandle | None":
        """A launch that was submitted before."""
        values = saved(launch.folder / "slurm.json")
        return None if values is None else SlurmHandle(launch, values)


class SlurmHandle:
    """A job of Slurm."""

    def __init__(self, launch: Launch, values: dict[str, Any]) -> None:
        """
        Args:
            values: as they are kept in the launch's folder.
        """
        self._launch, self._values = launch, values

    @property
    def log(self) -> Path:
        """What sbatch said and the job writes."""
        return _log(self._launch)

    @property
    def job(self) -> str:
        """Slurm's number."""
        return str(self._values["job"])

    def state(self) -> State:
        """Slurm's word, made finer by what the run wrote down: a job that was stopped has completed too."""
        code = self._code()
        found = _STATES.get(code, "unknown")
        if found in ("waiting", "running"):
            return found
        recorded = recorded_state(self._launch.out, self._values["record"])
        if found == "unknown" and recorded not in ("done", "stopped"):
            # Slurm forgets, or does not answer now
            return found
        if self._values["told"] != code:
            append_log(self.log, f"Slurm job {self.job} ended: {code or 'forgotten by Slurm'}")
            self._keep(told=code)
        is_asked_to_stop = self._values["is_asked_to_stop"] or found == "stopped"
        return ended_state(self._launch.out, self._values["record"], is_asked_to_stop=is_asked_to_stop)

    def stop(self, *, now: bool = False) -> None:
        """Ask the job's processes to stop.

        Raises:
            LaunchError: scancel is not there or refuses.
        """
        self._keep(is_asked_to_stop=True)
        # a job that waits has no process to be asked: it is taken from the queue
        is_asked = not now and self.state() == "running"
        command = ["scancel", *(("--signal=TERM",) if is_asked else ()), self.job]
        try:
            _ask(command)
        except S1WebError as error:
            raise failed(self.log, str(error)) from None

    def _code(self) -> str:
        """Slurm's name of the state, without what stands behind it; "": it knows none."""
        asked = (
            ["squeue", "--noheader", "--states=all", "--jobs", self.job, "--format=%T"],
            ["sacct", "--noheader", "--parsable2", "--allocations", "--jobs", self.job, "--format=State"],
        )
        for command in asked:
            try:
                lines = _ask(command).split("\n")
            except S1WebError:
                # squeue knows a job for some minutes only, and not every cluster keeps accounts
                continue
            # CANCELLED by 1000; RUNNING+ where a name is cut
            words = lines[0].split()
            if words:
                return words[0].rstrip("+")
        return ""

    def _keep(self, **changes: Any) -> None:
        self._values = self._values | changes
        save(self._launch.folder / "slurm.json", self._values)


def _log(launch: Launch) -> Path:
    return launch.folder / "slurm.log"


def _ask(command: Sequence[str]) -> str:
    """What a command of Slurm prints.

    Raises:
        S1WebError: it is not there, fails, or takes too long.
    """
    name = command[0]
    try:
        done = subprocess.run(  # noqa: S603 - Slurm's commands, and no shell
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
        )
    except FileNotFoundError:
        raise S1WebError(f"{name} is not on PATH; start it on a login node of the cluster") from None
    except subprocess.TimeoutExpired:
        raise S1WebError(f"{name} gave no reply in {_TIMEOUT_SECONDS} seconds") from None
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise S1WebError(f"{name} failed ({done.returncode}): {lines[-1] if lines else 'it said nothing'}")
    return done.stdout
