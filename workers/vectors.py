"""Tasks on vectors. A message says that there is work; the first job of the queue is done."""

from celery import shared_task

from s1web.jobs.kinds import KINDS
from workers.supervision import work_off


@shared_task(name=KINDS["annotate_embeddings"].task)
def annotate_embeddings(job_id: int) -> None:
    work_off(KINDS["annotate_embeddings"].queue)


@shared_task(name=KINDS["annotate_clusters"].task)
def annotate_clusters(job_id: int) -> None:
    work_off(KINDS["annotate_clusters"].queue)


@shared_task(name=KINDS["annotate_map"].task)
def annotate_map(job_id: int) -> None:
    work_off(KINDS["annotate_map"].queue)


@shared_task(name=KINDS["annotate_neighbours"].task)
def annotate_neighbours(job_id: int) -> None:
    work_off(KINDS["annotate_neighbours"].queue)


@shared_task(name=KINDS["annotate_domains"].task)
def annotate_domains(job_id: int) -> None:
    work_off(KINDS["annotate_domains"].queue)
