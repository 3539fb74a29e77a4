"""Trains a run in child processes that are killed at random moments, until one comes to its end.

python -m tests.training.killing RUN.JSON NUM_KILLS SEED; prints how many children were killed at work.
"""

import os
import random
import signal
import sys
import threading
import traceback
from pathlib import Path

from training import work
from training.config import read_config


def main(run, num_kills, seed):
    # once for all children: to load them takes longer than the whole run
    import torch
    import trl  # noqa: F401
    from tqdm import tqdm

    # its own lock is one for all processes, and would stay locked behind a child that dies with it
    tqdm.set_lock(threading.RLock())
    torch.set_num_threads(1)
    rng = random.Random(seed)
    config, folder = read_config(run), run.with_suffix("")
    for _ in range(num_kills):
        # some die before their first step, most one to three steps later; a thread of their own sees to it, so that
        # death comes within a step, a checkpoint or a line of metrics
        num_steps, delay = rng.randrange(0, 4), rng.uniform(0.0, 0.03)
        child = os.fork()
        if not child:
            try:
                _die_later(0, rng.uniform(0.5, 1.0)) if not num_steps else None
                work.carry_out(config, folder, on_step=_dying(num_steps, delay))
            except BaseException:
                traceback.print_exc()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "a child came to its end before it was killed"
    assert work.carry_out(config, folder)["state"] == "done"
    print(num_kills)


def _dying(num_steps, delay):
    seen = []

    def on_step(line, total):
        seen.append(line["step"])
        if len(seen) == num_steps:
            _die_later(num_steps, delay)
        elif len(seen) > max(num_steps, 1):  # the timer's thread is late
            os.kill(os.getpid(), signal.SIGKILL)

    return on_step


def _die_later(num_steps, delay):
    threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
