"""Workers say that they are there, as processes of their own, and look after jobs that nobody looks after."""

import os
import platform
import signal
import time

import pytest

from s1web.jobs import services
from s1web.jobs.dispatch import listening
from s1web.jobs.models import Job, WorkerPresence
from s1web.jobs.services import submit
from s1web.versions import code_version
from tests.factories import make_job
from tests.workers.running import is_alive, running_worker, wait_for, within

QUICK = {"JOB_HEARTBEAT_SECONDS": "1", "JOB_LOST_SECONDS": "3"}


@pytest.fixture(autouse=True)
def _quick(settings):
    settings.JOB_HEARTBEAT_SECONDS, settings.JOB_LOST_SECONDS = 1, 3


def state(job: Job) -> str:
    job.refresh_from_db()
    return job.state


def test_a_worker_is_listed_while_it_lives_and_takes_its_name_off_when_it_ends(project):
    with running_worker(project, "cpu", **QUICK, WORKER_SLOTS="3") as worker:
        (presence,) = listening("cpu")
        assert (presence.name, presence.queues, presence.slots) == (worker.name, ["cpu"], 3)
        assert (presence.pid, presence.host) == (worker.process.pid, platform.node())
        assert presence.version == code_version()
        assert presence.device
        assert listening("gpu") == []
        first = presence.seen_at
        wait_for(lambda: WorkerPresence.objects.get().seen_at > first, 5)
        assert WorkerPresence.objects.get().started_at == presence.started_at
        assert worker.end() == 0
        assert not WorkerPresence.objects.exists()


def test_a_job_that_waited_for_a_worker_starts_when_one_comes_and_soon_after_it_was_submitted_later(project):
    waiting = submit("trial_cpu", {"seconds": 1})
    assert "no worker listens on queue cpu" in services.outlook(waiting).line
    # the message is lost with the folder it lay in
    for path in (project.artifact_dir / "broker" / "messages").iterdir():
        path.unlink()
    with running_worker(project, "cpu", **QUICK) as worker:
        wait_for(lambda: state(waiting) == "done", 20, worker.log)
        later = submit("trial_cpu", {"seconds": 1})
        assert wait_for(lambda: Job.objects.get(pk=later.pk).heartbeat_at, 10, worker.log) < 5
        wait_for(lambda: state(later) == "done", 20, worker.log)


def test_a_message_that_comes_ten_times_starts_the_job_once(project):
    job = submit("trial_cpu", {"seconds": 2})
    folder = project.artifact_dir / "broker" / "messages"
    (path,) = folder.iterdir()
    stamp, _, rest = path.name.partition("_")
    for copy in range(10):
        (folder / f"{int(stamp) + copy + 1}_{rest}").write_bytes(path.read_bytes())
    with running_worker(project, "cpu", **QUICK) as worker:
        wait_for(lambda: state(job) == "done", 30, worker.log)
        wait_for(lambda: not list(folder.iterdir()), 20)
        time.sleep(0.5)
    assert (job.num_starts, job.num_losses) == (1, 0)


def test_a_worker_that_is_stopped_gives_its_jobs_back_at_once_and_nothing_is_left_running(project):
    jobs = [submit("trial_cpu", {"seconds": 60}) for _ in range(2)]
    with running_worker(project, "cpu", **QUICK, WORKER_SLOTS="2") as worker:
        wait_for(lambda: [state(job) for job in jobs] == ["running"] * 2, 20, worker.log)
        wait_for(lambda: len(worker.children()) == 2, 5, worker.log)
        children = worker.children()
        worker.process.send_signal(signal.SIGTERM)
        wait_for(lambda: [state(job) for job in jobs] == ["queued"] * 2, within(2), worker.log)
        # nor does it take them again, or say that it is there, while Celery takes its time to end
        assert worker.process.wait(20) == 0
        assert not WorkerPresence.objects.exists()
        assert not [child for child in children if is_alive(child)]
    assert [(state(job), job.num_losses, job.note) for job in jobs] == [("queued", 0, "its worker was stopped")] * 2


def test_a_killed_worker_takes_its_jobs_with_it_and_another_goes_on_with_them(project):
    job = submit("trial_cpu", {"seconds": 3})
    with running_worker(project, "cpu", **QUICK) as first:
        wait_for(lambda: state(job) == "running" and job.done >= 1, 20, first.log)
        children = first.children()
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait()
        wait_for(lambda: not [child for child in children if is_alive(child)], within(2))
    # nobody said that it is gone: its silence does
    assert WorkerPresence.objects.filter(name=first.name).exists()
    with running_worker(project, "cpu", **QUICK) as second:
        wait_for(lambda: [item.name for item in listening()] == [second.name], 10)
        wait_for(lambda: state(job) == "done", 30, second.log)
    assert (job.num_starts, job.num_losses, job.worker) == (2, 1, second.name)


def test_a_killed_worker_that_is_started_again_goes_on_at_once(project):
    slow = QUICK | {"JOB_LOST_SECONDS": "300"}
    job = submit("trial_cpu", {"seconds": 2})
    with running_worker(project, "cpu", **slow) as first:
        wait_for(lambda: state(job) == "running" and job.done >= 1, 20, first.log)
        first.process.kill()
        first.process.wait()
    with running_worker(project, "cpu", name=first.name, **slow) as second:
        wait_for(lambda: state(job) == "done", 30, second.log)
    assert (job.num_starts, job.num_losses, job.worker) == (2, 1, first.name)


def test_a_second_worker_of_the_same_name_takes_no_job_from_the_first(project):
    job = submit("trial_cpu", {"seconds": 6})
    with running_worker(project, "cpu", **QUICK) as first:
        wait_for(lambda: state(job) == "running" and job.done >= 1, 20, first.log)
        with running_worker(project, "cpu", name=first.name, **QUICK) as second:
            wait_for(lambda: WorkerPresence.objects.get().pid == second.process.pid, 20, second.log)
        wait_for(lambda: state(job) == "done", 30, first.log)
    assert (job.num_starts, job.num_losses) == (1, 0)


def test_a_worker_whose_entry_was_removed_enters_itself_again(project):
    with running_worker(project, "cpu", **QUICK) as worker:
        WorkerPresence.objects.all().delete()
        wait_for(lambda: [item.name for item in listening()] == [worker.name], 10, worker.log)


def test_idle_workers_hear_of_jobs_whose_messages_were_lost(project):
    with running_worker(project, "cpu", **QUICK) as worker:
        # put into the queue without a word to anybody
        job = make_job(params={"seconds": 1})
        assert wait_for(lambda: state(job) != "queued", 15, worker.log) < 8
        wait_for(lambda: state(job) == "done", 20, worker.log)


def test_workers_of_one_queue_leave_the_other_alone(project):
    cpu, gpu = submit("trial_cpu", {"seconds": 1}), submit("trial_gpu", {"seconds": 1})
    with running_worker(project, "gpu", **QUICK) as worker:
        wait_for(lambda: state(gpu) == "done", 20, worker.log)
        time.sleep(1.5)
        assert state(cpu) == "queued"
