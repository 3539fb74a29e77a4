"""Tasks that show that a queue has a worker."""

from celery import shared_task

from s1web.jobs.kinds import KINDS
from workers.supervision import work_off


@shared_task(name=KINDS["trial_cpu"].task)
def trial_cpu(job_id: int) -> None:
    work_off(KINDS["trial_cpu"].queue)


@shared_task(name=KINDS["trial_gpu"].task)
def trial_gpu(job_id: int) -> None:
    work_off(KINDS["trial_gpu"].queue)
