"""Tasks that write files out of the pool."""

from celery import shared_task

from s1web.jobs.kinds import KINDS
from workers.supervision import work_off


@shared_task(name=KINDS["export_selection"].task)
def export_selection(job_id: int) -> None:
    work_off(KINDS["export_selection"].queue)
