"""What the page of one job shows, and what its reader may do with it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from s1web.jobs import queries, rights, services
from s1web.jobs.forms import FORMS, CapsForm, resources_of
from s1web.jobs.kinds import KINDS
from s1web.jobs.logs import log_path, tail
from s1web.jobs.models import Job
from s1web.plans import RESOURCES

State = Job.State
# kinds whose chunks stay as they are done; others write their result whole at the end
_KEEPS_CHUNKS = frozenset(
    {"load_pool", "annotate_lengths", "annotate_contamination", "annotate_search", "annotate_embeddings"}
)
_ACTIONS: Mapping[str, tuple[str, ...]] = {
    State.PLANNED: ("confirm", "cancel"),
    State.QUEUED: ("move_up", "to_front", "pause", "cancel"),
    State.RUNNING: ("pause", "cancel"),
    State.PAUSED: ("resume", "cancel"),
    State.FAILED: ("retry",),
    State.CANCELLED: ("retry",),
    State.DONE: (),
}
# how often the page asks, in seconds; one that has ended does not
_POLL_SECONDS: Mapping[str, int] = {State.RUNNING: 1, State.QUEUED: 1, State.PLANNED: 3, State.PAUSED: 3}
# of a long list in the result
_SHOWN_ITEMS = 20


@dataclass(frozen=True)
class Spending:
    """A resource of a job: what was planned, what is spent, and the most that it may be; None where nobody said."""

    name: str
    planned: float | None
    spent: float | None
    cap: float | None

    @property
    def label(self) -> str:
        return RESOURCES[self.name]


@dataclass(frozen=True)
class Parameter:
    """A parameter as it is read: a line, several, or a whole text."""

    label: str
    lines: tuple[str, ...] = ()
    text: str = ""


def read_detail(job: Job, user: Any) -> dict[str, Any]:
    """All that the page shows; queries that do not grow with the job."""
    kind = KINDS.get(job.kind)
    allowed = [name for name in _ACTIONS[job.state] if rights.may(user, name, job)]
    if job.stop:
        # asked already: a pause may still become a cancel
        allowed = [name for name in allowed if name == "cancel" and job.stop == Job.Stop.PAUSE]
    return {
        "job": job,
        "kind_label": kind.label if kind else job.kind,
        "unit": job.plan.get("unit", ""),
        "elapsed": elapsed(job),
        "outlook": services.outlook(job),
        "can": dict.fromkeys(allowed, True),
        "poll_seconds": _POLL_SECONDS.get(job.state),
        "keeps_chunks": job.kind in _KEEPS_CHUNKS,
        "caps_form": CapsForm(job) if {"confirm", "resume"} & set(allowed) else None,
        "spending": _spending(job),
        "parameters": _parameters(job.params),
        "children": queries.children_of(job),
        "log": tail(job.pk),
        "has_log": log_path(job.pk).is_file(),
        "may_run_again": job.kind in FORMS and rights.may(user, "retry", job),
        "result_templates": [f"jobs/results/{job.kind}.html", "jobs/results/other.html"],
        "record": json.dumps(_record(job), indent=2, ensure_ascii=False),
    }


def elapsed(job: Job) -> float:
    """Seconds that it ran, over all its starts, with the one that goes on."""
    if job.started_at is None:
        return job.seconds
    last = max(((job.ended_at or timezone.now()) - job.started_at).total_seconds(), 0.0)
    if job.state == State.RUNNING:
        return job.seconds + last
    # the worker adds a start a moment after it has ended
    return last if job.has_ended and job.num_starts == 1 and not job.seconds else job.seconds


def _spending(job: Job) -> list[Spending]:
    planned = dict(job.plan.get("spends", {})) | {"seconds": job.plan.get("seconds")}
    spent = dict(job.spent) | {"seconds": elapsed(job) if job.num_starts else None}
    return [Spending(name, planned.get(name), spent.get(name), job.caps.get(name)) for name in resources_of(job)]


def _parameters(params: Mapping[str, Any]) -> list[Parameter]:
    rows = []
    for name, value in params.items():
        label = name.replace("_", " ")
        if value is None or value in ("", [], False):
            continue
        if isinstance(value, str) and "\n" in value.strip():
            rows.append(Parameter(label, text=value))
        elif isinstance(value, list):
            rows.append(Parameter(label, tuple(map(str, value))))
        else:
            rows.append(Parameter(label, ("yes" if value is True else str(value),)))
    return rows


def _record(job: Job) -> dict[str, Any]:
    """Parameters, plan, caps, spending and result as they are kept, long lists cut."""
    names = ("params", "plan", "caps", "spent", "result")
    return {name: _cut(getattr(job, name)) for name in names}


def _cut(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _cut(item) for name, item in value.items()}
    if isinstance(value, list):
        shown = [_cut(item) for item in value[:_SHOWN_ITEMS]]
        more = len(value) - len(shown)
        return [*shown, f"... and {more:,} more"] if more else shown
    return value
