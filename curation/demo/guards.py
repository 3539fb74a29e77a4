"""What keeps defects where they are planted: the rules of the recipe, applied while the pool is made."""

from collections.abc import Iterable

from curation.decontamination import NGRAM_WORDS
from curation.quality import formatting_flags
from curation.text import words as words_of


def ngrams(text: str, size: int = NGRAM_WORDS) -> set[tuple[str, ...]]:
    """All runs of `size` words, as decontamination cuts them."""
    words = words_of(text)
    return {tuple(words[i : i + size]) for i in range(len(words) - size + 1)}


def similarity(one: set[str], other: set[str]) -> float:
    """Jaccard similarity of two sets."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if shared else 0.0


class Novelty:
    """Remembers questions and tells whether one is new: unlike all others, and apart from a benchmark.

    Word 3-grams sort out nearly all pairs; what is left is compared by runs of 5 characters, since the
    detection of near duplicates may look at either.
    """

    def __init__(self, benchmark: Iterable[str]) -> None:
        self._benchmark: set[tuple[str, ...]] = set()
        for problem in benchmark:
            self._benchmark |= ngrams(problem)
        self._seen: dict[str, list[tuple[set[str], set[str]]]] = {}

    def admits(self, kind: str, question: str) -> bool:
        """Remember `question` and return True if it is new among its kind and trips no rule."""
        if formatting_flags(question) or len(words_of(question)) < NGRAM_WORDS:
            return False
        if not self._benchmark.isdisjoint(ngrams(question)):
            return False
        words = {" ".join(gram) for gram in ngrams(question, 3)}
        text = " ".join(words_of(question))
        letters = {text[i : i + 5] for i in range(len(text) - 4)}
        seen = self._seen.setdefault(kind, [])
        for other_words, other_letters in seen:
            if similarity(words, other_words) > 0.35 and similarity(letters, other_letters) > 0.7:
                return False
        seen.append((words, letters))
        return True
