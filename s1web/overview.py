"""The first page: what is here, and what comes next in the order of the work."""

from dataclasses import dataclass

from s1web.browse.summary import Summary, read_summary
from s1web.jobs.models import Job
from s1web.jobs.queries import running_jobs
from s1web.jobs.services import num_active
from s1web.pool import queries as pool
from s1web.pool.queries import PoolFigures
from s1web.selections.funnel import Funnel, read_funnel
from s1web.selections.models import Selection
from s1web.selections.queries import newest_run, newest_selections

_NUM_SELECTIONS, _NUM_JOBS = 5, 5


@dataclass(frozen=True)
class Step:
    """What comes next: why, what to call it, and the kind of job and the command that do it."""

    reason: str
    label: str
    kind: str
    command: str


@dataclass(frozen=True)
class Overview:
    figures: PoolFigures
    benchmarks: list[tuple[str, int]]
    is_all_compared: bool
    selections: list[Selection]
    funnel: Funnel | None
    summary: Summary
    running: list[Job]
    num_active: dict[str, int]

    @property
    def contaminated(self) -> int | None:
        """None until every question was compared with a benchmark: not looked for is not zero."""
        return self.figures.contaminated if self.benchmarks and self.is_all_compared else None

    @property
    def next_step(self) -> Step:
        if not self.figures.questions:
            return Step("The pool is empty. Load questions.", "Load questions", "load_pool", "load_pool PATH")
        if not self.benchmarks:
            reason = "No benchmark is loaded, so no question can be found contaminated. Load an evaluation set."
            return Step(reason, "Load a benchmark", "load_benchmark", "load_benchmark PATH --name NAME")
        if not self.is_all_compared:
            reason = "Some questions were not compared with the benchmarks yet. Find those that overlap."
            return Step(reason, "Find overlaps", "annotate_contamination", "annotate contamination")
        if not self.selections:
            return Step("Nothing is selected yet. Run a recipe.", "Curate", "curate", "curate --preset paper")
        reason, newest = "The newest selection can be written out as files.", self.selections[0].name
        return Step(reason, "Export", "export_selection", f"export_selection {newest} OUT_DIR")


def read_overview() -> Overview:
    """Thirteen queries, however large the pool is."""
    run = newest_run()
    return Overview(
        pool.count_pool(),
        pool.count_problems(),
        pool.is_all_compared(),
        newest_selections(_NUM_SELECTIONS),
        read_funnel(run) if run else None,
        read_summary(),
        running_jobs(_NUM_JOBS),
        num_active(),
    )
