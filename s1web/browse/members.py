"""Questions that something else names: the members of a selection, and what is like another question."""

from dataclasses import dataclass

import numpy as np

from s1web.browse.columns import Columns
from s1web.selections.models import SelectionMember
from s1web.selections.services import find_selection
from s1web.vectors.search import nearest

# how many questions count as being like another one
NUM_NEAR = 200


@dataclass(frozen=True)
class Members:
    """`rows` of the columns, ascending, with the place of each in the selection's order."""

    rows: np.ndarray
    positions: np.ndarray


def members_of(columns: Columns, name: str) -> Members:
    """The members of a selection, which is frozen and so read once for as long as the columns live.

    Raises:
        NotFoundError: there is none of that name.
    """
    return columns.recent.get(("members", name), lambda: _read(columns, name))


def near_rows(columns: Columns, question_hash: str) -> np.ndarray:
    """Rows of the columns that are like a question, the nearest first; NUM_NEAR at most.

    Raises:
        NotFoundError: it has no vector.
    """
    return columns.recent.get(("near", question_hash), lambda: _read_near(columns, question_hash))


def _read(columns: Columns, name: str) -> Members:
    members = SelectionMember.objects.filter(selection=find_selection(name)).order_by("question_id")
    read = np.array(list(members.values_list("question_id", "position")), dtype=np.int64).reshape(-1, 2)
    rows = columns.rows_of(read[:, 0])
    # members that the columns do not have yet are left out of both
    return Members(rows, read[np.isin(read[:, 0], columns.pk[rows], assume_unique=True), 1])


def _read_near(columns: Columns, question_hash: str) -> np.ndarray:
    pks = [found.question for found in nearest(question_hash, NUM_NEAR)]
    rows = columns.rows_of(np.sort(np.array(pks, dtype=np.int64))).tolist()
    place = {pk: number for number, pk in enumerate(pks)}
    return np.array(sorted(rows, key=lambda row: place[int(columns.pk[row])]), dtype=np.int64)
