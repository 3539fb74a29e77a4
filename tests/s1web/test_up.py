"""python manage.py up: one terminal, several processes, and none of them left behind."""

import http.cookiejar
import os
import pty
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.faults.conftest import build
from tests.faults.system import System, Up, free_port, wait_until
from tests.processes import ROOT, Project

END_SECONDS = 8


@pytest.fixture
def system(make_project: Callable[[str], Project]) -> Iterator[System]:
    made = build(make_project, "embedded")
    yield made
    made.close()


def family(up: Up) -> list[psutil.Process]:
    """`up` with all processes below it."""
    parent = psutil.Process(up.process.pid)
    return [parent, *parent.children(recursive=True)]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [item for item in processes if item.is_running() and item.status() != psutil.STATUS_ZOMBIE]


def run_trial(system: System) -> int:
    """A job that runs for long; returns once its process is there."""
    job: int = system.clerk.submit("trial_cpu", {"seconds": 600})
    wait_until("it runs", lambda: system.clerk.job(job)["done"] > 0, 20, system)
    return job


def sign_in(port: int, name: str, password: str) -> str:
    """The address at which signing in ends."""
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    url = f"http://127.0.0.1:{port}/sign-in/"
    page = browser.open(url, timeout=10).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token
    form = {"username": name, "password": password, "csrfmiddlewaretoken": token[1]}
    request = urllib.request.Request(url, urllib.parse.urlencode(form).encode(), {"Referer": url})
    return str(browser.open(request, timeout=10).url)


def test_the_first_start_makes_an_admin_and_later_ones_do_not(system):
    up = system.start_up()
    found = wait_until("the password", lambda: up.find(r"sign in as admin with the password (\S+)"), 5, system)
    assert sign_in(system.port, "admin", found[1]) == f"http://127.0.0.1:{system.port}/"
    assert sign_in(system.port, "admin", found[1] + "x").endswith("/sign-in/")
    assert up.end() == 0
    key = system.artifact_dir / "secret_key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    first = key.read_text()
    # whatever the users are called
    system.clerk.sql("UPDATE auth_user SET username = 'ada'")
    again = system.start_up()
    assert wait_until(
        "how to add a user", lambda: again.find(r"to add a user: python manage.py create_user"), 5, system
    )
    assert not again.find("password")
    assert key.read_text() == first
    # neither key nor password is in what the parts print
    assert not up.find(re.escape(first))
    assert not again.find(re.escape(first))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_parts_within_seconds_and_jobs_go_back_to_the_queue(system, number):
    up = system.start_up()
    job = run_trial(system)
    everyone = family(up)
    assert any("workers.child" in item.cmdline() for item in everyone)
    started = time.monotonic()
    assert up.end(number) == 0
    taken = time.monotonic() - started
    assert taken < END_SECONDS
    assert alive(everyone) == []
    assert up.lines[-1].endswith("| all parts have ended")
    rest = system.clerk.job(job)
    assert (rest["state"], rest["num_losses"], rest["note"]) == ("queued", 0, "its worker was stopped")
    assert system.clerk.workers() == []


def test_nothing_goes_on_when_up_itself_is_killed(system):
    up = system.start_up()
    job = run_trial(system)
    everyone = family(up)
    assert len(everyone) >= 6  # up, web, two workers, beat, the job's process
    up.process.kill()
    wait_until("all have ended", lambda: not alive(everyone), END_SECONDS, system)
    # the workers had time to give it back
    assert system.clerk.job(job)["state"] == "queued"


def test_a_part_that_is_killed_is_started_again_and_requests_wait_for_the_pages(system):
    up = system.start_up()
    for name in ("web", "worker-cpu", "worker-gpu", "beat"):
        before = up.part(name).pid
        assert up.kill_part(name)
        # the socket is up's own: no request is refused while the server starts, however long that takes
        assert system.is_healthy(timeout_seconds=30)
        wait_until(f"{name} is there again", lambda name=name: up.part(name), 10, system)
        assert up.part(name).pid != before
        assert up.find(rf"^up +\| {name} ended by SIGKILL after [\d.]+ s; it starts again in 0.5 s")
        assert up.find(rf"^up +\| {name} started again \(2\)")


def test_two_of_them_on_one_database_do_not_get_into_each_others_way(system):
    first, second = (Up(system.environment, "--port", 0, "--gpu", 0) for _ in range(2))
    try:
        wait_until("both are ready", lambda: first.find("ready:") and second.find("ready:"), 60)
        wait_until("both workers are there", lambda: len(system.clerk.workers()) == 2, 20)
        passwords = [up for up in (first, second) if up.find("with the password")]
        assert len(passwords) == 1
        jobs = [system.clerk.submit("trial_cpu", {"seconds": 2}) for _ in range(4)]
        wait_until("all are done", lambda: {system.clerk.job(job)["state"] for job in jobs} == {"done"}, 40)
        assert {system.clerk.job(job)["num_starts"] for job in jobs} == {1}
    finally:
        assert [up.end() for up in (first, second)] == [0, 0]


