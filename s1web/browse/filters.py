"""What a list of questions is asked for: conditions, order, columns and place, and how they stand in an address."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from curation.errors import ConfigError
from curation.polygons import Corner, parse_polygon
from s1web.browse.columns import GRADES, QUALITY_RULES, REVIEWS
from s1web.pool.search.query import Term, parse_query
from s1web.pool.search.words import FIELDS

MAX_VALUES = 200
MAX_VALUE_CHARACTERS = 1_000
MAX_TOKENS = 2**31 - 1

CONTAMINATION = ("none", "evidence", "ngram", "short", "overruled", "unchecked")
ANNOTATIONS = ("small_grade", "large_grade", "trace_grade", "domain", "trace", "trace_tokens", "cluster")
NONE = "none"
# values that are the same in every pool; the others are the pool's own labels, and looked up there
_VALUES: dict[str, Sequence[str]] = {
    "small": tuple(GRADES),
    "large": tuple(GRADES),
    "trace": tuple(GRADES),
    "quality": (*QUALITY_RULES, NONE),
    "contamination": CONTAMINATION,
    "review": (*REVIEWS, NONE),
    "missing": ANNOTATIONS,
    "selected": ("yes", "no"),
    "in": FIELDS,
}
SORTS = ("pool", "source", "domain", "cot_type", "cluster", "small", "large", "trace", "tokens", "contamination")
SHOWN = (
    *("question", "source", "domain", "cot_type", "cluster", "small", "large", "trace", "tokens"),
    *("quality", "contamination", "review", "selected", "hash"),
)
DEFAULT_SHOWN = ("question", "source", "domain", "small", "large", "trace", "tokens")
_RANGE = re.compile(r"([0-9]{1,10})?-([0-9]{1,10})?")
_CLUSTER = re.compile(r"0|[1-9][0-9]{0,4}")
_HASH = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Filter:
    """Conditions on questions: within one any of its values, between them all; empty asks for nothing.

    Attributes:
        source, domain, cot_type: labels; domain and cot_type "" is missing.
        cluster: numbers as text, or none.
        small, large, trace: right, wrong, missing: the grade of either attempt and of the trace.
        min_tokens, max_tokens: of the trace, both included.
        quality: rules that hit, or none.
        contamination: none, evidence (ngram or short), ngram, short, overruled, unchecked.
        review: keep, drop, unsure, or none.
        missing: annotations, see ANNOTATIONS.
        selected: yes, no: in any selection.
        selection, not_selection: names of selections.
        search, search_in: words, see `s1web.pool.search.query`, and the fields to look in.
        near: hash of the question that they should be like.
        area: a polygon on the newest map, see `curation.polygons`.
    """

    source: tuple[str, ...] = ()
    domain: tuple[str, ...] = ()
    cot_type: tuple[str, ...] = ()
    cluster: tuple[str, ...] = ()
    small: tuple[str, ...] = ()
    large: tuple[str, ...] = ()
    trace: tuple[str, ...] = ()
    min_tokens: int | None = None
    max_tokens: int | None = None
    quality: tuple[str, ...] = ()
    contamination: tuple[str, ...] = ()
    review: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    selected: tuple[str, ...] = ()
    selection: tuple[str, ...] = ()
    not_selection: tuple[str, ...] = ()
    search: str = ""
    search_in: tuple[str, ...] = ()
    near: str = ""
    area: str = ""

    @property
    def terms(self) -> tuple[Term, ...]:
        return parse_query(self.search, self.search_in or FIELDS)

    @property
    def polygon(self) -> tuple[Corner, ...]:
        return parse_polygon(self.area)

    def pairs(self) -> list[tuple[str, str]]:
        """Name and value of each condition, in the one order in which they stand in addresses."""
        found: list[tuple[str, str]] = []
        for name in _MULTIPLE:
            found += [(name, value) for value in getattr(self, _attribute(name))]
            if name == "trace" and (self.min_tokens is not None or self.max_tokens is not None):
                found.append(("tokens", f"{_text(self.min_tokens)}-{_text(self.max_tokens)}"))
        found += [
            (name, value) for name, value in (("q", self.search), ("near", self.near), ("area", self.area)) if value
        ]
        return found


_MULTIPLE = tuple(
    "in" if item.name == "search_in" else item.name for item in fields(Filter) if item.type == tuple[str, ...]
)


@dataclass(frozen=True)
class Listing:
    """A filter, and how what it leaves is shown.

    Attributes:
        sort: one of SORTS, or near (with a filter by likeness) or position (with one selection); what has no value
            comes last, whatever the direction.
        is_descending: the other way round, ties included.
        shown: the columns, in their one order.
        after, before: the key of the row that the page follows or precedes; see `paging.Key`.
    """

    filter: Filter = field(default_factory=Filter)
    sort: str = "pool"
    is_descending: bool = False
    shown: tuple[str, ...] = DEFAULT_SHOWN
    after: str = ""
    before: str = ""

    @classmethod
    def parse(cls, query: QueryDict) -> "Listing":
        """Read the part of an address behind the question mark.

        Raises:
            ConfigError: a name that is none, or a value that it cannot have.
        """
        given = {name: list(dict.fromkeys(str(value) for value in values)) for name, values in query.lists()}
        unknown = [name for name in given if name not in _NAMES]
        if unknown:
            raise ConfigError(f"{unknown[0]!r:.60} is no filter; there are {', '.join(_NAMES)}")
        return _listing(given)

    def query(self, **changes: Any) -> str:
        """The address's part behind the question mark, the same for equal listings; `changes` are made first."""
        listing = replace(self, **changes)
        pairs = listing.filter.pairs()
        if (listing.sort, listing.is_descending) != (default_sort(listing.filter), False):
            pairs.append(("sort", f"{'-' if listing.is_descending else ''}{listing.sort}"))
        if listing.shown != DEFAULT_SHOWN:
            pairs.append(("columns", ",".join(listing.shown)))
        pairs += [(name, value) for name, value in (("after", listing.after), ("before", listing.before)) if value]
        return urlencode(pairs)


