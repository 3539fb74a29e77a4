"""Evaluates a run in child processes that are killed at random moments, until one comes to its end.

python -m tests.inference.evaluation.killing FOLDER NUM_KILLS SEED; prints how many children were killed at work.
"""

import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path

from inference.evaluation.folder import SAMPLES
from tests.inference.evaluation.runs import evaluate

NUM_PROBLEMS = 200


def main(folder, num_kills, seed):
    rng = random.Random(seed)
    samples = folder / "run" / SAMPLES
    killed = 0
    while killed < num_kills:
        before = samples.stat().st_size if samples.exists() else 0
        child = os.fork()
        if not child:
            try:
                evaluate(folder, count=NUM_PROBLEMS)
            except BaseException:
                traceback.print_exc()
            os._exit(0)
        # some die before they come to work, most somewhere in their first lines
        wanted = before + rng.randrange(1, 9_000)
        deadline = time.monotonic() + 30
        if rng.random() < 0.15:
            time.sleep(rng.uniform(0.0, 0.05))
        else:
            while (samples.stat().st_size if samples.exists() else 0) < wanted and time.monotonic() < deadline:
                time.sleep(0.0005)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "a child came to its end before it was killed: give it more problems"
        killed += 1
        if (
            killed > 3 and samples.stat().st_size and rng.random() < 0.3
        ):  # what a power cut leaves: a line that was not written to its end
            with samples.open("ab") as file:
                file.write(b'{"key": "p0')
    evaluate(folder, count=NUM_PROBLEMS)
    print(killed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
