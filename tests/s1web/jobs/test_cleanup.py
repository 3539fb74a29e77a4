"""What jobs leave behind goes by itself: plans that nobody confirmed, logs that nobody reads."""

import os
import time
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from s1web.jobs import services, transitions
from s1web.jobs.cleanup import clean_up
from s1web.jobs.logs import log_path
from s1web.jobs.models import Job

pytestmark = pytest.mark.django_db
DAY_SECONDS = 24 * 3_600


def submit(**options: object) -> Job:
    return services.submit("trial_cpu", {"seconds": 1}, **options)


def make_old(job: Job, hours: float) -> None:
    Job.objects.filter(pk=job.pk).update(created_at=Now() - timedelta(hours=hours))


def write_log(number: int, days: float) -> None:
    path = log_path(number)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a line\n")
    then = time.time() - days * DAY_SECONDS
    os.utime(path, (then, then))


def test_a_plan_that_nobody_confirmed_within_a_day_is_cancelled_and_says_why():
    fresh, old, queued = submit(is_confirmed=False), submit(is_confirmed=False), submit()
    child = submit(parent=old)
    make_old(fresh, 23)
    make_old(old, 25)
    make_old(queued, 25)
    assert clean_up() == (1, 0)
    for job in (fresh, old, queued, child):
        job.refresh_from_db()
    assert [job.state for job in (fresh, old, queued, child)] == ["planned", "cancelled", "queued", "cancelled"]
    assert old.note == "nobody confirmed it within 24 hours"
    assert old.ended_at is not None
    # it can be had all the same
    services.retry(old)
    assert clean_up() == (0, 0)


def test_logs_of_jobs_that_ended_long_ago_are_deleted_and_no_others(settings):
    settings.JOB_LOG_DAYS = 30
    ended, late, running = submit(), submit(), submit()
    transitions.cancel(ended)
    transitions.cancel(late)
    write_log(ended.pk, 31)
    write_log(late.pk, 29)
    # a job that goes on for months without a word is no reason to lose its log
    write_log(running.pk, 31)
    write_log(10_000_000, 31)
    (log_path(0).parent / "notes.log").write_text("somebody's own")
    assert clean_up() == (0, 2)
    assert sorted(path.stem for path in log_path(0).parent.iterdir()) == sorted(
        [str(late.pk), str(running.pk), "notes"]
    )


def test_there_may_be_nothing_to_clean():
    assert clean_up() == (0, 0)
