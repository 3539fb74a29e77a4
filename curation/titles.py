"""What a cluster of questions is about: the terms that tell it from the others."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from math import log

MIN_TERMS, MAX_TERMS = 3, 4
# a term that a smaller share of a cluster's questions hold is rare
_LEAST_SHARE = 0.01
# what is longer is no word
_MAX_LETTERS = 30
# how a drawing is made; a formula's environment, and its commands
_DRAWING = re.compile(r"\[asy\].*?(?:\[/asy\]|\Z)", re.DOTALL)
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{[^}]*\}")
_COMMAND = re.compile(r"\\([a-zA-Z]+)")
_WORD = re.compile(r"[^\W\d_]{3,}")
_HAN = re.compile(r"[\u4e00-\u9fff]+")


@cache
def _words() -> tuple[frozenset[str], dict[str, str]]:
    """(words that say nothing, command of LaTeX -> word)."""
    table = tomllib.loads((resources.files("curation") / "data" / "title_words.toml").read_text(encoding="utf-8"))
    return frozenset(table["words"].split()), dict(table["commands"])


def terms_of(text: str) -> set[str]:
    """The words that may tell what a question is about; Chinese in pairs of signs, as it has no spaces."""
    common, commands = _words()
    plain = _ENVIRONMENT.sub(" ", _DRAWING.sub(" ", text))
    plain = _COMMAND.sub(lambda match: f" {commands.get(match[1], '')} ", plain).lower()
    terms = {word for word in _WORD.findall(_HAN.sub(" ", plain)) if len(word) <= _MAX_LETTERS}
    for run in _HAN.findall(plain):
        terms.update(run[place : place + 2] for place in range(len(run) - 1))
    return terms - common


class TermCounts:
    """How many questions of each cluster hold a term; texts are shown once, in any order."""

    def __init__(self, num_clusters: int) -> None:
        self._counts: list[Counter[str]] = [Counter() for _ in range(num_clusters)]
        self._sizes = [0] * num_clusters

    def add(self, cluster: int, texts: Iterable[str]) -> None:
        for text in texts:
            self._counts[cluster].update(terms_of(text))
            self._sizes[cluster] += 1

    def most_telling(self) -> list[list[str]]:
        """The terms of each cluster, the most telling first: at most four, none of them another's too.

        A term's weight is the share of the cluster's questions that hold it, times a logarithm that falls with the
        number of all questions that do (class-based TF-IDF). A term goes to the cluster where it weighs most.
        """
        counts = self._without_plurals()
        totals: Counter[str] = Counter()
        for held in counts:
            totals.update(held)
        mean_size = sum(self._sizes) / max(len(self._sizes), 1)
        owners: dict[str, tuple[float, int]] = {}
        for cluster, held in enumerate(counts):
            size = self._sizes[cluster]
            for term, count in held.items():
                # what stands in one question alone names the question
                if count < min(2, size):
                    continue
                weight = count / size * log(1 + mean_size / totals[term])
                if term not in owners or weight > owners[term][0]:
                    owners[term] = (weight, cluster)
        owned: list[list[tuple[bool, float, str]]] = [[] for _ in counts]
        for term, (weight, cluster) in owners.items():
            # what stands in a few questions alone comes last: a person in them, a code
            is_rare = counts[cluster][term] < _LEAST_SHARE * self._sizes[cluster]
            owned[cluster].append((is_rare, -weight, term))
        return [_without_surplus(sorted(terms)) for terms in owned]

    def _without_plurals(self) -> list[Counter[str]]:
        """A word and its plural as one, under whichever of them is more common."""
        totals: Counter[str] = Counter()
        for held in self._counts:
            totals.update(held)
        names = {}
        for term in totals:
            single = term[:-1]
            if len(term) > 4 and term.endswith("s") and not term.endswith("ss") and single in totals:
                better, worse = (single, term) if totals[single] >= totals[term] else (term, single)
                names[worse] = better
        merged = []
        for held in self._counts:
            counter: Counter[str] = Counter()
            for term, count in held.items():
                name = names.get(term, term)
                # questions that hold both are counted once: the larger count stands for them
                counter[name] = max(counter[name], count)
            merged.append(counter)
        return merged


def _without_surplus(ranked: Sequence[tuple[bool, float, str]]) -> list[str]:
    """At most MAX_TERMS; rare ones only where others are too few."""
    terms = [term for is_rare, _, term in ranked if not is_rare][:MAX_TERMS]
    return terms if len(terms) >= MIN_TERMS else [term for _, _, term in ranked][:MIN_TERMS]


def title(terms: Sequence[str], number: int) -> str:
    """The terms as a person reads them; a cluster without any has its number."""
    return ", ".join(terms) or f"cluster {number}"
