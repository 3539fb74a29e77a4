"""What a recipe computes on, read without writing anything: for previews, and for reports on a recipe.

A run compares new questions with the benchmarks and keeps the evidence; here they are compared and nothing is kept,
so that what is shown is what the run will find.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from curation.decontamination import NGRAM_WORDS
from curation.decontamination import RULES as DECONTAMINATION_RULES
from curation.deduplication import find_near_duplicates
from curation.presets import Recipe
from curation.records import PoolColumns
from s1web.pool.ahead import ReadingProcess
from s1web.pool.contamination import benchmark_names, num_unchecked, standing_evidence
from s1web.selections.services import compared_in_order, longest_spans
from s1web.selections.snapshot import Snapshot, overlaps_of, question_texts, take_snapshot


@dataclass(frozen=True)
class Overlaps:
    """Questions that overlap with evaluation questions, ascending by key.

    Attributes:
        pks: shape (n,), int64.
        codes: shape (n,), int8, as in `PoolColumns.contamination`.
        num_words: shape (n,), int32: of the longest shared span.
    """

    pks: np.ndarray
    codes: np.ndarray
    num_words: np.ndarray


NO_OVERLAPS = Overlaps(np.empty(0, np.int64), np.empty(0, np.int8), np.empty(0, np.int32))


@dataclass(frozen=True)
class Inputs:
    """What the recipe computes on, and the recipe with everything filled in that a run would record.

    Attributes:
        shared_words: shape (n,), int32: words of the longest span shared with an evaluation question; 0 is none.
        repeated: shape (n,), bool: near duplicates; None where they were not looked for.
    """

    recipe: Recipe
    snapshot: Snapshot
    columns: PoolColumns
    shared_words: np.ndarray
    repeated: np.ndarray | None


def settled(recipe: Recipe) -> Recipe:
    """The recipe with the benchmarks that a run of it would compare with now.

    Raises:
        NotFoundError: one that is not loaded.
    """
    if not recipe.decontaminate:
        return recipe
    return replace(recipe, benchmarks=tuple(benchmark_names(recipe.benchmarks)))


def read_overlaps(benchmarks: Sequence[str], ngram_words: int) -> Overlaps:
    """What overlaps with these benchmarks: from the evidence, or from the texts where that does not say."""
    if not benchmarks:
        return NO_OVERLAPS
    if ngram_words == NGRAM_WORDS and not num_unchecked():
        rules, evidence = standing_evidence(benchmarks), longest_spans(benchmarks)
    else:
        rules, evidence = overlaps_of(benchmarks, ngram_words)
    pks = sorted(rules)
    codes = {rule: place + 1 for place, rule in enumerate(DECONTAMINATION_RULES)}
    return Overlaps(
        np.array(pks, dtype=np.int64),
        np.array([codes[rules[pk]] for pk in pks], dtype=np.int8),
        np.array([evidence[pk]["num_words"] for pk in pks], dtype=np.int32),
    )


def combine(recipe: Recipe, snapshot: Snapshot, overlaps: Overlaps) -> Inputs:
    """The columns with what overlaps in them; near duplicates are not looked for."""
    size = len(snapshot.pks)
    codes, shared_words = np.zeros(size, dtype=np.int8), np.zeros(size, dtype=np.int32)
    if recipe.decontaminate and size:
        # a question that was loaded between the two reads is in one of them alone
        places = np.searchsorted(snapshot.pks, overlaps.pks).clip(max=size - 1)
        is_there = snapshot.pks[places] == overlaps.pks
        codes[places[is_there]] = overlaps.codes[is_there]
        shared_words[places[is_there]] = overlaps.num_words[is_there]
    columns = replace(snapshot.columns, contamination=codes)
    return Inputs(replace(recipe, tokenizer=snapshot.tokenizer), snapshot, columns, shared_words, None)


def read_repeated(inputs: Inputs) -> np.ndarray:
    """Near duplicates as a run would drop them, shape (n,), bool; looked for in a process of its own.

    A minute for some ten thousand questions, which would otherwise hold up every page of this process.
    """
    ordered = compared_in_order(inputs.columns, inputs.recipe)
    texts = question_texts(inputs.snapshot.pks[ordered])
    repeated = np.zeros(len(inputs.columns), dtype=bool)
    find = partial(find_near_duplicates, threshold=inputs.recipe.near_threshold)
    with ReadingProcess() as child:
        for found in child.read(find, texts):
            repeated[ordered[found.dropped]] = True
    return repeated


def read_inputs(recipe: Recipe) -> Inputs:
    """Everything a recipe computes on, near duplicates where it drops them.

    Raises:
        NotFoundError: it names a benchmark, tokenizer or generator that the pool does not have.
    """
    recipe = settled(recipe)
    overlaps = read_overlaps(recipe.benchmarks, recipe.ngram_words) if recipe.decontaminate else NO_OVERLAPS
    inputs = combine(recipe, take_snapshot(recipe, {}), overlaps)
    return replace(inputs, repeated=read_repeated(inputs)) if recipe.near_duplicates else inputs
