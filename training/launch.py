"""python -m training.launch run.json: carry a run out on this machine, on several nodes or through Slurm."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from curation.errors import ConfigError, InputError, S1WebError
from inference.evaluation.stopping import stop_signals
from training.command_line import run_parser
from training.launchers.base import ENDED, Handle, Launch, Launcher, State, last_line
from training.launchers.processes import LocalLauncher, TorchrunLauncher
from training.launchers.slurm import TEMPLATE, SlurmLauncher

LAUNCHERS = ("local", "torchrun", "slurm")
_SECONDS_BETWEEN_LOOKS = 0.5


def main(arguments: Sequence[str] | None = None) -> int:
    parser = run_parser("training.launch", __doc__)
    parser.add_argument("--with", choices=LAUNCHERS, default="local", dest="launcher", help="default: local")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="on each node (default: 1)")
    parser.add_argument("--nodes", type=int, default=1, metavar="M", help="machines (default: 1)")
    parser.add_argument("--out", type=Path, help="the run's folder (default: the file's name without .json)")
    parser.add_argument("--rendezvous", metavar="HOST:PORT", help="torchrun: where the nodes meet; the first of them")
    parser.add_argument("--node", default="", help="torchrun: this node's name, for its log (default: the host's)")
    parser.add_argument("--template", type=Path, help="slurm: a script of your own; docs/guide/training.md")
    parser.add_argument(
        "--option", action="append", default=[], metavar="OPTION", help="slurm: of sbatch, --option=--partition=gpu"
    )
    parser.add_argument("--python", default="", help="slurm: the nodes' Python (default: this one)")
    parser.add_argument("--detach", action="store_true", help="do not wait for the end; slurm never waits")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--print", action="store_true", help="write the command or script, and start nothing")
    what.add_argument("--state", action="store_true", help="say how an earlier launch stands")
    what.add_argument("--stop", action="store_true", help="ask an earlier launch to end behind a checkpoint")
    what.add_argument("--kill", action="store_true", help="end an earlier launch at once")
    parser.add_argument("--json", action="store_true", help="print one JSON object alone: state and log")
    options = parser.parse_args(arguments)
    try:
        return _carry_out(options)
    except S1WebError as error:
        print(error, file=sys.stderr)
        return 1


def _carry_out(options: argparse.Namespace) -> int:
    launch = Launch(
        options.run, options.out or options.run.with_suffix(""), tuple(options.set), options.processes, options.nodes
    )
    launcher = make_launcher(options)
    if options.print:
        launch.check()
        print(launcher.written(launch), end="")
        return 0
    if options.state or options.stop or options.kill:
        handle = launcher.find(launch)
        if handle is None:
            raise InputError(f"{launch.folder}: no launch with {options.launcher}; start one")
        if options.stop or options.kill:
            handle.stop(now=options.kill)
        _tell(handle, handle.state(), is_json=options.json)
        return 0
    handle = launcher.start(launch)
    if options.detach or options.launcher == "slurm":
        _tell(handle, handle.state(), is_json=options.json)
        return 0
    if not options.json:
        print(f"log {handle.log}", flush=True)
    state = wait(handle)
    _tell(handle, state, is_json=options.json)
    return 1 if state == "failed" else 0


def make_launcher(options: argparse.Namespace) -> Launcher:
    """The launcher that a command line asks for.

    Raises:
        ConfigError: it lacks something, or is given another's options.
        InputError: the template cannot be read.
    """
    for name, launcher, unset in (
        ("rendezvous", "torchrun", None),
        ("node", "torchrun", ""),
        ("template", "slurm", None),
        ("option", "slurm", []),
        ("python", "slurm", ""),
    ):
        if getattr(options, name) != unset and options.launcher != launcher:
            raise ConfigError(f"--{name} is for --with {launcher}, not {options.launcher}; leave it out")
    if options.launcher == "torchrun":
        if options.rendezvous is None:
            raise ConfigError("torchrun needs --rendezvous HOST:PORT: the node where all meet, and a free port there")
        return TorchrunLauncher(options.rendezvous, options.node)
    if options.launcher == "slurm":
        return SlurmLauncher(_read_template(options.template), tuple(options.option), options.python)
    return LocalLauncher()


def _read_template(path: Path | None) -> str:
    if path is None:
        return TEMPLATE
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.reason
        raise InputError(f"{path}: {reason}; give a Slurm script as text") from None


def wait(handle: Handle) -> State:
    """How it ends. Ctrl-C or SIGTERM asks the run to stop; the second time this process ends, and the run goes on."""
    is_asked = False
    with stop_signals() as should_stop:
        while (state := handle.state()) not in ENDED:
            if should_stop() and not is_asked:
                is_asked = True
                handle.stop()
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    return state


def _tell(handle: Handle, state: State, *, is_json: bool) -> None:
    if is_json:
        print(json.dumps({"state": state, "log": str(handle.log)}))
    elif state == "failed":
        print(f"failed: {last_line(handle.log)}; log: {handle.log}", file=sys.stderr)
    else:
        print(f"{state}; log {handle.log}")


if __name__ == "__main__":
    sys.exit(main())
