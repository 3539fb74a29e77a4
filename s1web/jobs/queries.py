"""What pages and commands read of jobs and workers: never a job's long columns for a list, never a query per row."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Self
from urllib.parse import urlencode

from django.db.models import Case, CharField, Count, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.fields.json import KT
from django.db.models.functions import Left

from s1web.jobs.dispatch import listening
from s1web.jobs.kinds import KINDS, QUEUES
from s1web.jobs.models import ENDED, Job, WorkerPresence

State = Job.State
# a page of a block; and what there is of running jobs at most, which the slots of all workers bound
PAGE = 50
_MOST_RUNNING = 200
_MOST_WORKERS = 200
_LINE = 240
# what a list shows of a job; params, plan, result and error stay where they are
_COLUMNS = (
    "kind",
    "queue",
    "state",
    "stop",
    "place",
    "title",
    "done",
    "total",
    "rate",
    "seconds",
    "worker",
    "num_losses",
    "waits_for_parent",
    "not_before",
    "created_at",
    "started_at",
    "ended_at",
)
ENDED_STATES = tuple(state.value for state in ENDED)
HELD = (State.PLANNED, State.PAUSED)
# a filter by state may ask for all that have ended
STATE_CHOICES = (*State.values, "ended")


@dataclass(frozen=True)
class Filters:
    """Which jobs a list shows; all of it stands in the address.

    Attributes:
        state: a state, or "ended" for the three that are an end; empty is every state.
        mine: the user whose jobs alone are shown.
        after: the queued job (queue, place, id) behind which the block of queued jobs starts.
        before: the ended job (id) behind which the block of ended jobs starts.
    """

    state: str = ""
    kind: str = ""
    queue: str = ""
    mine: int | None = None
    after: tuple[str, int, int] | None = None
    before: int | None = None

    @classmethod
    def read(cls, values: Any, user_pk: int | None) -> Self:
        """From an address; what cannot be one of ours is no filter."""
        state, kind, queue = (str(values.get(name, "")) for name in ("state", "kind", "queue"))
        return cls(
            state=state if state in STATE_CHOICES else "",
            kind=kind if kind in KINDS else "",
            queue=queue if queue in QUEUES else "",
            mine=user_pk if values.get("mine") == "1" else None,
            after=_read_place(str(values.get("after", ""))),
            before=_read_number(str(values.get("before", ""))),
        )

    @property
    def is_on(self) -> bool:
        """Whether it hides anything, apart from paging."""
        return bool(self.state or self.kind or self.queue or self.mine)

    @property
    def is_paged(self) -> bool:
        return self.after is not None or self.before is not None

    def shows(self, states: Collection[str]) -> bool:
        """Whether jobs of these states are among what is shown."""
        wanted = ENDED_STATES if self.state == "ended" else (self.state,)
        return not self.state or any(state in states for state in wanted)

    def address(self, **changes: Any) -> str:
        """The filters, changed, as the end of an address; paging starts anew."""
        new = replace(self, **({"after": None, "before": None} | changes))
        values = {
            "state": new.state,
            "kind": new.kind,
            "queue": new.queue,
            "mine": "1" if new.mine else "",
            "after": ":".join(map(str, new.after)) if new.after else "",
            "before": str(new.before) if new.before else "",
        }
        text = urlencode({name: value for name, value in values.items() if value})
        return f"?{text}" if text else ""

    def same(self) -> str:
        """The end of this list's own address."""
        return self.address(after=self.after, before=self.before)

    def chips(self) -> list[tuple[str, str]]:
        """What is on, in words, each with the end of the address without it."""
        found = [
            (f"{name}: {value}", self.address(**{name: ""}))
            for name, value in (("state", self.state), ("kind", self.kind), ("queue", self.queue))
            if value
        ]
        found += [("mine", self.address(mine=None))] if self.mine else []
        return found + ([("further on", self.address())] if self.is_paged else [])

    def apply(self, jobs: "QuerySet[Job]") -> "QuerySet[Job]":
        """Kind, queue and user; states are the blocks' own."""
        if self.kind:
            jobs = jobs.filter(kind=self.kind)
        if self.queue:
            jobs = jobs.filter(queue=self.queue)
        return jobs.filter(created_by=self.mine) if self.mine else jobs


