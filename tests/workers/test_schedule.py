"""The beat table: each line names a task that a worker has, on a queue that somebody listens on."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from s1web.celery import app
from s1web.jobs import services
from s1web.jobs.kinds import QUEUES
from s1web.jobs.models import Job
from workers import schedule


def test_every_line_of_the_table_is_a_task_that_workers_load():
    app.loader.import_default_modules()
    assert app.conf.beat_schedule
    for name, line in app.conf.beat_schedule.items():
        assert line["task"] in app.tasks, name
        assert app.amqp.router.route({}, line["task"])["queue"].name in QUEUES, name
        # one that nobody took is worth nothing once the next one comes
        assert 0 < line["options"]["expires"] <= 3_600, name


def test_the_schedule_is_kept_in_memory():
    assert app.conf.beat_scheduler == "celery.beat:Scheduler"


@pytest.mark.django_db
def test_the_task_cleans_up():
    job = services.submit("trial_cpu", {"seconds": 1}, is_confirmed=False)
    Job.objects.filter(pk=job.pk).update(created_at=Now() - timedelta(days=2))
    schedule.clean_up()
    job.refresh_from_db()
    assert job.state == Job.State.CANCELLED
