"""A worker says that it is there, and looks after jobs that nobody looks after, in a thread of its own."""

import logging
import os
import platform
import threading
from typing import Any

import psutil
from celery.signals import worker_ready, worker_shutting_down
from django.conf import settings
from django.db import Error as DatabaseFailure
from django.db import close_old_connections, connection
from django.db.models.functions import Now

from s1web.jobs import dispatch
from s1web.jobs.models import WorkerPresence
from s1web.versions import code_version
from workers import supervision

log = logging.getLogger(__name__)


@worker_ready.connect
def _start(sender: Any, **kwargs: Any) -> None:
    """`sender` is the consumer of a worker that takes messages from now on."""
    queues = sorted(sender.app.amqp.queues.consume_from)
    slots = supervision.devices.num_slots(queues, sender.controller.concurrency)
    supervision.worker_name = sender.hostname
    presence = Presence(sender.hostname, queues, slots)
    # before any message is read: what runs under this name now is the work of one before
    presence.succeed()
    presence.start()


@worker_shutting_down.connect
def _stop(**kwargs: Any) -> None:
    # jobs are given back at once: a warm end would wait for them for hours
    supervision.is_closing.set()


class Presence(threading.Thread):
    """Heartbeat and housekeeping of one worker, until it closes."""

    def __init__(self, name: str, queues: list[str], slots: int) -> None:
        super().__init__(name="presence", daemon=True)
        self._queues, self._pid = queues, os.getpid()
        self._values = {
            "host": platform.node(),
            "pid": self._pid,
            "queues": queues,
            "slots": slots,
            "device": supervision.devices.label,
            "version": code_version(),
        }
        self._key = name

    def run(self) -> None:
        self._try(self._enter)
        while not supervision.is_closing.wait(settings.JOB_HEARTBEAT_SECONDS):
            self._try(self._beat)
        self._try(self._leave)
        connection.close()

    def succeed(self) -> None:
        """Where a worker of this name died here, its jobs need not wait until it has been silent for long."""
        self._try(self._take_over)
        connection.close()

    def _take_over(self) -> None:
        before = WorkerPresence.objects.filter(name=self._key, host=self._values["host"]).first()
        # started again in a container, a worker has the number of the one before
        if before and (before.pid == self._pid or not psutil.pid_exists(before.pid)):
            dispatch.recover_from(self._key)

    def _enter(self) -> None:
        values = self._values | {"started_at": Now(), "seen_at": Now()}
        WorkerPresence.objects.update_or_create(name=self._key, defaults=values)
        log.info("%s listens on %s", self._key, ", ".join(self._queues))
        dispatch.turn()

    def _beat(self) -> None:
        # somebody may have cleaned up while the machine slept
        if not WorkerPresence.objects.filter(name=self._key).update(seen_at=Now()):
            self._enter()
        dispatch.turn()

    def _leave(self) -> None:
        WorkerPresence.objects.filter(name=self._key, pid=self._pid).delete()

    def _try(self, step: Any) -> None:
        try:
            step()
        except DatabaseFailure as error:
            # it comes back, or the workers' page says that this one is gone
            log.warning("the database does not answer: %s", " ".join(str(error).split())[:300])
            close_old_connections()
        except Exception:
            log.exception("a turn of the dispatcher failed; the next one comes")
