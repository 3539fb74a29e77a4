"""math-verify in processes that may be killed: hostile answers, limits, and what a dead worker leaves behind."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from curation.errors import ConfigError
from inference import math_verifier
from inference.equivalence import Grade
from inference.math_verifier import MAX_CHARACTERS, MathVerifier

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = json.loads(Path(__file__).with_name("answer_cases.json").read_text(encoding="utf-8"))["hostile"]
TOWER = HOSTILE[0]["answer"]
# expands to numbers of many thousand digits, in more memory than it is allowed
HUGE = r"(1+\sqrt2)^{100000}"


@pytest.fixture(scope="module")
def verifier() -> Iterator[MathVerifier]:
    with MathVerifier(num_workers=2, timeout_seconds=1) as verifier:
        yield verifier


def workers() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if any("math_worker.py" in part for part in child.cmdline())]


@pytest.mark.parametrize("case", HOSTILE, ids=lambda case: case["source"])
def test_a_hostile_answer_is_not_graded_and_the_next_one_is(verifier: MathVerifier, case: dict[str, Any]) -> None:
    grades = verifier.verify([(case["reference"], case["answer"]), ("1/2", "0.5")])
    assert grades == [Grade(None, case["rule"]), Grade(True, "math_verify")]


def test_answers_beside_a_hostile_one_keep_their_grades_and_order(verifier: MathVerifier) -> None:
    pairs = [(str(number), f"{number}.0") for number in range(40)]
    pairs[7:7] = [("5", TOWER)]
    grades = verifier.verify(pairs)
    assert grades.pop(7) == Grade(None, "math_verify.timeout")
    assert grades == [Grade(True, "math_verify")] * 40


def test_an_equal_pair_is_compared_once(verifier: MathVerifier, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    compare = math_verifier._Worker.compare

    def watched(worker: Any, pair: tuple[str, str]) -> Grade:
        asked.append(pair)
        return compare(worker, pair)

    monkeypatch.setattr(math_verifier._Worker, "compare", watched)
    grades = verifier.verify([("1", "1.0"), ("1", "2"), ("1", "1.0"), ("2", "1")])
    assert [grade.is_right for grade in grades] == [True, False, True, False]
    assert sorted(asked) == [("1", "1.0"), ("1", "2"), ("2", "1")]
    assert verifier.verify([]) == []


def test_a_worker_that_takes_too_much_memory_is_killed() -> None:
    with MathVerifier(num_workers=1, timeout_seconds=100, memory_bytes=200 << 20) as verifier:
        assert verifier.verify([("5", HUGE)]) == [Grade(None, "math_verify.memory")]
        assert verifier.verify([("1", "1.0")]) == [Grade(True, "math_verify")]


def test_a_worker_killed_while_it_waits_costs_no_grade(verifier: MathVerifier) -> None:
    verifier.verify([("1", "1.0"), ("2", "3")])
    waiting = workers()
    assert waiting
    for worker in waiting:
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait(10)
    assert verifier.verify([("1", "2"), ("1", "1.0")]) == [Grade(False, "math_verify"), Grade(True, "math_verify")]


def test_a_worker_killed_at_work_leaves_its_pair_ungraded_and_is_replaced() -> None:
    with MathVerifier(num_workers=1, timeout_seconds=100) as verifier:
        verifier.verify([("1", "2")])
        before = {worker.pid: sum(worker.cpu_times()[:2]) for worker in workers()}
        results: list[Grade] = []
        thread = threading.Thread(target=lambda: results.extend(verifier.verify([("5", TOWER), ("1", "1.0")])))
        thread.start()
        # the tower is at work once its worker has computed for a while
        busy: list[psutil.Process] = []
        while not busy and thread.is_alive():
            busy = [worker for worker in workers() if sum(worker.cpu_times()[:2]) > before.get(worker.pid, 99) + 0.3]
        os.kill(busy[0].pid, signal.SIGKILL)
        thread.join()
    assert results == [Grade(None, "math_verify.crashed"), Grade(True, "math_verify")]


def test_threads_may_share_a_verifier(verifier: MathVerifier) -> None:
    results: dict[int, list[Grade]] = {}

    def work(number: int) -> None:
        results[number] = verifier.verify([(str(number), f"{number}.0"), (str(number), f"{number + 1}.0")])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: [Grade(True, "math_verify"), Grade(False, "math_verify")] for number in range(6)}


def test_no_worker_outlives_the_verifier() -> None:
    before = {worker.pid for worker in workers()}
    with MathVerifier(num_workers=2) as verifier:
        verifier.verify([("1", "2"), ("1", "3")])
        started = [worker for worker in workers() if worker.pid not in before]
        assert started
    assert not any(worker.is_running() for worker in started)


def test_a_worker_ends_with_the_process_that_started_it() -> None:
    code = (
        "import os, psutil\nfrom inference.math_verifier import MathVerifier\n"
        "MathVerifier(num_workers=1).verify([('1', '2')])\n"
        "print(psutil.Process().children()[0].pid, flush=True)\nos._exit(1)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(20)
    assert not psutil.pid_exists(pid)


def test_a_worker_sees_no_environment(verifier: MathVerifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_API_KEY", "a-secret")
    with MathVerifier(num_workers=1) as fresh:
        before = {worker.pid for worker in workers()}
        fresh.verify([("1", "2")])
        [worker] = [worker for worker in workers() if worker.pid not in before]
        assert set(worker.environ()) <= {"OMP_NUM_THREADS", "LC_CTYPE"}


def test_an_interrupt_of_the_terminal_does_not_reach_workers(verifier: MathVerifier) -> None:
    verifier.verify([("1", "2")])
    assert os.getsid(0) not in {os.getsid(worker.pid) for worker in workers()}


def test_what_imports_the_verifier_does_not_load_mathematics() -> None:
    code = "import sys, inference.math_verifier\nprint({'math_verify', 'sympy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_an_answer_that_brings_a_box_of_its_own_is_not_read(verifier: MathVerifier) -> None:
    assert verifier.verify([("5", r"6}\boxed{5")]) == [Grade(None, "math_verify.unreadable")]


def test_lines_and_quotes_in_an_answer_do_not_break_the_protocol(verifier: MathVerifier) -> None:
    pairs = [("5", '5\n["1", "1"]\n'), ("5", '"5"'), ("5", "\u2028\ud800"), ("1/2", "\\frac{1}\n{2}")]
    grades = verifier.verify(pairs)
    assert grades[3] == Grade(True, "math_verify")
    assert verifier.verify([("1", "1.0")]) == [Grade(True, "math_verify")]


def test_the_longest_answer_allowed_is_read(verifier: MathVerifier) -> None:
    longest = "1" * MAX_CHARACTERS
    assert verifier.verify([(longest, longest)]) == [Grade(True, "math_verify")]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"num_workers": 0}, "num_workers=0 is out of range; give 1 or more"),
        ({"timeout_seconds": 0}, "timeout_seconds=0 is out of range; give more than 0"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds=nan is out of range"),
        ({"memory_bytes": 1}, "memory_bytes=1 is out of range; math-verify needs 209715200 or more"),
    ],
)
def test_a_limit_that_cannot_be_kept_says_so(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        MathVerifier(**options)


def test_without_math_verify_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="install the extra `evaluation`"):
        MathVerifier()
