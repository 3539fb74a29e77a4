"""The layers of the map as rows of the columns: the whole pool, what was hard, what was selected."""

from dataclasses import dataclass
from itertools import chain

import numpy as np

from s1web.browse.columns import Columns
from s1web.browse.members import members_of
from s1web.selections.models import CurationRun, Decision, Selection, SelectionMember
from s1web.selections.queries import newest_selections, rules_after
from s1web.selections.services import find_selection

NUM_SELECTIONS = 50
# runs among which one that judged difficulty is looked for, from the newest on
_NUM_RUNS = 50


@dataclass(frozen=True)
class Layers:
    """What lies on the map.

    Attributes:
        run: whose hard pool it is; None where no run of late dropped what the models solved.
        chosen: the selection; None where there is none.
        selections: what to choose from, the newest first.
        hard, selected: shape (n,), bool, by row of the columns.
    """

    run: CurationRun | None
    chosen: Selection | None
    selections: tuple[Selection, ...]
    hard: np.ndarray
    selected: np.ndarray


def read_layers(columns: Columns, chosen: str) -> Layers:
    """Three queries, and two for a run or a selection that is asked for the first time.

    Raises:
        NotFoundError: no selection has this name.
    """
    run = _newest_hard_run()
    selections = newest_selections(NUM_SELECTIONS)
    by_name = {selection.name: selection for selection in selections}
    selection = (by_name.get(chosen) or find_selection(chosen)) if chosen else next(iter(selections), None)
    if selection is not None and selection.name not in by_name:
        selections.append(selection)
    return Layers(
        run,
        selection,
        tuple(selections),
        _marked(columns, hard_rows(columns, run) if run else None),
        _marked(columns, members_of(columns, selection.name).rows if selection else None),
    )


def _newest_hard_run() -> CurationRun | None:
    """The newest run that dropped what the models solved: the recipes for comparison take everything as hard."""
    runs = CurationRun.objects.order_by("-pk").only("selection_id", "ledger")[:_NUM_RUNS]
    return next((run for run in runs if any(stage["stage"] == "difficulty" for stage in run.ledger)), None)


def hard_rows(columns: Columns, run: CurationRun) -> np.ndarray:
    """The questions that reached the selection of a run: drawn, or not drawn but by nothing else dropped."""
    return columns.recent.get(("hard", run.pk), lambda: _read_hard(columns, run))


def _read_hard(columns: Columns, run: CurationRun) -> np.ndarray:
    members = SelectionMember.objects.filter(selection=run.selection_id).values_list("question_id", flat=True)
    others = Decision.objects.filter(run=run, rule__in=rules_after("difficulty")).values_list(
        "question_id", flat=True
    )
    pks = np.fromiter(chain(members.iterator(), others.iterator()), np.int64)
    return columns.rows_of(np.sort(pks))


def _marked(columns: Columns, rows: np.ndarray | None) -> np.ndarray:
    marked = np.zeros(len(columns), bool)
    if rows is not None:
        marked[rows] = True
    return marked
