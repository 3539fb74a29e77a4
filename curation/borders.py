"""Which questions stand next to a stage's border: those that would go first, and those that would come back first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from curation import pipeline
from curation.pipeline import RULES, SELECTED, CurationResult
from curation.presets import Recipe
from curation.quality import FORMATTING_RULES
from curation.records import CORRECT, PoolColumns

# fields of a recipe that no stage goes by
_OF_NO_STAGE = {"name"}
# field -> the first stage that it changes
_STAGE_OF_FIELD = {
    "generator": "annotation",
    "tokenizer": "annotation",
    "decontaminate": "decontamination",
    "benchmarks": "decontamination",
    "ngram_words": "decontamination",
    "near_duplicates": "deduplication",
    "near_threshold": "deduplication",
    "requires": "annotation",
    "rules": "formatting",
    "drop_solved_by": "difficulty",
}
# the fate of a question that a run did not know
ABSENT = -2


@dataclass(frozen=True)
class Border:
    """Rows beside a stage's border, the closest first.

    Attributes:
        gone: rows that the stage drops.
        kept: rows that pass it.
    """

    gone: np.ndarray
    kept: np.ndarray


def stage_of_field(name: str) -> str:
    """The first stage that a field of the recipe changes."""
    return _STAGE_OF_FIELD.get(name, "selection")


def changed_fields(recipe: Recipe, other: Recipe) -> list[str]:
    """Fields in which two recipes differ, apart from their names."""
    own, others = recipe.to_json(), other.to_json()
    return [name for name, value in own.items() if name not in _OF_NO_STAGE and value != others[name]]


def find_border(
    columns: PoolColumns,
    recipe: Recipe,
    result: CurationResult,
    stage: str,
    *,
    num: int,
    shared_words: np.ndarray | None = None,
    fates_before: np.ndarray | None = None,
    near_duplicates: np.ndarray | None = None,
) -> Border:
    """Rows that only just go and only just stay at a stage, the same ones each time.

    Rows that another run decided otherwise come first. Then those that the stage's own measure puts closest to the
    border: the fewest shared words, annotations missing, rules hit, models that solved it; for the selection what
    would be drawn next, and what was drawn last. Equals come in the order of their hashes.

    Args:
        num: at most so many of either.
        shared_words: shape (n,), words of the longest span shared with an evaluation question; 0 is none.
        fates_before: shape (n,), the other run's fates, as in CurationResult; ABSENT: it did not know the question.
        near_duplicates: as `pipeline.curate` took them.
    """
    places = [place for place, rule in enumerate(RULES) if rule.partition(".")[0] == stage]
    later = [place for place in range(len(RULES)) if places and place > places[-1]]
    gone = np.flatnonzero(np.isin(result.fates, places))
    kept = np.flatnonzero(np.isin(result.fates, [*later, SELECTED]))
    if fates_before is None:
        was_gone = was_kept = np.zeros(len(columns), dtype=bool)
    else:
        was_gone = (fates_before >= 0) & (fates_before <= (places[-1] if places else -1))
        was_kept = np.isin(fates_before, [*later, SELECTED])
    if stage == "selection":
        ordered_gone = _drawn_next(columns, recipe, result, num, near_duplicates)
        ordered_kept = result.selected[::-1]
        # what comes next is few; what another run selected and this one does not belongs before it
        ordered_gone = np.concatenate([ordered_gone, np.setdiff1d(gone[was_kept[gone]], ordered_gone)])
    else:
        ordered_gone = _sorted(columns, gone, _distance_gone(columns, recipe, stage, shared_words))
        ordered_kept = _sorted(columns, kept, _distance_kept(columns, stage))
    return Border(_first(ordered_gone, was_kept, num), _first(ordered_kept, was_gone, num))


def _first(rows: np.ndarray, is_changed: np.ndarray, num: int) -> np.ndarray:
    order = np.argsort(~is_changed[rows], kind="stable")
    chosen: np.ndarray = rows[order[:num]]
    return chosen


def _sorted(columns: PoolColumns, rows: np.ndarray, measures: Sequence[np.ndarray]) -> np.ndarray:
    """Rows by the measures, the first of them before the next, then by hash."""
    keys = (columns.hashes[rows], *(measure[rows] for measure in reversed(measures)))
    ordered: np.ndarray = rows[np.lexsort(keys)]
    return ordered


def _distance_gone(
    columns: PoolColumns, recipe: Recipe, stage: str, shared_words: np.ndarray | None
) -> list[np.ndarray]:
    longest_first = -columns.trace_tokens.astype(np.int64)
    if stage == "decontamination":
        return [shared_words] if shared_words is not None else []
    if stage == "annotation":
        missing = [pipeline.is_missing(columns, (name,)).astype(np.int64) for name in recipe.requires]
        return [sum(missing, np.zeros(len(columns), dtype=np.int64)), longest_first]
    if stage == "formatting":
        hits = [(columns.flags >> bit & 1).astype(np.int64) for bit in range(len(FORMATTING_RULES))]
        return [sum(hits, np.zeros(len(columns), dtype=np.int64)), longest_first]
    if stage == "difficulty":
        grades = {"small": columns.small_grade, "large": columns.large_grade}
        solved = [(grades[name] == CORRECT).astype(np.int64) for name in recipe.drop_solved_by]
        return [sum(solved, np.zeros(len(columns), dtype=np.int64)), longest_first]
    return []


def _distance_kept(columns: PoolColumns, stage: str) -> list[np.ndarray]:
    known = np.where(columns.trace_tokens < 0, np.iinfo(np.int32).max, columns.trace_tokens)
    if stage == "formatting":
        # a rule that is switched off, or an AIME question with a figure
        return [np.where(columns.flags != 0, 0, 1)]
    if stage in ("annotation", "difficulty"):
        # what took the least thinking is the easiest of those that nobody solved
        return [known]
    return []


def _drawn_next(
    columns: PoolColumns, recipe: Recipe, result: CurationResult, num: int, near_duplicates: np.ndarray | None
) -> np.ndarray:
    """What the same seed would draw beyond the recipe's size, in that order."""
    if recipe.method == "full" or len(result.selected) < recipe.size:
        return np.empty(0, dtype=np.int64)
    longer = pipeline.curate(columns, replace(recipe, size=recipe.size + num), near_duplicates)
    return longer.selected[~np.isin(longer.selected, result.selected)]
