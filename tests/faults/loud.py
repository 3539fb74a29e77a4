"""python -m tests.faults.loud: prints what would steer a terminal."""

import time

if __name__ == "__main__":
    print("\033]0;title\007\033[2J", flush=True)
    time.sleep(60)
