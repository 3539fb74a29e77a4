"""Tasks of the pool and of curation. A message says that there is work; the first job of the queue is done."""

from celery import shared_task

from s1web.jobs.kinds import KINDS
from workers.supervision import work_off


@shared_task(name=KINDS["load_pool"].task)
def load_pool(job_id: int) -> None:
    work_off(KINDS["load_pool"].queue)


@shared_task(name=KINDS["load_benchmark"].task)
def load_benchmark(job_id: int) -> None:
    work_off(KINDS["load_benchmark"].queue)


@shared_task(name=KINDS["annotate_lengths"].task)
def annotate_lengths(job_id: int) -> None:
    work_off(KINDS["annotate_lengths"].queue)


@shared_task(name=KINDS["annotate_contamination"].task)
def annotate_contamination(job_id: int) -> None:
    work_off(KINDS["annotate_contamination"].queue)


@shared_task(name=KINDS["annotate_search"].task)
def annotate_search(job_id: int) -> None:
    work_off(KINDS["annotate_search"].queue)


@shared_task(name=KINDS["curate"].task)
def curate(job_id: int) -> None:
    work_off(KINDS["curate"].queue)


@shared_task(name=KINDS["seed_stability"].task)
def seed_stability(job_id: int) -> None:
    work_off(KINDS["seed_stability"].queue)
