"""What keeps jobs moving whatever dies or gets lost; every worker takes a turn each few seconds, in its own time.

Not a task: in a full queue it would wait behind the very jobs it looks after. Not a process of its own: it would be
one more that can be missing. All that it does may be done twice at once without harm.
"""

from collections import Counter
from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from s1web.jobs import queue, transitions
from s1web.jobs.models import Job, WorkerPresence
from s1web.jobs.transitions import Claim, claimable

# a message that is on its way gets so long to arrive
_RESEND_SECONDS = 5
# how long the list of workers shows one that is gone
_FORGET_SECONDS = 3_600


def turn() -> None:
    """Find jobs whose worker is gone, tell idle workers of jobs that wait, forget workers that left long ago."""
    recover()
    resend()
    gone = WorkerPresence.objects.filter(seen_at__lt=Now() - timedelta(seconds=_FORGET_SECONDS))
    if gone.exists():
        gone.delete()


def recover() -> int:
    """Let jobs whose heartbeat has stopped go on elsewhere; returns how many there were."""
    silent = Job.objects.filter(
        state=Job.State.RUNNING, heartbeat_at__lt=Now() - timedelta(seconds=settings.JOB_LOST_SECONDS)
    )
    num_lost = 0
    for pk, token, worker in silent.values_list("pk", "claim", "worker"):
        reason = f"its worker {worker} was not heard of for {settings.JOB_LOST_SECONDS:,} s"
        num_lost += transitions.lose(Claim(pk, token), reason, silent_seconds=settings.JOB_LOST_SECONDS)
    return num_lost


def recover_from(worker: str) -> int:
    """Let the jobs of a worker that is known to be dead go on at once; returns how many there were."""
    num_lost = 0
    for pk, token in Job.objects.filter(state=Job.State.RUNNING, worker=worker).values_list("pk", "claim"):
        num_lost += transitions.lose(Claim(pk, token), f"its worker {worker} died and was started again")
    return num_lost


def resend() -> int:
    """Tell idle workers of jobs that wait although somebody could run them; returns how many messages went out.

    No more than there are idle slots: ten thousand waiting jobs are no ten thousand messages.
    """
    num_sent = 0
    slots: Counter[str] = Counter()
    for presence in listening():
        for name in presence.queues:
            slots[name] += presence.slots
    for name, total in slots.items():
        idle = total - Job.objects.filter(state=Job.State.RUNNING, queue=name).count()
        if idle <= 0:
            continue
        not_lately = Q(sent_at=None) | Q(sent_at__lt=Now() - timedelta(seconds=_RESEND_SECONDS))
        # the next ones alone: where they were told of just now, the message is on its way
        waiting = claimable(name).only("pk", "kind", "sent_at")[:idle]
        due = [job for job in waiting if Job.objects.filter(not_lately, pk=job.pk).exists()]
        num_sent += queue.send_again(due) if due else 0
    return num_sent


def listening(queue_name: str | None = None) -> list[WorkerPresence]:
    """Workers that were heard of just now; of one queue or of all."""
    heard = WorkerPresence.objects.filter(seen_at__gte=Now() - timedelta(seconds=settings.JOB_LOST_SECONDS))
    return [item for item in heard.order_by("name") if queue_name is None or queue_name in item.queues]
