"""Reading ahead in a second process: the same items and errors as without, and nobody is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from curation.errors import InputError
from s1web.pool.ahead import ReadingProcess


def count_to(number: int, fails_at: int | None = None) -> Iterator[int]:
    for item in range(number):
        if item == fails_at:
            raise InputError(f"item {item} cannot be read")
        yield item


def own_process(number: int) -> Iterator[int]:
    for _ in range(number):
        yield os.getpid()


def die_after(number: int) -> Iterator[int]:
    yield from range(number)
    os.kill(os.getpid(), signal.SIGKILL)


def test_items_come_in_order_from_another_process_that_serves_several_readings():
    with ReadingProcess() as reading:
        assert list(reading.read(count_to, 1_000)) == list(range(1_000))
        first, second = set(reading.read(own_process, 3)), set(reading.read(own_process, 3))
        assert first == second != {os.getpid()}
        (child,) = first
    assert not psutil.pid_exists(child)


def test_what_goes_wrong_there_is_raised_here_after_the_items_before_it():
    items = []
    with ReadingProcess() as reading:
        with pytest.raises(InputError, match="item 2 cannot be read"):
            items.extend(reading.read(count_to, 5, 2))
        assert list(reading.read(count_to, 2)) == [0, 1]


def test_a_child_that_is_killed_is_one_clear_error_and_the_next_reading_starts_another():
    with ReadingProcess() as reading:
        with pytest.raises(InputError, match=r"reading ended unexpectedly \(exit code -9\)"):
            list(reading.read(die_after, 3))
        assert list(reading.read(count_to, 3)) == [0, 1, 2]


def test_a_reading_that_is_not_taken_to_its_end_ends_the_child():
    with ReadingProcess() as reading:
        items = reading.read(own_process, 10**6)
        child = next(items)
        items.close()
        assert not psutil.pid_exists(child)


def test_the_child_ends_when_the_parent_is_killed():
    code = (
        "from s1web.pool.ahead import ReadingProcess\n"
        "from tests.s1web.pool.test_ahead import own_process\n"
        "import time\n"
        "if __name__ == '__main__':\n"
        "    items = ReadingProcess().read(own_process, 10**9)\n"
        "    print(next(items), flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert parent.stdout
    assert parent.stderr
    child = int(parent.stdout.readline())
    assert psutil.pid_exists(child)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the child goes on without its parent"
        time.sleep(0.05)
    assert parent.stderr.read() == ""
