"""Evaluates a run in child processes that are killed at random moments, until one comes to its end.

python -m tests.inference.evaluation.killing FOLDER NUM_KILLS SEED; prints how many children were killed at work.
"""

import os
import random
import signal
import sys
import threading
import traceback
from pathlib import Path

from inference.evaluation.folder import SAMPLES
from tests.inference.evaluation.runs import evaluate
from tests.inference.models import make_tokenizer

# more than any number of children does
NUM_PROBLEMS = 400


def main(folder, num_kills, seed):
    rng = random.Random(seed)
    samples = folder / "run" / SAMPLES
    make_tokenizer()  # once for all children
    for number in range(num_kills):
        # some die before they come to work, most a few lines later; a thread of their own sees to it, as another
        # process may come too late on a busy machine
        num_trials, delay = (0 if rng.random() < 0.15 else rng.randrange(1, 9)), rng.uniform(0.0, 0.004)
        child = os.fork()
        if not child:
            try:
                evaluate(folder, count=NUM_PROBLEMS, on_progress=_dying(num_trials, delay))
            except BaseException:
                traceback.print_exc()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "a child came to its end before it was killed"
        if number and rng.random() < 0.3:  # what a power cut leaves: a line that was not written to its end
            with samples.open("ab") as file:
                file.write(b'{"key": "p0')
    evaluate(folder, count=NUM_PROBLEMS)
    print(num_kills)


def _dying(num_trials, delay):
    seen = []

    def on_progress(progress):
        seen.append(progress)
        if len(seen) == num_trials + 1:  # the first one is the beginning
            threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
        elif len(seen) > num_trials + 9:  # the timer's thread is late
            os.kill(os.getpid(), signal.SIGKILL)

    return on_progress


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
