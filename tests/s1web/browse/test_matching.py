"""Filters, facets, sorts and pages give what plain Python over the ORM's rows gives."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from curation.errors import ConfigError, NotFoundError
from s1web.browse.columns import IS_SELECTED, QUALITY_RULES
from s1web.browse.facets import FACETS
from s1web.browse.filters import ANNOTATIONS, CONTAMINATION, SORTS, Filter, Listing
from s1web.browse.matching import match
from s1web.browse.ordering import order
from s1web.browse.queries import key_around, matching_pks, neighbours, read_counts, read_page
from s1web.browse.store import looked
from s1web.pool.models import Question
from tests.processes import Project
from tests.s1web.pools import load_rows

from . import twin
from .conftest import listing, make_pool
from .twin import Fact


def all_pages(asked: Listing, num_rows: int) -> list[int]:
    """The keys of all rows, page by page to the end."""
    pks: list[int] = []
    while True:
        page = read_page(asked, num_rows)
        pks += [row.pk for row in page.rows]
        if not page.after:
            return pks
        asked = replace(asked, after=page.after)


def random_filter(rng: random.Random, pool: Sequence[Fact]) -> Filter:
    """Two or three conditions with values that the pool has."""
    fact = rng.choice(pool)
    low = rng.choice([None, 0, 100, 5_600])
    choices: dict[str, object] = {
        "source": tuple({fact.source, rng.choice(pool).source}),
        "domain": tuple({fact.domain or "", rng.choice(pool).domain or ""}),
        "cot_type": (fact.cot_type or "",),
        "small": (rng.choice(["right", "wrong", "missing"]),),
        "large": tuple(rng.sample(["right", "wrong", "missing"], 2)),
        "trace": (fact.trace,),
        "quality": tuple(rng.sample([*QUALITY_RULES, "none"], 2)),
        "contamination": tuple(rng.sample(CONTAMINATION, 2)),
        "review": tuple(rng.sample(["keep", "drop", "unsure", "none"], 2)),
        "missing": tuple(rng.sample(ANNOTATIONS, 2)),
        "selected": (rng.choice(["yes", "no"]),),
        "selection": ("first",),
        "not_selection": ("second",),
        "cluster": ("none",),
        "min_tokens": low,
        "max_tokens": rng.choice([None, (low or 0) + 6_000]),
    }
    names = rng.sample(sorted(choices), rng.choice([0, 1, 2, 2, 3]))
    return Filter(**{name: choices[name] for name in names})  # type: ignore[arg-type]


def check(pool: Sequence[Fact], asked: Listing) -> None:
    """Everything that is said of a listing, against the twin."""
    expected = twin.listed(pool, asked)
    page = read_page(asked, 7)
    assert [row.question_hash for row in page.rows] == [fact.question_hash for fact in expected[:7]]
    assert (page.total, page.first) == (len(expected), 1 if expected else 0)
    assert {item.name: item.count for item in page.hidden} == twin.left_out(pool, asked.filter)
    assert all_pages(asked, 7) == [fact.pk for fact in expected]
    assert [pk for pks in matching_pks(asked) for pk in pks] == [fact.pk for fact in expected]
    counts = read_counts(asked.filter)
    assert counts.total == len(expected)
    for facet in counts.facets:
        found = {value.value: value.count for value in facet.values if value.count}
        assert found == dict(twin.counted(pool, asked.filter, facet.name)), facet.name
        on = {value.value for value in facet.values if value.is_on}
        assert on == set(getattr(asked.filter, facet.name))
    # the histogram is of all that fulfil the conditions but the one on length
    anywhere = [f.tokens for f in twin.listed(pool, Listing(replace(asked.filter, min_tokens=None, max_tokens=None)))]
    assert counts.num_without_length == anywhere.count(None)
    for bar in counts.histogram:
        inside = [n for n in anywhere if n is not None and bar.low <= n and (bar.high is None or n <= bar.high)]
        assert bar.count == len(inside)


@pytest.mark.parametrize("seed", range(3))
def test_random_filters_and_sorts_on_random_pools_equal_the_twin(make: Callable[[int], None], seed: int) -> None:
    make(seed)
    rng = random.Random(seed)
    pool = twin.facts(looked().columns.tokenizer)
    for _ in range(40):
        conditions = random_filter(rng, pool)
        sorts = [*SORTS, *(["position"] if conditions.selection else [])]
        check(pool, Listing(conditions, rng.choice(sorts), rng.random() < 0.5))


def test_every_database_gives_the_same(either_project: Project, tmp_path: Path) -> None:
    make_pool(tmp_path, seed=5, num_rows=60)
    rng = random.Random(5)
    pool = twin.facts(looked().columns.tokenizer)
    for _ in range(10):
        check(pool, Listing(random_filter(rng, pool), rng.choice(SORTS), rng.random() < 0.5))


def test_every_facet_value_counts_what_choosing_it_gives(pool: None) -> None:
    num_checked = 0
    for facet in read_counts(Filter()).facets:
        for value in facet.values:
            assert read_page(Listing(Filter(**{facet.name: (value.value,)}))).total == value.count
            num_checked += value.count > 0
    assert num_checked > 40


def test_rows_say_what_the_database_says(pool: None) -> None:
    page = read_page(listing("tokens=1-&sort=-tokens"), 100)
    facts = {fact.pk: fact for fact in twin.facts(page.tokenizer)}
    grades = {True: "right", False: "wrong", None: "missing"}
    for row in page.rows:
        fact = facts[row.pk]
        assert (row.question_hash, row.text, row.is_cut) == (fact.question_hash, fact.text, False)
        assert (row.source, row.domain, row.cot_type, row.cluster) == (fact.source, fact.domain, fact.cot_type, None)
        assert grades[row.small_grade] == fact.small
        assert (grades[row.large_grade], grades[row.trace_grade]) == (fact.large, fact.trace)
        assert (row.trace_tokens, set(row.quality)) == (fact.tokens, fact.quality)
        assert (row.review or "none") == fact.review
        assert (row.contamination or "unchecked", row.is_selected) == (fact.contamination, bool(fact.selections))
    assert page.rows


def test_long_texts_are_cut_in_the_database(db: None, tmp_path: Path) -> None:
    load_rows(tmp_path, [{"question": "é" * 301}, {"question": "n" * 300}])
    with CaptureQueriesContext(
        connection,
    ) as queries:
        rows = read_page(Listing()).rows
    assert [(len(row.text), row.is_cut) for row in rows] == [(300, True), (300, False)]
    assert all("SUBSTR" in query["sql"].upper() for query in queries if '"text"' in query["sql"])


def test_what_is_missing_comes_last_in_both_directions(pool: None) -> None:
    for query in ("sort=tokens", "sort=-tokens", "sort=domain", "sort=-domain"):
        values = [
            row.trace_tokens if "tokens" in query else row.domain for row in read_page(listing(query), 500).rows
        ]
        present = [value for value in values if value is not None]
        assert None in values
        assert None not in values[: len(present)]
        assert present == sorted(present, reverse="-" in query)  # type: ignore[type-var]


@pytest.mark.parametrize("query", ["", "sort=-tokens", "sort=domain", "sort=-source&small=wrong", "sort=cluster"])
def test_pages_backwards_are_the_pages_forwards(pool: None, query: str) -> None:
    asked = listing(query)
    pages = [read_page(asked, 9)]
    while pages[-1].after:
        pages.append(read_page(replace(asked, after=pages[-1].after), 9))
    assert len(pages) > 3
    for earlier, page in pairwise(pages):
        back = read_page(replace(asked, before=page.before), 9)
        assert (back.rows, back.first) == (earlier.rows, earlier.first)
    assert pages[0].before == ""


@pytest.mark.parametrize("query", ["", "sort=-tokens", "sort=domain", "sort=-small", "sort=source"])
def test_each_row_comes_once_while_rows_are_added(pool: None, tmp_path: Path, query: str) -> None:
    asked = listing(query)
    before = {fact.pk for fact in twin.facts("")}
    pks: list[int] = []
    for number in range(1_000):
        page = read_page(asked, 9)
        pks += [row.pk for row in page.rows]
        rows = [
            {"question": f"Added {number} {n}?", "gemini_length": n * 3_000, "domain": "05", "source_type": "new"}
            | {"thinking_trajectories": ["So."], "attempt": "7", "isqwen7bcorrect": bool(n % 2)}
            for n in range(3)
        ]
        if number < 8:
            load_rows(tmp_path, rows, f"added{number}")
        if not page.after:
            break
        asked = replace(asked, after=page.after)
    assert len(pks) == len(set(pks))
    assert before <= set(pks)


@pytest.mark.parametrize("query", ["", "sort=-tokens", "sort=source"])
def test_a_page_goes_on_where_its_last_row_no_longer_matches(pool: None, query: str) -> None:
    every, left = listing(query), listing(f"{query}&selected=no")
    pks = [row.pk for row in read_page(every, 500).rows]
    ordered = order(looked().columns, every)
    num_gone = 0
    for place, row in enumerate(ordered.rows[:-1].tolist()):
        rest = read_page(replace(left, after=ordered.key(row)), 500).rows
        expected = [other.pk for other in read_page(left, 500).rows if other.pk in pks[place + 1 :]]
        assert [other.pk for other in rest] == expected
        num_gone += bool(looked().columns.state[row] & IS_SELECTED)
    assert num_gone > 20


def test_a_label_that_is_gone_keeps_its_place_in_the_order(pool: None) -> None:
    sources = [row.source for row in read_page(listing("sort=source"), 500).rows]
    for gone in ("", "M", "Nzz", "zzz"):
        after = read_page(listing(f"sort=source&after=999999.{gone}"), 500).rows
        assert [row.source for row in after] == [source for source in sources if source > gone]


def test_neighbours_are_the_rows_beside_and_the_key_around_is_their_page(pool: None) -> None:
    asked = listing("small=wrong&sort=-tokens")
    rows = read_page(asked, 500).rows
    assert len(rows) > 20
    for place, row in enumerate(rows):
        found = neighbours(asked, row.question_hash)
        assert (found.place, found.total) == (place + 1, len(rows))
        assert found.previous == (rows[place - 1].question_hash if place else None)
        assert found.following == (rows[place + 1].question_hash if place + 1 < len(rows) else None)
        shown = read_page(replace(asked, after=key_around(asked, row.question_hash, 6)), 6).rows
        assert row in shown
    other = Question.objects.exclude(pk__in=[row.pk for row in rows]).first()
    assert other is not None
    assert neighbours(asked, other.question_hash).place is None
    for unknown in ("0" * 16, "nonsense", ""):
        with pytest.raises(NotFoundError, match="16 hex digits"):
            neighbours(asked, unknown)


@pytest.mark.parametrize(
    ("query", "error", "text"),
    [
        ("source=nowhere", ConfigError, r"source='nowhere' is not in the pool \(there: "),
        ("domain=99", ConfigError, "domain='99' is not in the pool"),
        ("cluster=3", ConfigError, "cluster='3' is not in the pool"),
        ("selection=none-such", NotFoundError, "no selection 'none-such'"),
        ("not_selection=none-such", NotFoundError, "no selection 'none-such'"),
        ("near=0123456789abcdef", NotFoundError, "annotate embeddings"),
        ("after=x", ConfigError, "'x' is no place in a list"),
        ("sort=tokens&before=5.x", ConfigError, "no place in a list by tokens"),
    ],
)
def test_what_this_pool_does_not_have_is_one_line(pool: None, query: str, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text) as raised:
        read_page(listing(query))
    assert "\n" not in str(raised.value)


def test_an_empty_pool_has_an_empty_page(db: None) -> None:
    page = read_page(Listing())
    assert (page.rows, page.total, page.first, page.before, page.after) == ((), 0, 0, "", "")
    assert read_counts(Filter()).total == 0
    assert read_page(listing("small=wrong&sort=-tokens&q=x&tokens=1-")).rows == ()


def test_the_number_of_queries_is_the_same_for_few_and_many_rows(db: None, tmp_path: Path) -> None:
    def count(query: str) -> int:
        looked()
        with CaptureQueriesContext(connection) as queries:
            read_page(listing(query))
            read_counts(listing(query).filter)
        return len(queries)

    asked = ["", "sort=-tokens", "small=wrong&tokens=5-&sort=domain", "q=angle", "q=-angle"]
    load_rows(tmp_path, [{"question": f"angle {n}?", "isqwen7bcorrect": False} for n in range(10)], "few")
    few = [count(query) for query in asked]
    load_rows(tmp_path, [{"question": f"angle {n} again?", "isqwen7bcorrect": False} for n in range(1_000)], "many")
    assert [count(query) for query in asked] == few
    # version for page and counts, texts; the search besides, and its texts where it found any
    assert few == [3, 3, 2, 3, 3]


def test_of_very_many_labels_the_most_frequent_and_the_chosen_are_counted(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s1web.browse.counting.MOST_VALUES", 5)
    rows = [{"question": f"Q{n}?", "source_type": f"s{n % 30:02d}" if n < 60 else "s07"} for n in range(80)]
    load_rows(tmp_path, rows)
    (facet,) = [facet for facet in read_counts(Filter(source=("s29",))).facets if facet.name == "source"]
    counts = {value.value: value.count for value in facet.values}
    assert (counts["s07"], counts["s29"], len(counts), facet.num_more) == (22, 2, 6, 24)


def test_no_condition_allocates_no_mask(pool: None) -> None:
    found = match(looked().columns, Filter())
    assert (found.matches(), found.failing, found.num_matches) == (None, {}, len(looked().columns))
    assert {facet.name for facet in FACETS} <= set(Filter.__dataclass_fields__)
