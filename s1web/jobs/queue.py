"""Telling workers to look. A message names a job, but says no more than "there is work": the database has the rest.

So nothing depends on a message. One that is lost is sent again (`dispatch`), one that comes twice finds nothing to
do, and the order of jobs can change while their messages wait.
"""

import logging
from collections.abc import Iterable
from functools import partial

from django.db import transaction
from django.db.models.functions import Now

from s1web.jobs.kinds import find_kind
from s1web.jobs.models import Job

log = logging.getLogger(__name__)


# workers work a queue off without being told of each job: beyond so many, further messages would say nothing new
_MAX_WAITING = 100


def enqueue(job: Job) -> None:
    """Tell the job's queue of it once its row is committed, so that a worker finds it."""
    transaction.on_commit(partial(_tell, job), robust=True)


def _tell(job: Job) -> None:
    waiting = Job.objects.filter(state=Job.State.QUEUED, queue=job.queue).order_by("place", "pk")
    if not waiting[_MAX_WAITING : _MAX_WAITING + 1].exists():
        send([job])


def send(jobs: Iterable[Job]) -> int:
    """Tell the queues now; returns how many messages went out.

    A broker that is away is no error here: the job is safe in the database and is told of again.
    """
    # where nothing is sent, Celery need not be loaded
    from s1web.celery import app

    num_sent = 0
    # one connection for all; without `retry=False` a broker that is away would hold the caller for long
    try:
        with app.producer_or_acquire() as producer:
            for job in jobs:
                kind = find_kind(job.kind)
                app.send_task(
                    kind.task, args=[job.pk], producer=producer, retry=False, ignore_result=True, expires=None
                )
                num_sent += 1
    except Exception as error:  # whatever a transport raises
        log.warning("the broker took no message: %s: %s", type(error).__name__, " ".join(str(error).split())[:300])
        # not told: the dispatcher need not wait for an answer
        Job.objects.filter(pk__in=[job.pk for job in jobs]).update(sent_at=None)
    return num_sent


def send_again(jobs: Iterable[Job]) -> int:
    """Tell the queues of jobs that nobody took, and remember when."""
    jobs = list(jobs)
    Job.objects.filter(pk__in=[job.pk for job in jobs]).update(sent_at=Now())
    return send(jobs)
