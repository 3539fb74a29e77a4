"""The kinds of jobs, each known by strings alone: neither the web nor this table loads the work itself."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from curation.errors import NotFoundError
from s1web.plans import Plan
from s1web.progress import Report

CPU, GPU = "cpu", "gpu"
QUEUES = (CPU, GPU)

Work = Callable[[dict[str, Any], Report], dict[str, Any]]
Planner = Callable[[dict[str, Any]], Plan]


@dataclass(frozen=True)
class JobKind:
    """What a job of this kind does, where, and how fast it is likely to be.

    Attributes:
        label: a word or two for people.
        task: the Celery task, by name.
        queue: which workers take it.
        work: dotted path of the function that does it, in place and in a worker alike; JSON in, JSON out.
        plan: dotted path of the function that says what it will do and cost; it changes nothing.
        rates: unit -> how many a second on two cores, for as long as none of the kind has run here.
    """

    name: str
    label: str
    task: str
    queue: str
    work: str
    plan: str
    rates: dict[str, float] = field(default_factory=dict)

    def load_work(self) -> Work:
        return _load(self.work)

    def load_plan(self) -> Planner:
        return _load(self.plan)


def _load(path: str) -> Callable[..., Any]:
    module, _, name = path.rpartition(".")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


_KINDS = (
    JobKind(
        "load_pool",
        "Import",
        "workers.curation.load_pool",
        CPU,
        work="s1web.pool.work.load",
        plan="s1web.pool.work.plan_load",
        rates={"rows": 4_000, "bytes": 15e6},
    ),
    JobKind(
        "load_benchmark",
        "Benchmark",
        "workers.curation.load_benchmark",
        CPU,
        work="s1web.pool.work.benchmark",
        plan="s1web.pool.work.plan_benchmark",
        rates={"bytes": 5e6},
    ),
    JobKind(
        "annotate_lengths",
        "Lengths",
        "workers.curation.annotate_lengths",
        CPU,
        work="s1web.pool.work.lengths",
        plan="s1web.pool.work.plan_lengths",
        rates={"traces": 300},
    ),
    JobKind(
        "annotate_contamination",
        "Contamination",
        "workers.curation.annotate_contamination",
        CPU,
        work="s1web.pool.work.contamination",
        plan="s1web.pool.work.plan_contamination",
        rates={"questions": 30_000},
    ),
    JobKind(
        "annotate_search",
        "Text index",
        "workers.curation.annotate_search",
        CPU,
        work="s1web.pool.work.search",
        plan="s1web.pool.work.plan_search",
        rates={"questions": 1_000},
    ),
    JobKind(
        "annotate_embeddings",
        "Embeddings",
        "workers.vectors.annotate_embeddings",
        GPU,
        work="s1web.vectors.work.embeddings",
        plan="s1web.vectors.work.plan_embeddings",
        rates={"questions": 100},
    ),
    JobKind(
        "annotate_clusters",
        "Clusters",
        "workers.vectors.annotate_clusters",
        CPU,
        work="s1web.vectors.work.clusters",
        plan="s1web.vectors.work.plan_clusters",
        rates={"questions": 8_000},
    ),
    JobKind(
        "annotate_map",
        "Map",
        "workers.vectors.annotate_map",
        CPU,
        work="s1web.vectors.work.pool_map",
        plan="s1web.vectors.work.plan_map",
        rates={"questions": 700},
    ),
    JobKind(
        "annotate_neighbours",
        "Near duplicates",
        "workers.vectors.annotate_neighbours",
        CPU,
        work="s1web.vectors.work.neighbours",
        plan="s1web.vectors.work.plan_neighbours",
        rates={"questions": 2_000},
    ),
    JobKind(
        "annotate_domains",
        "Domains",
        "workers.vectors.annotate_domains",
        CPU,
        work="s1web.vectors.work.domains",
        plan="s1web.vectors.work.plan_domains",
        rates={"questions": 8_000},
    ),
    JobKind(
        "curate",
        "Curation",
        "workers.curation.curate",
        CPU,
        work="s1web.selections.work.curation",
        plan="s1web.selections.work.plan_curation",
        rates={"questions": 30_000},
    ),
    JobKind(
        "seed_stability",
        "Seed stability",
        "workers.curation.seed_stability",
        CPU,
        work="s1web.selections.work.seed_stability",
        plan="s1web.selections.work.plan_seed_stability",
        rates={"seeds": 4},
    ),
    JobKind(
        "export_selection",
        "Export",
        "workers.exports.export_selection",
        CPU,
        work="s1web.exports.work.export",
        plan="s1web.exports.work.plan_export",
        rates={"questions": 1_000},
    ),
    JobKind(
        "evaluate",
        "Evaluation",
        "workers.inference.evaluate",
        GPU,
        work="s1web.experiments.work.evaluation",
        plan="s1web.experiments.work.plan_evaluation",
        rates={"trials": 0.5},
    ),
    # the model runs elsewhere: this one only drives it, and holds no device
    JobKind(
        "evaluate_endpoint",
        "Evaluation (endpoint)",
        "workers.inference.evaluate_endpoint",
        CPU,
        work="s1web.experiments.work.evaluation",
        plan="s1web.experiments.work.plan_evaluation",
        rates={"trials": 0.5},
    ),
    JobKind(
        "trial_cpu",
        "Trial (cpu)",
        "workers.trial.trial_cpu",
        CPU,
        work="s1web.jobs.trial.work",
        plan="s1web.jobs.trial.plan",
        rates={"steps": 1},
    ),
    JobKind(
        "trial_gpu",
        "Trial (gpu)",
        "workers.trial.trial_gpu",
        GPU,
        work="s1web.jobs.trial.work",
        plan="s1web.jobs.trial.plan",
        rates={"steps": 1},
    ),
)

KINDS = {kind.name: kind for kind in _KINDS}


def find_kind(name: str) -> JobKind:
    """The kind of that name.

    Raises:
        NotFoundError: there is none.
    """
    if name not in KINDS:
        raise NotFoundError(f"no kind of job {name!r}; there are {', '.join(KINDS)}")
    return KINDS[name]
