"""The points' answer and the table, against what the database says of each question."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import pytest
from django.http import QueryDict

from curation.domains import domain_title
from curation.errors import ConfigError, NotFoundError
from curation.polygons import to_steps
from curation.presets import recipe_from_toml
from s1web.atlas import colouring as colourings
from s1web.atlas.asked import COLOURS, LAYERS, Asked
from s1web.atlas.colouring import colouring
from s1web.atlas.layers import read_layers
from s1web.atlas.points import IS_CHOSEN, IS_HARD, IS_WITHIN, pack, tag_of
from s1web.atlas.queries import read_at, read_cluster_rows
from s1web.browse.columns import Columns
from s1web.browse.queries import read_page
from s1web.browse.store import looked
from s1web.pool.models import Question, TraceLength
from s1web.pool.version import bump
from s1web.selections.models import CurationRun, Decision, Selection, SelectionMember
from s1web.selections.services import curate
from s1web.vectors.models import ClusterMember
from s1web.vectors.queries import map_points
from tests.s1web.browse.conftest import RECIPE, listing


def asked(query: str = "") -> Asked:
    return Asked.parse(QueryDict(query))


@dataclass
class Answer:
    head: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def labels(self, name: str) -> list[str]:
        """How each point is called under a colouring, by place."""
        entries = self.head["colours"][name]
        return [entries[code]["label"] for code in self.arrays[name].tolist()]


def unpack(body: bytes) -> Answer:
    length = int.from_bytes(body[:4], "little")
    head = json.loads(body[4 : 4 + length])
    arrays, start = {}, 4 + length
    for name, kind in head["arrays"]:
        arrays[name] = np.frombuffer(body, np.dtype(kind).newbyteorder("<"), head["num"], start)
        start += arrays[name].nbytes
    assert start == len(body)
    return Answer(head, arrays)


def placed(columns: Columns) -> list[Question]:
    """The questions in the order of the points."""
    questions = {q.question_hash: q for q in Question.objects.select_related("source")}
    return [questions[columns.hash_of(row)] for row in range(len(columns))]


def test_each_question_is_where_the_map_put_it(mapped: Columns):
    answer = unpack(pack(mapped, asked()))
    points = map_points()
    assert points is not None
    at = dict(zip(points.names, to_steps(points.values).tolist(), strict=True))
    assert answer.head["num"] == len(mapped) == len(at)
    found = zip(answer.arrays["x"].tolist(), answer.arrays["y"].tolist(), strict=True)
    for question, place in zip(placed(mapped), found, strict=True):
        assert list(place) == at[question.question_hash]


def test_each_question_has_the_labels_that_the_database_gives_it(mapped: Columns):
    answer = unpack(pack(mapped, asked()))
    members = {m.question_id: m.cluster.title for m in ClusterMember.objects.select_related("cluster")}
    tokens = dict(TraceLength.objects.values_list("trace_id", "tokens"))
    said = {True: "right", False: "wrong", None: "none"}
    verdicts = {
        ("wrong", "right"): "only by large",
        ("wrong", "wrong"): "by neither",
        **{("right", large): "solved by small" for large in said.values()},
    }
    for place, question in enumerate(placed(mapped)):
        labels = {name: answer.labels(name)[place] for name in COLOURS}
        assert labels["cluster"] == members[question.pk]
        assert labels["source"] == question.source.name
        assert labels["domain"] == (domain_title(question.domain) if question.domain else "no domain")
        grades = said[question.small_grade], said[question.large_grade]
        assert labels["verdict"] == verdicts.get(grades, "not graded")
        assert labels["length"] == length_label(tokens.get(question.trace_id or 0))
    assert len(set(answer.labels("verdict"))) == 4
    assert len(set(answer.labels("length"))) > 2


def length_label(tokens: int | None) -> str:
    if tokens is None:
        return "no trace length"
    if tokens < 512:
        return "under 512"
    exponent = tokens.bit_length() - 1
    if exponent >= 15:
        return "32k and more"
    low, high = (str(2**n) if n < 10 else f"{2 ** (n - 10)}k" for n in (exponent, exponent + 1))
    return f"{low} to {high}"


def test_each_entry_of_the_legend_leads_to_as_many_questions_as_it_says(mapped: Columns):
    answer = unpack(pack(mapped, asked("small=wrong")))
    checked = 0
    for name in COLOURS:
        for entry in answer.head["colours"][name]:
            if entry["query"] and not any(key == "small" for key, _ in entry["query"]):
                query = QueryDict("small=wrong", mutable=True)
                for key, value in entry["query"]:
                    query.appendlist(key, value)
                assert read_page(listing(query.urlencode()), 1).total == entry["count"], entry
                checked += 1
    assert checked > 20


def test_marks_say_what_is_hard_what_is_selected_and_what_the_filter_leaves(mapped: Columns):
    run = CurationRun.objects.latest("pk")
    dropped_before = set(
        Decision.objects.filter(run=run).exclude(rule="selection.not_drawn").values_list("question_id", flat=True)
    )
    first = set(SelectionMember.objects.filter(selection__name="first").values_list("question_id", flat=True))
    answer = unpack(pack(mapped, asked("chosen=first&small=wrong")))
    questions = placed(mapped)
    # loaded after the run, which so says nothing of them
    late = {question.pk for question in questions} - {
        *run.decisions.values_list("question_id", flat=True),
        *run.selection.members.values_list("question_id", flat=True),
    }
    assert dropped_before
    assert late
    for question, mark in zip(questions, answer.arrays["marks"].tolist(), strict=True):
        assert bool(mark & IS_CHOSEN) == (question.pk in first)
        assert bool(mark & IS_WITHIN) == (question.small_grade is False)
        assert bool(mark & IS_HARD) == (question.pk not in dropped_before | late)
    assert (answer.arrays["marks"] & IS_HARD).any()


def test_the_hard_pool_is_that_of_the_newest_run_that_drops_what_is_solved(mapped: Columns):
    before = read_layers(mapped, "")
    assert before.run is not None
    assert before.run.selection.name == "third"
    curate(recipe_from_toml(RECIPE), name="later")
    after = read_layers(mapped, "")
    assert after.run == before.run
    assert (after.hard == before.hard).all()
    assert after.chosen is not None
    assert after.chosen.name == "later"


def test_the_newest_selection_is_chosen_unless_another_is_named(mapped: Columns):
    newest = Selection.objects.latest("pk")
    assert read_layers(mapped, "").chosen == newest
    assert newest.name == "third"
    assert read_layers(mapped, "first").selected.sum() == 12
    with pytest.raises(NotFoundError, match="nowhere"):
        read_layers(mapped, "nowhere")


def test_the_eight_largest_have_colours_of_their_own_and_a_filter_changes_none(mapped: Columns):
    plain = unpack(pack(mapped, asked())).head["colours"]["cluster"]
    assert [entry["ink"] for entry in plain] == [*"12345678", *["other"] * 4]
    counts = [entry["count"] for entry in plain]
    assert counts == sorted(counts, reverse=True)
    filtered = unpack(pack(mapped, asked("small=wrong"))).head["colours"]["cluster"]
    assert [(entry["label"], entry["ink"]) for entry in filtered] == [(e["label"], e["ink"]) for e in plain]
    assert sum(entry["count"] for entry in filtered) < sum(counts)


def test_more_labels_than_a_byte_holds_share_the_last_one(mapped: Columns, monkeypatch):
    monkeypatch.setattr(colourings, "MOST_LABELS", 5)
    mapped.kept.clear()
    found = colouring(mapped, "cluster")
    assert [entry.label for entry in found.entries[5:]] == ["7 rarer ones"]
    assert found.entries[5].query == ()
    counts = Counter(ClusterMember.objects.values_list("cluster__number", flat=True))
    assert found.counts(np.arange(len(mapped)))[5] == sum(sorted(counts.values())[:7])


def test_a_cluster_is_named_where_half_of_it_lies_to_either_side(mapped: Columns):
    answer = unpack(pack(mapped, asked()))
    for code, entry in enumerate(answer.head["colours"]["cluster"]):
        own = answer.arrays["cluster"] == code
        middle = [int(np.median(answer.arrays[axis][own])) for axis in ("x", "y")]
        assert entry["at"] == middle


def test_the_tag_changes_with_what_is_asked_for_and_with_the_pool(mapped: Columns):
    def tag(query: str = "") -> str:
        found = asked(query)
        return tag_of(mapped, found, read_layers(mapped, found.chosen))

    assert tag() == tag("colour=source&layer=pool&order=size&area=0_0-1_0-1_1&chosen=third")
    assert len({tag(), tag("chosen=first"), tag("small=wrong"), tag("small=right")}) == 4
    before = tag()
    Question.objects.filter(pk=mapped.pk[0]).update(domain="99")
    bump()
    assert tag_of(looked().columns, asked(), read_layers(mapped, "")) != before


# --- the table of clusters ------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "small=wrong&chosen=first"])
def test_the_table_counts_what_the_database_does(mapped: Columns, query):
    found = asked(query)
    layers = read_layers(mapped, found.chosen)
    questions = Question.objects.filter(small_grade=False) if query else Question.objects.all()
    cluster = dict(ClusterMember.objects.values_list("question_id", "cluster__number"))
    chosen = set(SelectionMember.objects.filter(selection=layers.chosen).values_list("question_id", flat=True))
    lengths = dict(TraceLength.objects.values_list("trace_id", "tokens"))
    rows = read_cluster_rows(mapped, found, layers)
    assert [row.number for row in rows] == sorted({cluster[question.pk] for question in questions})
    assert sum(row.share for row in rows) == pytest.approx(1)
    assert sum(row.share_selected for row in rows) == pytest.approx(1)
    for row in rows:
        own = [question for question in questions if cluster[question.pk] == row.number]
        tokens = [lengths[question.trace_id] for question in own if question.trace_id in lengths]
        assert row.size == len(own)
        assert row.selected == sum(question.pk in chosen for question in own)
        assert row.median_tokens == (int(median(tokens)) if tokens else None)
        assert row.ratio == pytest.approx(row.share_selected / row.share)
    assert sum(row.hard for row in rows) == (layers.hard & (mapped.small_grade == 0 if query else True)).sum()


@pytest.mark.parametrize("order", ["size", "hard", "selected", "tokens", "ratio"])
def test_the_table_comes_with_the_most_first(mapped: Columns, order):
    rows = read_cluster_rows(mapped, asked(f"order={order}"), read_layers(mapped, ""))
    values = [getattr(row, "median_tokens" if order == "tokens" else order) or 0 for row in rows]
    assert values == sorted(values, reverse=True)
    assert values != [row.number for row in rows]


# --- what lies at a place ------------------------------------------------------------


def test_the_nearest_question_is_found_from_anywhere(mapped: Columns):
    points = map_points()
    assert points is not None
    steps = to_steps(points.values).astype(int)
    for x, y in [(0, 0), (65_535, 65_535), (30_000, 31_000)]:
        away = ((steps - (x, y)) ** 2).sum(axis=1)
        (found,) = read_at(mapped, read_layers(mapped, ""), x, y).questions
        assert found.question_hash == points.names[int(away.argmin())]
        question = Question.objects.get(question_hash=found.question_hash)
        assert found.text == question.text[:240]
        assert found.source == question.source.name


# --- the address ------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "",
        "layer=hard&layer=selection&colour=verdict&chosen=a+b&order=ratio",
        "colour=length&source=x%26y&small=wrong&tokens=5-&area=0_0-500_0-500_500&sort=-tokens",
    ],
)
def test_an_address_comes_back(query):
    found = asked(query)
    assert found.query() == query
    assert asked(found.query()) == found


def test_an_area_is_no_filter_of_the_map_and_places_of_lists_are_dropped():
    found = asked("area=0_0-500_0-500_500&after=12&small=wrong")
    assert found.filter.area == ""
    assert found.area == "0_0-500_0-500_500"
    assert found.listing.query() == "small=wrong"
    assert found.layers == LAYERS


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("layer=sea", "layer='sea' is not known; allowed are pool, hard, selection"),
        ("colour=red", "colour='red' is not known; allowed are cluster, domain, source, length, verdict"),
        ("order=x", "order='x' is not known"),
        ("area=1_1", "area has 1 corners"),
        ("nonsense=1", "'nonsense' is no filter"),
    ],
)
def test_what_cannot_be_asked_for_is_one_line(query, says):
    with pytest.raises(ConfigError, match=re.escape(says)):
        asked(query)
