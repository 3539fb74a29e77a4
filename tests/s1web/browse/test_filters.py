"""Filters and addresses say the same; what cannot be asked for is one line."""

from dataclasses import fields

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import ConfigError
from s1web.browse.columns import GRADES, QUALITY_RULES, REVIEWS
from s1web.browse.filters import (
    ANNOTATIONS,
    CONTAMINATION,
    DEFAULT_SHOWN,
    SHOWN,
    SORTS,
    Filter,
    Listing,
    default_sort,
)
from s1web.pool.search.words import FIELDS

from .conftest import listing

SEARCHES = ["", "ring", r'\frac{a}{b} -"x y"', 'solution: "two words" pri*', "x=1&y=2 +%20"]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def some(values: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(values, max_size=4, unique=True).map(lambda found: tuple(sorted(found)))


GRADE = some(st.sampled_from(list(GRADES)))
TOKENS = st.tuples(*[st.none() | st.integers(0, 10**6)] * 2).map(
    lambda ends: tuple(sorted(ends)) if None not in ends else ends  # type: ignore[type-var]
)


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    low, high = draw(TOKENS)
    return Filter(
        source=draw(some(TEXT)),
        domain=draw(some(TEXT)),
        cot_type=draw(some(TEXT)),
        cluster=draw(some(st.integers(0, 999).map(str) | st.just("none"))),
        small=draw(GRADE),
        large=draw(GRADE),
        trace=draw(GRADE),
        min_tokens=low,
        max_tokens=high,
        quality=draw(some(st.sampled_from([*QUALITY_RULES, "none"]))),
        contamination=draw(some(st.sampled_from(CONTAMINATION))),
        review=draw(some(st.sampled_from([*REVIEWS, "none"]))),
        missing=draw(some(st.sampled_from(ANNOTATIONS))),
        selected=draw(some(st.sampled_from(["yes", "no"]))),
        selection=draw(some(TEXT.filter(bool))),
        not_selection=draw(some(TEXT.filter(bool))),
        search=draw(st.sampled_from(SEARCHES)),
        search_in=draw(some(st.sampled_from(FIELDS))),
        near=draw(st.sampled_from(["", "0123456789abcdef"])),
        area=draw(st.sampled_from(["", "0_0-1000_0-500_999"])),
    )


@given(filters(), st.sampled_from(SORTS), st.booleans(), st.sets(st.sampled_from(SHOWN), min_size=1), TEXT)
def test_a_listing_comes_back_from_its_address(
    conditions: Filter, sort: str, is_descending: bool, shown: set[str], after: str
) -> None:
    asked = Listing(conditions, sort, is_descending, tuple(name for name in SHOWN if name in shown), after)
    query = asked.query()
    assert Listing.parse(QueryDict(query)) == asked
    assert Listing.parse(QueryDict(query)).query() == query


def test_the_same_conditions_in_any_order_have_one_address() -> None:
    one = listing("small=wrong&source=b&source=a&source=a&tokens=5-&columns=hash,question")
    other = listing("columns=question,hash&tokens=5-&source=a&source=b&small=wrong&sort=pool")
    assert one.query() == other.query() == "source=a&source=b&small=wrong&tokens=5-&columns=question%2Chash"


def test_nothing_asked_for_is_an_empty_address() -> None:
    assert (Listing().query(), listing("")) == ("", Listing())
    assert listing("").shown == DEFAULT_SHOWN


def test_likeness_comes_by_likeness_unless_told_otherwise() -> None:
    near = listing("near=0123456789abcdef")
    assert (near.sort, near.query()) == ("near", "near=0123456789abcdef")
    assert listing("near=0123456789abcdef&sort=tokens").query() == "near=0123456789abcdef&sort=tokens"
    assert default_sort(Filter()) == "pool"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("colour=red", "'colour' is no filter; there are source, domain"),
        ("small=maybe", "small='maybe' is not known; allowed are right, wrong, missing"),
        ("quality=ugly", "quality='ugly' is not known; allowed are formatting.asy"),
        ("contamination=yes", "contamination='yes' is not known"),
        ("missing=nothing", "missing='nothing' is not known; allowed are small_grade"),
        ("selected=", "selected='' is not known; allowed are yes, no"),
        ("in=answer", "in='answer' is not known; allowed are question, solution, trace"),
        ("cluster=-1", "cluster='-1' is no cluster"),
        ("cluster=01", "cluster='01' is no cluster"),
        ("tokens=5", "tokens='5' is no range; give FROM-TO"),
        ("tokens=-", "tokens='-' is no range"),
        ("tokens=-5-9", "is no range"),
        ("tokens=\u0665-9", "is no range"),
        ("tokens=9-5", "ends before it begins"),
        ("tokens=1-9999999999", "goes beyond 2,147,483,647"),
        ("tokens=1-&tokens=2-", "tokens is given 2 times; give it once"),
        ("q=a&q=b", "q is given 2 times"),
        ("near=xyz", "near='xyz' is no question; give the 16 hex digits"),
        ("near=0123456789ABCDEF", "is no question"),
        ("sort=colour", "sort='colour' is no order; give one of pool, source"),
        ("sort=--tokens", "is no order"),
        ("sort=near", "is no order"),
        ("sort=position", "is no order"),
        ("sort=position&selection=a&selection=b", "is no order"),
        ("columns=question,colour", "columns='colour' is no column"),
        ("after=5&before=9", "after and before are both given"),
        ("q=%2B%2B", "has no letter or digit"),
        ("q=" + "a" * 2_000, "2,000 characters; at most 1,000"),
        ("source=" + "a" * 2_000, "source has a value of 2,000 characters"),
        ("&".join(f"source={n}" for n in range(300)), "source has 300 values; at most 200"),
    ],
)
def test_what_cannot_be_asked_for_is_one_line(query: str, text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        listing(query)
    assert text in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 500


def test_a_selection_may_be_shown_in_its_own_order() -> None:
    assert listing("selection=a&sort=position").sort == "position"


def test_every_condition_has_its_own_name_in_addresses() -> None:
    full = Filter(
        **{  # type: ignore[arg-type]
            item.name: ("x",) if item.type == tuple[str, ...] else 1 if "tokens" in item.name else "x"
            for item in fields(Filter)
        }
    )
    names = [name for name, _ in full.pairs()]
    assert len(names) == len(set(names)) == len(fields(Filter)) - 1
