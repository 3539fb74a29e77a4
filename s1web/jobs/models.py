"""Jobs and workers as tables; the database says what is true, a message to a worker only that it should look."""

from typing import ClassVar

from django.conf import settings
from django.db import models


class Job(models.Model):
    """A piece of work for a worker: what was asked, how far it is, what came of it.

    Rows change through `s1web.jobs.transitions` alone, where each change of state is one filtered update.
    """

    class State(models.TextChoices):
        PLANNED = "planned"  # its plan is shown, and waits to be confirmed
        QUEUED = "queued"
        RUNNING = "running"
        PAUSED = "paused"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    class Stop(models.TextChoices):
        """What a running job was asked to do."""

        NONE = ""
        PAUSE = "pause"
        CANCEL = "cancel"

    kind = models.CharField(max_length=50)
    queue = models.CharField(max_length=20)
    state = models.CharField(max_length=10, choices=State, default=State.PLANNED)
    stop = models.CharField(max_length=10, choices=Stop, default=Stop.NONE, blank=True)
    place = models.BigIntegerField(default=0, help_text="jobs of a queue run by rising place, then by id")
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="children")
    waits_for_parent = models.BooleanField(default=False, help_text="starts once its parent is done")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="jobs"
    )

    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, help_text="of the newest start")
    ended_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True, help_text="when a worker was last told of it")
    not_before = models.DateTimeField(null=True, help_text="a lost job waits a little before it starts again")

    claim = models.CharField(max_length=32, blank=True, help_text="drawn at each start; only its holder may write")
    worker = models.CharField(max_length=200, blank=True)
    num_starts = models.PositiveIntegerField(default=0)
    num_losses = models.PositiveIntegerField(default=0, help_text="starts that ended in a death of process or worker")

    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0, help_text="0: unknown")
    rate = models.FloatField(default=0.0, help_text="of `done`, each second, lately")
    seconds = models.FloatField(default=0.0, help_text="of all its starts together")

    title = models.CharField(max_length=300)
    note = models.TextField(blank=True, help_text="one line on why it stands where it stands")
    error = models.TextField(blank=True)
    params = models.JSONField(default=dict)
    plan = models.JSONField(default=dict)
    caps = models.JSONField(default=dict, help_text="resource -> most that it may spend")
    spent = models.JSONField(default=dict, help_text="resource -> spent over all starts")
    result = models.JSONField(null=True)
    version = models.CharField(max_length=50, blank=True, help_text="of the code that ran it last")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["state", "queue", "place", "id"], name="job_next_in_queue"),
            models.Index(fields=["-ended_at", "-id"], name="job_lately_ended"),
        ]

    def __str__(self) -> str:
        return f"job {self.pk}"

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    @property
    def seconds_left(self) -> float | None:
        """By its rate of late; None where nothing is known."""
        if self.state != self.State.RUNNING or self.rate <= 0 or self.total <= self.done:
            return None
        return (self.total - self.done) / self.rate


ENDED = (Job.State.DONE, Job.State.FAILED, Job.State.CANCELLED)


class WorkerPresence(models.Model):
    """A worker process that said a moment ago that it is there."""

    name = models.CharField(max_length=200, unique=True)
    host = models.CharField(max_length=200)
    pid = models.PositiveIntegerField()
    queues = models.JSONField(default=list)
    slots = models.PositiveIntegerField(default=1, help_text="jobs that it runs at a time")
    device = models.CharField(max_length=200, blank=True)
    version = models.CharField(max_length=50, blank=True)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
