"""What keeps defects where they are planted: the rules of the recipe, applied while the pool is made."""

import re
from collections.abc import Iterable

NGRAM_WORDS = 8  # decontamination compares 8-grams of lower-cased words (s1 §2.1)
BOLD_DIGITS = re.compile(r"\*\*(?=.*\d)[^\s\]]*\*\*")
PART_NUMBERS = re.compile(r"p[1-9]\d{0,2}\.")


def words_of(text: str) -> list[str]:
    return text.lower().split()


def ngrams(text: str, size: int = NGRAM_WORDS) -> set[tuple[str, ...]]:
    words = words_of(text)
    return {tuple(words[i : i + size]) for i in range(len(words) - size + 1)}


def formatting_rule(question: str) -> str | None:
    """The formatting rule that hits first, in the order of the recipe, or None."""
    if "[asy]" in question:
        return "formatting.asy"
    if "![Image]" in question:
        return "formatting.image_reference"
    if PART_NUMBERS.search(question):
        return "formatting.part_number"
    if BOLD_DIGITS.search(question):
        return "formatting.bold_digits"
    return None


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
        if formatting_rule(question) or len(words_of(question)) < NGRAM_WORDS:
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
