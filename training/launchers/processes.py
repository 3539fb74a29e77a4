"""Runs as processes of this machine: its own devices, or its part of a run over several nodes (torchrun)."""

import shlex
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from curation.errors import ConfigError, ConflictError, S1WebError
from training.launchers.base import (
    ENDED,
    Launch,
    State,
    ended_state,
    failed,
    fingerprint,
    open_log,
    save,
    saved,
)

_ELASTIC = "torch.distributed.run"


@dataclass(frozen=True, slots=True)
class LocalLauncher:
    """This machine's devices: one process by itself, several through torchrun."""

    def command(self, launch: Launch) -> list[str]:
        """The words of the command.

        Raises:
            ConfigError: several nodes are asked for.
        """
        if launch.num_nodes != 1:
            raise ConfigError(f"num_nodes={launch.num_nodes}; local is one machine: use torchrun or slurm for more")
        if launch.num_processes == 1:
            return [sys.executable, *launch.module()]
        shared = ["--standalone", "--nproc-per-node", str(launch.num_processes)]
        return [sys.executable, "-m", _ELASTIC, *shared, *launch.module()]

    def written(self, launch: Launch) -> str:
        """The command as it is typed."""
        return f"{shlex.join(self.command(launch))}\n"

    def start(self, launch: Launch) -> "ProcessHandle":
        """Begin; see `Launcher`."""
        return start_process(launch, self.command(launch), "local")

    def find(self, launch: Launch) -> "ProcessHandle | None":
        """A launch that was begun before."""
        return find_process(launch, "local")


@dataclass(frozen=True, slots=True)
class TorchrunLauncher:
    """This machine's part of a run over several; the same is started on each, and they meet at one address.

    Attributes:
        rendezvous: HOST:PORT of the node where they meet.
        node: tells this node's log from the others'; "": the host's name.
    """

    rendezvous: str
    node: str = ""

    def __post_init__(self) -> None:
        host, _, port = self.rendezvous.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
            raise ConfigError(f"rendezvous={self.rendezvous!r:.80}; HOST:PORT of the first node is needed")
        if not all(letter.isalnum() or letter in "._-" for letter in self.node):
            raise ConfigError(f"node={self.node!r:.60}; letters, digits, dots and dashes are allowed")

    @property
    def name(self) -> str:
        """Of this node's files."""
        return f"node-{self.node or socket.gethostname()}"

    def command(self, launch: Launch) -> list[str]:
        """The words of the command, the same on every node."""
        shared = [
            *("--nnodes", str(launch.num_nodes), "--nproc-per-node", str(launch.num_processes)),
            *("--rdzv-backend", "c10d", "--rdzv-endpoint", self.rendezvous, "--rdzv-id", launch.out.name),
        ]
        return [sys.executable, "-m", _ELASTIC, *shared, *launch.module()]

    def written(self, launch: Launch) -> str:
        """The command, and where it goes."""
        where = f"# on each of the {launch.num_nodes} nodes; {self.rendezvous} must be one of them"
        return f"{where}\n{shlex.join(self.command(launch))}\n"

    def start(self, launch: Launch) -> "ProcessHandle":
        """Begin this node's part; see `Launcher`."""
        return start_process(launch, self.command(launch), self.name)

    def find(self, launch: Launch) -> "ProcessHandle | None":
        """This node's part of a launch that was begun before."""
        return find_process(launch, self.name)


def start_process(launch: Launch, command: list[str], name: str) -> "ProcessHandle":
    """Start a command that outlives this process; its output goes to the log.

    Args:
        name: of its files in the launch's folder.

    Raises:
        LaunchError: it did not start.
        ConflictError: it runs already.
    """
    before = find_process(launch, name)
    if before is not None and before.state() not in ENDED:
        raise ConflictError(f"{launch.out} is being carried out already (process {before.pid}); stop it first")
    log = launch.folder / f"{name}.log"
    open_log(log, command)
    try:
        launch.check()
        with log.open("ab") as file:
            process = subprocess.Popen(  # noqa: S603 - our own words, and no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                # a Ctrl-C is for whoever waits; it asks the run to stop
                start_new_session=True,
            )
    except (OSError, S1WebError) as error:
        raise failed(log, str(error)) from None
    values = {
        "pid": process.pid,
        "created": psutil.Process(process.pid).create_time(),
        "record": fingerprint(launch.out),
        "is_asked_to_stop": False,
    }
    save(launch.folder / f"{name}.json", values)
    return ProcessHandle(launch, name, values, process)


def find_process(launch: Launch, name: str) -> "ProcessHandle | None":
    """The handle of a process that was started before."""
    values = saved(launch.folder / f"{name}.json")
    return None if values is None else ProcessHandle(launch, name, values)


class ProcessHandle:
    """A run as a process of this machine and its children."""

    def __init__(
        self, launch: Launch, name: str, values: dict[str, Any], process: "subprocess.Popen[bytes] | None" = None
    ) -> None:
        """
        Args:
            values: as they are kept in the launch's folder.
            process: where it is this process's own child.
        """
        self._launch, self._name, self._values, self._child = launch, name, values, process

    @property
    def log(self) -> Path:
        """Everything that the processes wrote."""
        return self._launch.folder / f"{self._name}.log"

    @property
    def pid(self) -> int:
        """Of the process that was started."""
        return int(self._values["pid"])

    def state(self) -> State:
        """Running while the process is there; then what the run wrote down."""
        if self._find() is not None:
            return "running"
        return ended_state(
            self._launch.out, self._values["record"], is_asked_to_stop=self._values["is_asked_to_stop"]
        )

    def stop(self, *, now: bool = False) -> None:
        """Ask every process of the run to stop; torchrun itself would give them 30 seconds, and then kill."""
        root = self._find()
        if root is None:
            return
        self._values = self._values | {"is_asked_to_stop": True}
        save(self._launch.folder / f"{self._name}.json", self._values)
        everyone = [root, *_children(root)]
        workers = [each for each in everyone if _is_worker(each)]
        for process in everyone if now else workers or [root]:
            try:
                process.send_signal(signal.SIGKILL if now else signal.SIGTERM)
            except psutil.NoSuchProcess:
                continue

    def _find(self) -> psutil.Process | None:
        if self._child is not None and self._child.poll() is not None:
            return None
        try:
            process = psutil.Process(self.pid)
            # a number is given out again; a zombie is one whose parent has not looked
            same = abs(process.create_time() - self._values["created"]) < 1
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _is_worker(process: psutil.Process) -> bool:
    try:
        words = process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    return "training.sft" in words and _ELASTIC not in words
