"""What is done by the clock: `celery -A s1web beat` sends it, a worker of the queue cpu does it.

Moving jobs on is not here: that is each worker's own (`workers.presence`), so that it needs no process of its own.
"""

from celery import shared_task
from celery.schedules import crontab

from s1web.celery import app
from s1web.jobs.cleanup import clean_up as clean_up_jobs

_HOUR_SECONDS = 3_600


@shared_task(name="workers.schedule.clean_up")
def clean_up() -> None:
    clean_up_jobs()


app.conf.beat_schedule = {
    "clean up": {
        "task": clean_up.name,
        # each hour, as machines are not always on at night; one that nobody took by then makes way for the next
        "schedule": crontab(minute="17"),
        "options": {"expires": _HOUR_SECONDS},
    },
}
