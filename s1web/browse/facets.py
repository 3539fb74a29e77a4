"""The facets of the pool: for each, a column of small codes, what its values are called, which codes they take."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from curation.domains import domain_title
from curation.errors import ConfigError
from curation.records import UNGRADED
from s1web.browse.columns import (
    CLEAN,
    GRADES,
    HAS_TRACE,
    IS_SELECTED,
    NGRAM,
    OVERRULED,
    QUALITY_RULES,
    REVIEWS,
    SHORT,
    UNCHECKED,
    UNREVIEWED,
    Columns,
)
from s1web.browse.filters import ANNOTATIONS, NONE, Filter

# bars of the histogram: two for each doubling, from 64 tokens to 64k; the first takes what is shorter
_EDGES = np.unique(np.round(2.0 ** (np.arange(12, 33) / 2)).astype(np.int64))
# a pool may have as many labels as questions; a page has not
MOST_VALUES = 200

_GRADE_WORDS = {"right": "right", "wrong": "wrong", "missing": "not graded"}
_CONTAMINATION_CODES = {
    "none": (CLEAN,),
    "evidence": (NGRAM, SHORT),
    "ngram": (NGRAM,),
    "short": (SHORT,),
    "overruled": (OVERRULED,),
    "unchecked": (UNCHECKED,),
}
_CONTAMINATION_WORDS = {
    "none": "no overlap",
    "evidence": "overlaps",
    "ngram": "shares an n-gram",
    "short": "short and equal",
    "overruled": "overruled",
    "unchecked": "not compared yet",
}


@dataclass(frozen=True)
class Value:
    """One value of a facet: as it stands in an address, as it is read, and the codes that it takes."""

    name: str
    label: str
    codes: tuple[int, ...]


@dataclass(frozen=True)
class Facet:
    """A column of codes of at least -1, and its values.

    Attributes:
        name: of the filter's attribute.
        codes: the column.
        values: its values, in the order to show them in.
        missing: the code of a question that has none; None where every question has one.
        without: what is said of those that a filter hides for want of a value: "1,204 WITHOUT are not shown".
    """

    name: str
    codes: Callable[[Columns], np.ndarray]
    values: Callable[[Columns], Sequence[Value]]
    missing: int | None = None
    without: str = ""

    def allowed(self, columns: Columns, chosen: Sequence[str]) -> np.ndarray:
        """Shape (number of codes + 1,), bool: whether code i - 1 has one of the chosen values.

        Raises:
            ConfigError: a value that this pool does not have.
        """
        taken = np.zeros(self.num_codes(columns), dtype=bool)
        values = {value.name: value for value in self.values(columns)}
        for name in chosen:
            if name not in values:
                there = ", ".join(repr(value[:40]) for value in list(values)[:8])
                more = f" and {len(values) - 8:,} more" if len(values) > 8 else ""
                raise ConfigError(f"{self.name}={name[:60]!r} is not in the pool (there: {there or 'none'}{more})")
            taken[[code + 1 for code in values[name].codes]] = True
        return taken

    def num_codes(self, columns: Columns) -> int:
        return columns.remember(
            ("codes", self.name), lambda: max([-1, *(code for v in self.values(columns) for code in v.codes)]) + 2
        )

    def failing(self, columns: Columns, conditions: Filter) -> np.ndarray | None:
        """Which questions have none of the chosen values; None where none is chosen."""
        chosen = getattr(conditions, self.name)
        if not chosen:
            return None
        failed: np.ndarray = ~self.allowed(columns, chosen)[self.codes(columns) + 1]
        return failed


def token_bins(columns: Columns) -> np.ndarray:
    """The histogram's bar of each question's trace, -1 where it has no length."""
    return columns.remember(
        "token_bins",
        lambda: np.where(
            columns.trace_tokens < 0, -1, np.searchsorted(_EDGES, columns.trace_tokens, side="right")
        ).astype(np.int8),
    )


def bin_ranges() -> list[tuple[int, int | None]]:
    """The bars as (least, most) tokens; the last has no most."""
    edges = [0, *_EDGES.tolist()]
    return [(low, high - 1) for low, high in pairwise(edges)] + [(edges[-1], None)]


def missing_bits(columns: Columns) -> np.ndarray:
    """Bit i is set where a question lacks ANNOTATIONS[i]."""

    def compute() -> np.ndarray:
        lacks = {
            "small_grade": columns.small_grade == UNGRADED,
            "large_grade": columns.large_grade == UNGRADED,
            "trace_grade": columns.trace_grade == UNGRADED,
            "domain": columns.domain < 0,
            "trace": (columns.state & HAS_TRACE) == 0,
            "trace_tokens": columns.trace_tokens < 0,
            "cluster": columns.cluster < 0,
        }
        bits = np.zeros(len(columns), dtype=np.int16)
        for place, name in enumerate(ANNOTATIONS):
            bits |= lacks[name].astype(np.int16) << place
        return bits

    return columns.remember("missing_bits", compute)


def _labels(labels: Sequence[str], title: Callable[[str], str], nothing: str = "") -> list[Value]:
    values = [Value(label, title(label), (code,)) for code, label in enumerate(labels)]
    return [*values, Value("", nothing, (-1,))] if nothing else values


def _grade(name: str, what: str) -> Facet:
    values = [Value(grade, _GRADE_WORDS[grade], (code,)) for grade, code in GRADES.items()]
    return Facet(
        name, lambda columns: getattr(columns, f"{name}_grade"), lambda columns: values, UNGRADED, f"without {what}"
    )


def _bits(names: Sequence[str], words: Sequence[str], nothing: str) -> list[Value]:
    codes = range(1 << len(names))
    values = [
        Value(name, word, tuple(code for code in codes if code >> place & 1))
        for place, (name, word) in enumerate(zip(names, words, strict=True))
    ]
    return [*values, Value(NONE, nothing, (0,))] if nothing else values


_QUALITY = _bits(QUALITY_RULES, [rule.partition(".")[2].replace("_", " ") for rule in QUALITY_RULES], "no rule hits")
_MISSING = _bits(ANNOTATIONS, [name.replace("_", " ") for name in ANNOTATIONS], "")
_CONTAMINATION = [Value(name, word, _CONTAMINATION_CODES[name]) for name, word in _CONTAMINATION_WORDS.items()]
_REVIEWS = [
    *(Value(name, name, (code,)) for code, name in enumerate(REVIEWS)),
    Value(NONE, "not reviewed", (UNREVIEWED,)),
]
_SELECTED = [Value("yes", "in a selection", (IS_SELECTED,)), Value("no", "in none", (0,))]


def _clusters(columns: Columns) -> list[Value]:
    titled = [Value(str(number), title, (number,)) for number, title in enumerate(columns.cluster_titles)]
    return [*titled, Value(NONE, "no cluster", (-1,))]


FACETS = (
    Facet("source", lambda columns: columns.source, lambda columns: _labels(columns.source_labels, str)),
    Facet(
        "domain",
        lambda columns: columns.domain,
        lambda columns: _labels(columns.domain_labels, domain_title, "no domain"),
        -1,
        "without a domain",
    ),
    Facet(
        "cot_type",
        lambda columns: columns.cot_type,
        lambda columns: _labels(columns.cot_type_labels, str, "no type"),
        -1,
        "without a type",
    ),
    Facet("cluster", lambda columns: columns.cluster, _clusters, -1, "without a cluster"),
    _grade("small", "a grade of the small model"),
    _grade("large", "a grade of the large model"),
    _grade("trace", "a grade of the trace"),
    Facet("quality", lambda columns: columns.quality, lambda columns: _QUALITY),
    Facet(
        "contamination",
        lambda columns: columns.contamination,
        lambda columns: _CONTAMINATION,
        UNCHECKED,
        "not compared with every benchmark",
    ),
    Facet("review", lambda columns: columns.review, lambda columns: _REVIEWS),
    Facet("missing", missing_bits, lambda columns: _MISSING),
    Facet("selected", lambda columns: columns.state & IS_SELECTED, lambda columns: _SELECTED),
)