@dataclass(frozen=True)
class QueueFigures:
    """A queue now: jobs that wait and run, and who listens."""

    name: str
    waiting: int
    running: int
    workers: int
    slots: int

    @property
    def is_stuck(self) -> bool:
        """Jobs wait, and nobody will take them."""
        return self.waiting > 0 and not self.workers


@dataclass(frozen=True)
class Board:
    """The jobs that a list shows, in four blocks; a block is None where the filters hide it.

    Attributes:
        more_queued, more_ended: the end of the address that goes on where the block stops; empty at its end.
        num_queued: all that the filters let through, shown or not.
    """

    filters: Filters
    queues: list[QueueFigures]
    running: list[Job] | None
    queued: list[Job] | None
    held: list[Job] | None
    ended: list[Job] | None
    num_queued: int = 0
    more_queued: str = ""
    more_held: bool = False
    more_ended: str = ""
    listened: frozenset[str] = field(default_factory=frozenset)

    @property
    def stuck(self) -> list[QueueFigures]:
        return [queue for queue in self.queues if queue.is_stuck]

    @property
    def is_moving(self) -> bool:
        """Whether anything runs or waits, here or behind the filters."""
        return any(queue.running or queue.waiting for queue in self.queues)

    @property
    def is_empty(self) -> bool:
        return not (self.running or self.queued or self.held or self.ended)


def read_board(filters: Filters, *, page: int = PAGE) -> Board:
    """The list of jobs: at most eight queries, however many jobs there are."""
    queues = read_queues()
    listened = frozenset(queue.name for queue in queues if queue.workers)
    jobs = filters.apply(_listed())
    paging_queued, paging_ended = filters.after is not None, filters.before is not None
    running = queued = held = ended = None
    num_queued, more_queued, more_ended, more_held = 0, "", "", False
    if filters.shows([State.RUNNING]) and not filters.is_paged:
        running = list(jobs.filter(state=State.RUNNING).order_by("started_at", "pk")[:_MOST_RUNNING])
    if filters.shows([State.QUEUED]) and not paging_ended:
        waiting = filters.apply(Job.objects.filter(state=State.QUEUED))
        # the queues' own figures say it where no filter hides anything of them
        narrow = filters.kind or filters.mine
        num_queued = (
            waiting.count() if narrow else sum(queue.waiting for queue in queues if filters.queue in ("", queue.name))
        )
        queued = list(_after(jobs, filters)[: page + 1])
        if len(queued) > page:
            queued = queued[:page]
            last = queued[-1]
            more_queued = filters.address(state=State.QUEUED.value, after=(last.queue, last.place, last.pk))
        for job in queued:
            job.outlook = _outlook(job, listened)  # type: ignore[attr-defined]
    if filters.shows([state.value for state in HELD]) and not filters.is_paged:
        states = [filters.state] if filters.state else HELD
        held = list(jobs.filter(state__in=states).order_by("-pk")[: page + 1])
        held, more_held = held[:page], len(held) > page
    if filters.shows(ENDED_STATES) and not paging_queued:
        ended = list(_before(jobs, filters)[: page + 1])
        if len(ended) > page:
            ended = ended[:page]
            more_ended = filters.address(state=filters.state or "ended", before=ended[-1].pk)
    return Board(
        filters,
        queues,
        running,
        queued,
        held,
        ended,
        num_queued=num_queued,
        more_queued=more_queued,
        more_held=more_held,
        more_ended=more_ended,
        listened=listened,
    )


def running_jobs(most: int) -> list[Job]:
    """Jobs at work, the longest at it first; no more than that."""
    return list(_listed().filter(state=State.RUNNING).order_by("started_at", "pk")[:most])


def read_queues() -> list[QueueFigures]:
    """Every queue: what waits and runs, and how many workers listen; two queries."""
    states = (State.QUEUED, State.RUNNING)
    rows = Job.objects.filter(state__in=states).values_list("state", "queue").annotate(num=Count("pk"))
    counts = {(state, queue): num for state, queue, num in rows.order_by()}
    workers = listening()
    return [
        QueueFigures(
            name,
            waiting=counts.get((State.QUEUED.value, name), 0),
            running=counts.get((State.RUNNING.value, name), 0),
            workers=sum(name in worker.queues for worker in workers),
            slots=sum(worker.slots for worker in workers if name in worker.queues),
        )
        for name in QUEUES
    ]


