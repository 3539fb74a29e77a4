"""What a run did with every question: a run never changes, so this is read once, as long as there is room."""

from dataclasses import dataclass

import numpy as np

from curation.borders import ABSENT
from curation.pipeline import RULES, SELECTED
from s1web.selections.kept import Kept
from s1web.selections.models import CurationRun, Decision, SelectionMember

# each holds 9 bytes a question
_kept = Kept(8)


@dataclass(frozen=True)
class Fates:
    """Attributes:
    pks: shape (n,), int64, ascending: the questions that the run knew.
    fates: shape (n,), int8: a place in RULES, or SELECTED.
    """

    pks: np.ndarray
    fates: np.ndarray

    def of(self, pks: np.ndarray) -> np.ndarray:
        """The fates of these questions, ABSENT where the run did not know one: shape (len(pks),), int8."""
        if not len(self.pks):
            return np.full(len(pks), ABSENT, dtype=np.int8)
        places = np.searchsorted(self.pks, pks).clip(max=len(self.pks) - 1)
        found: np.ndarray = np.where(self.pks[places] == pks, self.fates[places], ABSENT).astype(np.int8)
        return found


def read_fates(run: CurationRun) -> Fates:
    """What the run did with every question that it knew."""
    # the text tells a run of another database, or of one that was restored, from the one of the same number
    key = (run.pk, run.pool_fingerprint, run.created_at)
    return _kept.get("", key, "reading the run", lambda: _read(run), None)


def _read(run: CurationRun) -> Fates:
    parts = []
    for place, rule in enumerate(RULES):
        dropped = Decision.objects.filter(run=run, rule=rule).values_list("question_id", flat=True)
        parts.append((place, np.fromiter(dropped.iterator(chunk_size=10_000), np.int64)))
    members = SelectionMember.objects.filter(selection=run.selection_id).values_list("question_id", flat=True)
    parts.append((SELECTED, np.fromiter(members.iterator(chunk_size=10_000), np.int64)))
    pks = np.concatenate([part for _, part in parts])
    fates = np.concatenate([np.full(len(part), place, dtype=np.int8) for place, part in parts])
    order = np.argsort(pks, kind="stable")
    return Fates(pks[order], fates[order])


def fate_name(fate: int) -> str:
    """A rule's code, `selected`, or `absent` for what the run did not know."""
    return {SELECTED: "selected", ABSENT: "absent"}.get(fate) or RULES[fate]
