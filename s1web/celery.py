"""The Celery application: Redis where CELERY_BROKER_URL says so, else a folder that needs no server."""

import os
from pathlib import Path
from typing import Any

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "s1web.settings")

from django.conf import settings

from s1web.jobs.kinds import KINDS

# seconds until a broker that does not answer counts as away
_CONNECT_SECONDS = 3
# how often a worker looks into the folder
_POLL_SECONDS = 0.1

app = Celery("s1web")


def _broker(url: str, folder: Path) -> dict[str, Any]:
    if url:
        return {
            "broker_url": url,
            "broker_transport_options": {
                "socket_connect_timeout": _CONNECT_SECONDS,
                "socket_timeout": 10 * _CONNECT_SECONDS,
                "socket_keepalive": True,
                "health_check_interval": 10,
                # one attempt for who sends, as the dispatcher sends again: more would hold a page for 6 s. A worker
                # that has lost its broker tries on all the same
                "max_retries": 0,
            },
        }
    return {
        "broker_url": "filesystem://localhost//",
        "broker_transport_options": {
            # the same folder both ways: who sends and who receives look at one place
            "data_folder_in": str(folder / "messages"),
            "data_folder_out": str(folder / "messages"),
            "control_folder": str(folder / "control"),
            "polling_interval": _POLL_SECONDS,
        },
    }


def _folder() -> Path:
    folder: Path = settings.ARTIFACT_DIR / "broker"
    if not settings.CELERY_BROKER_URL:
        for name in ("messages", "control"):
            (folder / name).mkdir(parents=True, exist_ok=True)
    return folder


app.conf.update(
    _broker(settings.CELERY_BROKER_URL, _folder()),
    imports=(
        "workers.curation",
        "workers.vectors",
        "workers.exports",
        "workers.inference",
        "workers.trial",
        "workers.presence",
        "workers.schedule",
    ),
    task_routes={kind.task: {"queue": kind.queue} for kind in KINDS.values()},
    task_default_queue="cpu",
    # the schedule is kept in memory: it has nothing that must outlive a restart, and leaves no file
    beat_scheduler="celery.beat:Scheduler",
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    # a task does nothing but look after its job's own process: threads are enough, and a worker is small
    worker_pool="threads",
    worker_concurrency=settings.WORKER_SLOTS,
    # messages are hints (see s1web/jobs/queue.py): taken at once, so that none comes back after hours
    task_acks_late=False,
    worker_prefetch_multiplier=1,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    # how long a worker that is told to end may sleep on
    worker_timer_precision=0.2,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_connection_timeout=_CONNECT_SECONDS,
    # a broker that is away for a night is waited for
    broker_connection_max_retries=None,
)
