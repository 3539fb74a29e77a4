"""Two selections beside each other: against sets of hashes and the rows of either run."""

import csv
import io
from collections import Counter
from dataclasses import replace

import pytest

from curation.demo.pool import DemoPool
from curation.domains import domain_title
from curation.presets import PRESETS
from s1web.pool.models import Question
from s1web.selections.comparing import ADDED, CHANGES, KEPT, REMOVED, compare, length_label, read_changed, write_csv
from s1web.selections.models import CurationRun, Decision
from s1web.selections.services import curate
from tests.s1web.pools import load_rows


def hashes(run: CurationRun) -> list[str]:
    return list(run.selection.members.order_by("position").values_list("question__question_hash", flat=True))


def fates(run: CurationRun) -> dict[str, str]:
    decided = dict(Decision.objects.filter(run=run).values_list("question__question_hash", "rule"))
    return decided | dict.fromkeys(hashes(run), "selected")


def all_rows(comparison, change):
    rows, start = [], 0
    while start is not None:
        some, start = read_changed(comparison, change, start)
        rows += some
    return rows


def test_what_was_added_removed_and_kept_is_the_difference_of_sets(two_runs):
    a, b = two_runs
    comparison = compare(a, b)
    old, new = hashes(a), hashes(b)
    assert [row.question_hash for row in all_rows(comparison, ADDED)] == [name for name in new if name not in old]
    assert [row.question_hash for row in all_rows(comparison, REMOVED)] == [name for name in old if name not in new]
    assert [row.question_hash for row in all_rows(comparison, KEPT)] == [name for name in old if name in new]
    assert comparison.jaccard == pytest.approx(len(set(old) & set(new)) / len(set(old) | set(new)))
    assert comparison.count(ADDED) == comparison.count(REMOVED) > 0


def test_each_row_says_what_the_other_run_did_with_it(two_runs):
    a, b = two_runs
    comparison = compare(a, b)
    of_a, of_b = fates(a), fates(b)
    for change, others in ((ADDED, of_a), (REMOVED, of_b), (KEPT, of_b)):
        rows = all_rows(comparison, change)
        assert [row.other for row in rows] == [others[row.question_hash] for row in rows]
        assert dict(comparison.reasons(change)) == Counter(others[row.question_hash] for row in rows)
    assert "difficulty.solved" in dict(comparison.reasons(ADDED))


def test_places_count_from_one_in_either_selection(two_runs):
    a, b = two_runs
    old, new = hashes(a), hashes(b)
    comparison = compare(a, b)
    for row in all_rows(comparison, ADDED):
        assert (new[row.position - 1], row.other_position) == (row.question_hash, None)
    full = curate(PRESETS["full"]).run
    everything = hashes(full)
    for row in all_rows(compare(a, full), KEPT):
        assert old[row.position - 1] == row.question_hash == everything[row.other_position - 1]


def test_a_question_that_came_after_a_run_is_absent_in_it(demo_pool: DemoPool, tmp_path):
    bare = replace(PRESETS["random"], requires=(), size=10**6, name="everything")
    before = curate(bare).run
    load_rows(tmp_path, [{"question": "How many legs has a stool that is new?"}], "more")
    after = curate(bare).run
    comparison = compare(before, after)
    assert comparison.reasons(ADDED) == [("absent", 1)]
    assert comparison.count(REMOVED) == 0


def test_domains_sources_and_lengths_stand_side_by_side(two_runs):
    a, b = two_runs
    comparison = compare(a, b)
    for run, side in ((a, "a"), (b, "b")):
        questions = Question.objects.filter(question_hash__in=hashes(run)).select_related("source")
        domains = Counter(domain_title(question.domain) for question in questions)
        sources = Counter(question.source.name for question in questions)
        assert {p.label: getattr(p, side) for p in comparison.domains() if getattr(p, side)} == domains
        assert {p.label: getattr(p, side) for p in comparison.sources() if getattr(p, side)} == sources
        assert sum(getattr(p, side) for p in comparison.lengths()) == 30
    tokens = dict(Question.objects.values_list("question_hash", "trace__lengths__tokens"))
    rows = all_rows(comparison, ADDED)
    assert [row.trace_tokens for row in rows] == [tokens[row.question_hash] for row in rows]


def test_two_runs_of_the_same_selection_keep_everything(demo_pool: DemoPool):
    first, second = (curate(replace(PRESETS["paper"], size=30)).run for _ in range(2))
    comparison = compare(first, second)
    assert [comparison.count(change) for change in CHANGES] == [0, 0, 30]
    assert comparison.jaccard == 1


def test_the_csv_holds_every_question_of_either_once(two_runs):
    a, b = two_runs
    rows = list(csv.DictReader(io.StringIO(write_csv(compare(a, b)), newline="")))
    old, new, of_a, of_b = hashes(a), hashes(b), fates(a), fates(b)
    assert sorted(row["question_hash"] for row in rows) == sorted({*old, *new})
    for row in rows:
        name = row["question_hash"]
        expected = KEPT if name in old and name in new else ADDED if name in new else REMOVED
        assert row["change"] == expected
        assert (row["fate_a"], row["fate_b"]) == (of_a[name], of_b[name])
        assert row["position_a"] == (str(old.index(name) + 1) if name in old else "")
        assert row["position_b"] == (str(new.index(name) + 1) if name in new else "")


def test_no_cell_of_the_csv_is_a_formula(hostile_pool: None):
    bare = replace(PRESETS["random"], size=4, requires=())
    first, second = curate(bare).run, curate(replace(bare, seed=1)).run
    rows = list(csv.reader(io.StringIO(write_csv(compare(first, second)), newline="")))
    assert len(rows) > 4
    assert any("cmd|" in cell for row in rows for cell in row)
    assert not [cell for row in rows for cell in row if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]


def test_ranges_of_lengths_leave_no_gap():
    labels = [length_label(place) for place in range(3)]
    assert labels == ["0 to 255", "256 to 361", "362 to 511"]
    assert length_label(15) == "32,768 and more"