_SINGLE = ("tokens", "q", "near", "area", "sort", "columns", "after", "before")
_NAMES = (*_MULTIPLE, *_SINGLE)


def default_sort(conditions: Filter) -> str:
    """What is like another question comes by likeness, all else as it came into the pool."""
    return "near" if conditions.near else "pool"


def _listing(given: Mapping[str, list[str]]) -> Listing:
    for name in _SINGLE:
        # a form sends a column at a time
        if name != "columns" and len(given.get(name, ())) > 1:
            raise ConfigError(f"{name} is given {len(given[name])} times; give it once")
    single = {name: given[name][0] if name in given else "" for name in _SINGLE}
    single["columns"] = ",".join(given.get("columns", ()))
    # a form sends its list of selections with nothing chosen, too
    chosen = {name: [value for value in given.get(name, []) if value] for name in ("selection", "not_selection")}
    given = {**given, **chosen}
    values = {_attribute(name): _values(name, given.get(name, [])) for name in _MULTIPLE}
    low, high = _tokens(single["tokens"])
    conditions = Filter(
        min_tokens=low,
        max_tokens=high,
        search=single["q"].strip(),
        near=_near(single["near"]),
        area=single["area"],
        **values,
    )
    _ = conditions.terms
    if conditions.area:
        _ = conditions.polygon
    sort, is_descending = _sort(single["sort"], conditions)
    if single["after"] and single["before"]:
        raise ConfigError("after and before are both given; a page follows one row or precedes one")
    return Listing(conditions, sort, is_descending, _shown(single["columns"]), single["after"], single["before"])


def _attribute(name: str) -> str:
    return "search_in" if name == "in" else name


def _values(name: str, given: Iterable[str]) -> tuple[str, ...]:
    values = sorted(set(given))
    if len(values) > MAX_VALUES:
        raise ConfigError(f"{name} has {len(values):,} values; at most {MAX_VALUES} are allowed")
    for value in values:
        if len(value) > MAX_VALUE_CHARACTERS:
            raise ConfigError(f"{name} has a value of {len(value):,} characters; at most {MAX_VALUE_CHARACTERS:,}")
        if name in _VALUES and value not in _VALUES[name]:
            raise ConfigError(f"{name}={value[:60]!r} is not known; allowed are {', '.join(_VALUES[name])}")
        if name == "cluster" and value != NONE and not _CLUSTER.fullmatch(value):
            raise ConfigError(f"cluster={value[:60]!r} is no cluster; give its number, or {NONE}")
    return tuple(values)


def _tokens(text: str) -> tuple[int | None, int | None]:
    if not text:
        return None, None
    match = _RANGE.fullmatch(text)
    if match is None or text == "-":
        raise ConfigError(f"tokens={text[:60]!r} is no range; give FROM-TO, FROM- or -TO, such as tokens=512-1023")
    low, high = (int(end) if end else None for end in match.groups())
    if max(low or 0, high or 0) > MAX_TOKENS:
        raise ConfigError(f"tokens={text!r} goes beyond {MAX_TOKENS:,}, the most that a trace can have")
    if low is not None and high is not None and low > high:
        raise ConfigError(f"tokens={text!r} ends before it begins; give the smaller number first")
    return low, high


def _near(text: str) -> str:
    if text and not _HASH.fullmatch(text):
        raise ConfigError(f"near={text[:60]!r} is no question; give the 16 hex digits of its hash")
    return text


def _sort(text: str, conditions: Filter) -> tuple[str, bool]:
    if not text:
        return default_sort(conditions), False
    name = text.removeprefix("-")
    allowed = [*SORTS]
    if conditions.near:
        allowed.append("near")
    if len(conditions.selection) == 1:
        allowed.append("position")
    if name not in allowed:
        raise ConfigError(
            f"sort={text[:60]!r} is no order; give one of {', '.join(allowed)}, with - before it to turn it"
        )
    return name, text.startswith("-")


def _shown(text: str) -> tuple[str, ...]:
    if not text:
        return DEFAULT_SHOWN
    names = text.split(",")
    for name in names:
        if name not in SHOWN:
            raise ConfigError(f"columns={name[:60]!r} is no column; there are {', '.join(SHOWN)}")
    return tuple(name for name in SHOWN if name in names)


def _text(number: int | None) -> str:
    return "" if number is None else str(number)
