"""python -m s1web.part MODULE ARGUMENT...: runs a module as a part of `up`, and ends it when `up` is gone.

`up` holds the other end of standard input and writes nothing: when it dies, however it dies, that end closes.
"""

import os
import runpy
import signal
import sys
import threading
import time
import warnings

# what a part gets to end by itself once nobody looks after it
_GRACE_SECONDS = 5.0


def main(arguments: list[str]) -> None:
    """Run `python -m ARGUMENTS` in this process."""
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    # root in a container is no danger of the kind that Celery warns of: it takes JSON alone, never a pickle
    warnings.filterwarnings("ignore", message=r"\s*You're running the worker with superuser privileges")
    sys.argv = arguments
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


def _end_with_the_parent() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
