"""Tasks that run a model, or drive one that runs elsewhere."""

from celery import shared_task

from s1web.jobs.kinds import KINDS
from workers.supervision import work_off


@shared_task(name=KINDS["evaluate"].task)
def evaluate(job_id: int) -> None:
    work_off(KINDS["evaluate"].queue)


@shared_task(name=KINDS["evaluate_endpoint"].task)
def evaluate_endpoint(job_id: int) -> None:
    work_off(KINDS["evaluate_endpoint"].queue)