def test_two_that_start_at_once_on_an_empty_postgresql_make_its_tables_once(make_project):
    project = make_project("postgresql")
    ups = [Up(project.environment, "--no-web", "--gpu", 0) for _ in range(2)]
    try:
        wait_until("both have workers", lambda: all(up.find("listens on cpu") for up in ups), 60)
    finally:
        assert [up.end() for up in ups] == [0, 0]
    assert sum(up.find("the tables of the postgresql database are made") is not None for up in ups) == 1


def test_an_older_database_gets_the_tables_that_it_lacks(make_project):
    project = make_project("sqlite")
    assert project.run("migrate", "jobs", "zero", "-v", "0").returncode == 0
    up = Up(project.environment, "--no-web", "--gpu", 0)
    try:
        wait_until("the worker is there", lambda: up.find("listens on cpu"), 30)
    finally:
        up.end()
    tables = sqlite3.connect(project.sqlite_path).execute("SELECT name FROM sqlite_master").fetchall()
    assert ("jobs_job",) in tables


def the_one_line(project: Project, *options: object, **settings: str) -> str:
    """The error of an `up` that cannot start."""
    done = subprocess.run(
        [sys.executable, "manage.py", "up", *map(str, options)],
        cwd=ROOT,
        env=project.environment | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.rstrip("\n")


def test_what_keeps_it_from_starting_is_one_line(make_project, tmp_path):
    project = make_project("sqlite")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = the_one_line(project, "--port", port)
    assert line.startswith(f"port {port} of 127.0.0.1 cannot be taken (Address already in use); give another one")
    assert (
        the_one_line(project, "--port", 70_000)
        == "--port 70000 is no port; give 1 to 65535, or 0 for any that is free"
    )
    assert "--cpu -1 is no number of jobs" in the_one_line(project, "--cpu", -1)
    assert "leaves nothing to start" in the_one_line(project, "--no-web", "--cpu", 0, "--gpu", 0)
    file = tmp_path / "file"
    file.touch()
    line = the_one_line(project, ARTIFACT_DIR=str(file))
    assert line.startswith(f"ARTIFACT_DIR={str(file)!r} cannot be written to (File exists)")
    secret = f"redis://:geheim@127.0.0.1:{free_port()}/0"
    line = the_one_line(project, CELERY_BROKER_URL=secret)
    assert "does not answer" in line
    assert "unset CELERY_BROKER_URL" in line
    assert "geheim" not in line
    line = the_one_line(project, DATABASE_URL=f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    assert line.startswith("the database refused: ")


SUPERVISE = """
import sys
from s1web.processes import Part, Supervisor
def say(name, line):
    print(f"{name}: {line}", flush=True)
Supervisor([Part("bad", ["tests.no_such_part"])], say, ".").run()
"""


def test_a_part_that_dies_at_once_is_shown_with_its_last_lines_and_tried_ever_more_slowly(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISE], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith("up: next try in 4 s") or len(lines) == 60:
            break
    process.terminate()
    assert process.wait(10) == 0
    text = "\n".join(lines)
    waits = [float(wait) for wait in re.findall(r"(?:starts again|next try) in ([\d.]+) s", text)]
    assert waits == [0.5, 1, 2, 4]
    assert "bad ended with exit code 1 after" in text
    assert "3 times in a row; its last lines:" in text
    assert re.search(r"up:     .*No module named tests.no_such_part", text)


def test_lines_are_coloured_on_a_terminal_alone_and_a_part_cannot_steer_it(make_project):
    project = make_project("sqlite")
    ours, theirs = pty.openpty()
    command = [sys.executable, "manage.py", "up", "--no-web", "--gpu", "0"]
    process = subprocess.Popen(command, cwd=ROOT, env=project.environment, stdout=theirs, start_new_session=True)
    os.close(theirs)
    text = b""
    while b"listens on cpu" not in text:
        text += os.read(ours, 4096)
    # as when the terminal's window is closed
    process.send_signal(signal.SIGHUP)
    assert process.wait(10) == 0
    assert b"\033[32mworker-cpu\033[0m | " in text
    assert b"\033[1mup        \033[0m | " in text
    code = SUPERVISE.replace('["tests.no_such_part"]', '["tests.faults.loud"]').replace('"bad"', '"loud"')
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    line = process.stdout.readline()
    process.terminate()
    process.wait(10)
    assert line == "loud:  ]0;title  [2J\n"


def test_it_ends_when_nobody_reads_what_it_says(make_project):
    project = make_project("sqlite")
    process = subprocess.Popen(
        [sys.executable, "manage.py", "up", "--no-web", "--gpu", "0"],
        cwd=ROOT,
        env=project.environment,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    process.stdout.readline()
    everyone = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.stdout.close()
    assert process.wait(30) == 0
    assert alive(everyone) == []


def test_the_schedule_leaves_no_file_behind(make_project):
    project = make_project("sqlite")
    up = Up(project.environment, "--no-web")
    try:
        wait_until("beat is there", lambda: up.find("beat: Starting"), 30)
    finally:
        up.end()
    assert list(ROOT.glob("celerybeat*")) == []
