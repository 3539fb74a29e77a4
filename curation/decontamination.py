"""Overlap of pool questions with evaluation questions by word n-grams (s1 §2.1)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from curation.text import words

NGRAM_WORDS = 8
# a question shorter than an n-gram counts as contained in an evaluation question from this many words on
SHORT_WORDS = 4
RULES = ("decontamination.ngram", "decontamination.short")

_HASH_SEED = 0x51


@dataclass(frozen=True, slots=True)
class Overlap:
    """Evidence that question and evaluation question share text; offsets and length in words.

    Attributes:
        question, problem: places in the sequences that were compared.
        num_words: length of the longest shared span.
        question_offset, problem_offset: where that span starts in either text.
    """

    question: int
    problem: int
    rule: str
    num_words: int
    question_offset: int
    problem_offset: int


# per question, per evaluation question: the (offset in question, offset in it) pairs of shared n-grams
_Hits = dict[int, dict[int, list[tuple[int, int]]]]


class EvaluationIndex:
    """Word n-grams of a set of evaluation questions, to be compared with any number of pool questions.

    Args:
        problems: texts of the evaluation questions.
        ngram_words: n; the paper's is 8.

    Memory grows with the evaluation questions alone. Comparing is exact: hashes only choose what is looked up.
    """

    def __init__(self, problems: Sequence[str], ngram_words: int = NGRAM_WORDS) -> None:
        self.ngram_words = ngram_words
        self._vocabulary: dict[str, int] = {}
        self._problems: list[list[int]] = [
            [self._vocabulary.setdefault(word, len(self._vocabulary)) for word in words(text)] for text in problems
        ]
        rng = np.random.Generator(np.random.PCG64(_HASH_SEED))
        # odd multipliers: a window's hash is a sum of products modulo 2**64
        self._multipliers = rng.integers(1, 2**63, ngram_words, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        self._ngrams: dict[tuple[int, ...], list[tuple[int, int]]] = {}
        for problem, ids in enumerate(self._problems):
            for offset in range(len(ids) - ngram_words + 1):
                key = tuple(ids[offset : offset + ngram_words])
                self._ngrams.setdefault(key, []).append((problem, offset))
        windows = np.array(list(self._ngrams), dtype=np.int64).reshape(-1, ngram_words)
        self._hashes = np.sort(self._window_hashes(windows))

    def find(self, questions: Sequence[str]) -> list[Overlap]:
        """Every (question, problem) pair that overlaps, with the longest shared span; sorted by question, problem.

        A question of n words or more overlaps where it shares an n-gram (`decontamination.ngram`); a shorter one
        where it equals the evaluation question or, at four words or more, stands in it (`decontamination.short`).
        """
        get = self._vocabulary.get
        ids = [[get(word, -1) for word in words(text)] for text in questions]
        overlaps = list(self._find_short(ids))
        for question, hits in self._find_ngrams(ids).items():
            for problem, places in hits.items():
                num_words, question_offset, problem_offset = _longest_span(places, self.ngram_words)
                overlaps.append(Overlap(question, problem, RULES[0], num_words, question_offset, problem_offset))
        return sorted(overlaps, key=lambda overlap: (overlap.question, overlap.problem))

    def _window_hashes(self, windows: np.ndarray) -> np.ndarray:
        """One hash a window; windows has shape (num_windows, n)."""
        out = np.zeros(len(windows), dtype=np.uint64)
        for place in range(self.ngram_words):
            out += (windows[:, place].astype(np.uint64) + np.uint64(1)) * self._multipliers[place]
        return out

    def _find_ngrams(self, ids: Sequence[list[int]]) -> _Hits:
        n = self.ngram_words
        found: _Hits = {}
        if not len(self._hashes):
            return found
        lengths = np.fromiter((len(row) for row in ids), np.int64, len(ids))
        flat = np.fromiter((word for row in ids for word in row), np.int64, int(lengths.sum()))
        if len(flat) < n:
            return found
        starts = np.concatenate([[0], np.cumsum(lengths)])
        # a window is worth a look where all its words are known to the index ...
        known = np.concatenate([[0], np.cumsum(flat >= 0)])
        candidates = np.flatnonzero(known[n:] - known[:-n] == n)
        # ... and it does not run from one question into the next
        owner = np.searchsorted(starts, candidates, side="right") - 1
        inside = candidates + n <= starts[owner + 1]
        candidates, owner = candidates[inside], owner[inside]
        hashes = np.zeros(len(candidates), dtype=np.uint64)
        for place in range(n):
            hashes += (flat[candidates + place].astype(np.uint64) + np.uint64(1)) * self._multipliers[place]
        slot = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        hit = self._hashes[slot] == hashes
        for position, question in zip(candidates[hit].tolist(), owner[hit].tolist(), strict=True):
            offset = position - int(starts[question])
            for problem, problem_offset in self._ngrams.get(tuple(ids[question][offset : offset + n]), ()):
                hits = found.setdefault(question, {})
                hits.setdefault(problem, []).append((offset, problem_offset))
        return found

    def _find_short(self, ids: Sequence[list[int]]) -> Iterator[Overlap]:
        for question, row in enumerate(ids):
            size = len(row)
            if not 0 < size < self.ngram_words or -1 in row:
                continue
            for problem, offset in self._short_places.get(tuple(row), ()):
                if size >= SHORT_WORDS or size == len(self._problems[problem]):
                    yield Overlap(question, problem, RULES[1], size, 0, offset)

    @cached_property
    def _short_places(self) -> dict[tuple[int, ...], list[tuple[int, int]]]:
        """Every run of fewer than n words of an evaluation question -> the first place in each that holds it.

        Runs shorter than SHORT_WORDS are kept only where they are a whole evaluation question.
        """
        index: dict[tuple[int, ...], list[tuple[int, int]]] = {}
        for problem, row in enumerate(self._problems):
            for size in {*range(SHORT_WORDS, self.ngram_words), len(row)}:
                if not 0 < size < self.ngram_words:
                    continue
                for offset in range(len(row) - size + 1):
                    places = index.setdefault(tuple(row[offset : offset + size]), [])
                    if not places or places[-1][0] != problem:
                        places.append((problem, offset))
        return index


def contamination_rule(overlaps: Sequence[Overlap]) -> str | None:
    """The rule that drops a question with these overlaps: n-gram before short; None without any."""
    rules = {overlap.rule for overlap in overlaps}
    return next((rule for rule in RULES if rule in rules), None)


def _longest_span(places: list[tuple[int, int]], ngram_words: int) -> tuple[int, int, int]:
    """The longest shared span made of these shared n-grams: (words, offset in question, offset in problem).

    n-grams that follow each other at the same distance in both texts are one longer span. Of equally long spans
    the first in the question, then in the problem.
    """
    diagonals: dict[int, list[int]] = {}
    for question_offset, problem_offset in places:
        diagonals.setdefault(problem_offset - question_offset, []).append(question_offset)
    best = (0, 0, 0)
    for shift, offsets in diagonals.items():
        ordered = sorted(offsets)
        breaks = [place + 1 for place, (a, b) in enumerate(pairwise(ordered)) if b != a + 1]
        for first, stop in pairwise([0, *breaks, len(ordered)]):
            start = ordered[first]
            best = max(best, (stop - first + ngram_words - 1, -start, -(start + shift)))
    return best[0], -best[1], -best[2]