def read_workers() -> list[WorkerPresence]:
    """Who said lately that it is there, with `is_heard` and the jobs that it runs as `jobs`; three queries."""
    heard = {worker.name for worker in listening()}
    workers = list(WorkerPresence.objects.order_by("name")[:_MOST_WORKERS])
    running: dict[str, list[Job]] = {}
    for job in Job.objects.filter(state=State.RUNNING).only("title", "worker").order_by("pk")[:_MOST_RUNNING]:
        running.setdefault(job.worker, []).append(job)
    for worker in workers:
        worker.is_heard = worker.name in heard  # type: ignore[attr-defined]
        worker.jobs = running.get(worker.name, [])  # type: ignore[attr-defined]
    return sorted(workers, key=lambda worker: worker.name not in heard)


def children_of(job: Job) -> list[Job]:
    """The jobs that belong to it, as a list shows them."""
    return list(_listed().filter(parent=job).order_by("pk")[:PAGE])


def _listed() -> "QuerySet[Job]":
    """Jobs with what a list shows: `reason`, the first line of a failure or of a note, `unit`, and who asked."""
    names = [*_COLUMNS, "created_by__username", "parent__state"]
    return (
        Job.objects.select_related("created_by", "parent")
        .only(*names)
        .annotate(
            reason=Case(
                When(state=State.FAILED, then=Left("error", _LINE)),
                default=Left("note", _LINE),
                output_field=CharField(),
            ),
            unit=KT("plan__unit"),
        )
    )


def _after(jobs: "QuerySet[Job]", filters: Filters) -> "QuerySet[Job]":
    """Queued jobs, queue by queue in the order in which they will run, with `position` in their queue from 1."""
    line = Job.objects.filter(
        Q(place__lt=OuterRef("place")) | Q(pk__lte=OuterRef("pk")),
        # beside the line above, so that the index is used up to this place
        place__lte=OuterRef("place"),
        state=State.QUEUED,
        queue=OuterRef("queue"),
    )
    count = line.order_by().values("queue").annotate(num=Count("pk")).values("num")
    queued = jobs.filter(state=State.QUEUED).annotate(position=Subquery(count)).order_by("queue", "place", "pk")
    if filters.after is None:
        return queued
    queue, place, pk = filters.after
    behind = Q(place__gt=place) | Q(place=place, pk__gt=pk)
    return queued.filter(Q(queue__gt=queue) | Q(behind, queue=queue))


def _before(jobs: "QuerySet[Job]", filters: Filters) -> "QuerySet[Job]":
    """Ended jobs, the newest end first."""
    ended = jobs.filter(ended_at__isnull=False).order_by("-ended_at", "-pk")
    if filters.state not in ("", "ended"):
        ended = ended.filter(state=filters.state)
    if filters.before is None:
        return ended
    # compared in the database with the very value that stands there: SQLite's times are texts of differing length
    then = Subquery(Job.objects.filter(pk=filters.before).values("ended_at"))
    return ended.filter(Q(ended_at__lt=then) | Q(ended_at=then, pk__lt=filters.before))


def _outlook(job: Job, listened: Iterable[str]) -> str:
    """In a word or two, whether a queued job's turn will come."""
    if job.waits_for_parent and job.parent and job.parent.state != State.DONE:
        return f"after job {job.parent.pk}" if job.parent.state not in ENDED else f"job {job.parent.pk} is not done"
    if job.queue not in listened:
        return f"no worker on {job.queue}"
    return "next" if job.position == 1 else "waits"  # type: ignore[attr-defined]


def _read_place(text: str) -> tuple[str, int, int] | None:
    queue, _, rest = text.partition(":")
    place, _, pk = rest.partition(":")
    numbers = _read_number(place.removeprefix("-")), _read_number(pk)
    if queue not in QUEUES or numbers[0] is None or numbers[1] is None:
        return None
    return queue, -numbers[0] if place.startswith("-") else numbers[0], numbers[1]


def _read_number(text: str) -> int | None:
    """A whole number that a database can hold."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
