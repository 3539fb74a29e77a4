"""The text index: finds what a plain look at the texts finds, on every database, whatever is typed."""

import random
import sqlite3
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import ConfigError
from s1web.jobs.kinds import find_kind
from s1web.pool.models import ImportFile, Question, SearchedQuestion, Trace
from s1web.pool.search import index, postgresql, sqlite
from s1web.pool.search.index import count_missing, find, index_texts
from s1web.pool.search.query import Term, parse_query
from s1web.pool.search.snippets import snippets
from s1web.pool.search.words import FIELDS, WORD
from s1web.pool.undo import undo_file
from s1web.progress import ignore
from tests.processes import Project
from tests.s1web.pools import load_rows, write_lines

_VOCABULARY = ["ring", "Ring", "rings", "prime", "naïve", "NAIVE", "x", "2", "1", "frac", "a", "b", "42", "Straße"]
_SIGNS = [" ", "\n", "^", "+", "{", "}", "\\", ", ", "-", "'", '"', "$$", "_", "*", ":", "(", ")", "=", "/"]


def bare(text: str) -> str:
    return "".join(unicodedata.normalize("NFD", letter)[0].lower() for letter in unicodedata.normalize("NFC", text))


def has_term(term: Term, fields: dict[str, str]) -> bool:
    """Whether the term's words stand one after the other in one of its fields."""
    wanted = [bare(word) for word in term.words]
    for field in term.fields:
        words = [bare(word) for word in WORD.findall(unicodedata.normalize("NFC", fields[field]))]
        for start in range(len(words) - len(wanted) + 1):
            found = words[start : start + len(wanted)]
            if found[:-1] == wanted[:-1] and (
                found[-1].startswith(wanted[-1]) if term.is_prefix else found[-1] == wanted[-1]
            ):
                return True
    return False


def expected(terms: Iterable[Term]) -> set[int]:
    terms = list(terms)
    pks = set()
    for question in Question.objects.select_related("trace"):
        trace = question.trace
        text = f"{trace.thinking}\n{trace.attempt}" if trace else ""
        fields = {"question": question.text, "solution": question.solution, "trace": text}
        if all(has_term(term, fields) != term.is_excluded for term in terms):
            pks.add(question.pk)
    return pks


def hits(text: str, fields: tuple[str, ...] = FIELDS) -> set[int]:
    pks, are_wanted = find(parse_query(text, fields))
    assert list(pks) == sorted(set(pks.tolist()))
    found = set(pks.tolist())
    return found if are_wanted else set(Question.objects.values_list("pk", flat=True)) - found


def random_text(rng: random.Random, most: int) -> str:
    return "".join(rng.choice(_VOCABULARY) + rng.choice(_SIGNS) for _ in range(rng.randrange(most)))


def load_texts(folder: Path, rng: random.Random, num_rows: int, name: str = "texts") -> None:
    rows: list[dict[str, Any]] = []
    for number in range(num_rows):
        row: dict[str, Any] = {"question": f"{random_text(rng, 6)} q{number}", "solution": random_text(rng, 5)}
        if rng.random() < 0.7:
            row |= {"thinking": random_text(rng, 30) or "so", "attempt": random_text(rng, 3)}
        rows.append(row)
    load_rows(folder, rows, name)


def random_query(rng: random.Random) -> str:
    items = []
    for _ in range(rng.choice([1, 1, 2, 3])):
        words = rng.choices(_VOCABULARY, k=rng.choice([1, 1, 2, 3]))
        text = rng.choice(["^", "{", "+", "\\"]).join(words)
        if rng.random() < 0.3:
            text = f'"{" ".join(words)}"'
        if rng.random() < 0.2 and len(words[-1]) > 1:
            text += "*"
        if rng.random() < 0.2:
            text = f"{rng.choice(FIELDS)}:{text}"
        items.append(f"-{text}" if rng.random() < 0.2 else text)
    return " ".join(items)


def test_random_searches_equal_a_plain_look_at_the_texts(either_project: Project, tmp_path: Path) -> None:
    rng = random.Random(3)
    load_texts(tmp_path, rng, 60)
    index_texts()
    num_found = 0
    for _ in range(150):
        query = random_query(rng)
        found = hits(query)
        assert found == expected(parse_query(query)), query
        num_found += 0 < len(found) < 60
    assert num_found > 50


def test_several_readers_find_the_same_each_question_once_and_in_order(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(5)
    load_texts(tmp_path, rng, 61)
    index_texts()
    parts: list[tuple[int, int]] = []

    def read(path: str | Path, match: str, first: int, end: int) -> str | None:
        parts.append((first, end))
        return read_one(path, match, first, end)

    read_one = sqlite._read
    monkeypatch.setattr(sqlite, "_read", read)
    monkeypatch.setattr(sqlite, "_SHARED_FROM", 10)
    monkeypatch.setattr(sqlite.os, "cpu_count", lambda: 3)
    for number in range(1, 60):
        query = random_query(rng)
        assert hits(query) == expected(parse_query(query)), query
        assert len(parts) == 3 * number
    first, last = min(parts)[0], max(parts)[1]
    assert set(range(first, last)) >= set(Question.objects.values_list("pk", flat=True))
    # what a transaction has written is seen by itself alone
    with transaction.atomic():
        load_rows(tmp_path, [{"question": "A word nobody else wrote: zyzzyva"}], "more")
        index_texts()
        assert len(hits("zyzzyva")) == 1
        transaction.set_rollback(True)
    assert hits("zyzzyva") == set()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (r"\frac{a}{b}", {"fraction"}),
        ("x^2+1", {"square"}),
        ("x^2 + 1", {"square"}),
        ("2 x 1", {"square", "apart"}),
        ("SQUARE", {"square"}),
        ('"root of"', {"square"}),
        ('"of root"', set()),
        ("roo*", {"square", "apart"}),
        ('"the roo"*', {"square"}),
        ("root -the", {"apart"}),
        ("-root", {"fraction", "naive"}),
        ("naïve", {"naive"}),
        ("NAIVE", {"naive"}),
        ("solution:half", {"fraction"}),
        ("solution: half", {"fraction"}),
        ("question:half", set()),
        ("trace:halving", {"fraction"}),
        ("half halving", {"fraction"}),
        ('-"x 2"', {"apart", "fraction", "naive"}),
        ("-1", {"square", "apart"}),
        ('unbalanced "root of', set()),
        ('"root of', {"square"}),
        ("root OR fraction", set()),
        ("root NEAR the", set()),
    ],
)
def test_what_is_typed_means_what_the_guide_says(db: None, tmp_path: Path, query: str, found: set[str]) -> None:
    texts = {
        "fraction": {"question": r"Add $\frac{a}{b}$", "solution": "half", "thinking": "halving", "attempt": "h"},
        "square": {"question": "The root of the square x^2+1"},
        "apart": {"question": "Root: 1 and 2 x"},
        "naive": {"question": "A naïve set"},
    }
    load_rows(tmp_path, list(texts.values()))
    index_texts()
    names = {Question.objects.get(text=row["question"]).pk: name for name, row in texts.items()}
    assert {names[pk] for pk in hits(query)} == found


def test_the_fields_to_look_in_may_be_given_for_all_terms(db: None, tmp_path: Path) -> None:
    load_rows(tmp_path, [{"question": "ring", "solution": "field"}, {"question": "field", "solution": "ring"}])
    index_texts()
    assert (len(hits("ring")), len(hits("ring", ("solution",))), len(hits("question:ring", ("solution",)))) == (
        2,
        1,
        1,
    )


_TRAPS = ["NOT", "a AND", "NEAR(a b, 2)", "question:", "-", "--", "-question:-a", "* *", "''", "%s", "{a", '"ab" *']
_HOSTILE = st.sampled_from(_TRAPS) | st.text(
    st.sampled_from("\"*^:(){}[]+-\\/&|!<>'%_;,.~\0 \n\u202eäß²x1") | st.characters(), max_size=80
)


def test_nothing_that_is_typed_is_a_database_error(either_project: Project, tmp_path: Path) -> None:
    load_texts(tmp_path, random.Random(1), 20)
    index_texts()

    @settings(max_examples=400, deadline=None)
    @given(_HOSTILE)
    def check(query: str) -> None:
        try:
            terms = parse_query(query)
        except ConfigError:
            return
        if terms:
            pks, _ = find(terms)
            snippets(pks.tolist(), terms)

    check()


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("a" * 2**20, "the search has 1,048,576 characters; at most 1,000 are allowed"),
        (" ".join(f"w{n}" for n in range(70)), "the search has 70 terms; at most 64"),
        ('"' + "w " * 70 + '"', "a phrase of the search has 70 words; at most 64"),
        ("∑ + ∫", "has no letter or digit"),
        ("a*", r"a\* begins too many words; give at least 2 letters"),
    ],
)
def test_a_search_that_cannot_be_made_is_one_line(query: str, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        parse_query(query)


def test_the_largest_search_that_is_allowed_is_answered(either_project: Project, tmp_path: Path) -> None:
    load_rows(tmp_path, [{"question": " ".join(f"w{n}" for n in range(64))}])
    index_texts()
    words = [f"w{n}" for n in range(64)]
    assert len(hits(" ".join(words))) == 1
    assert len(hits('"' + " ".join(words) + '"')) == 1
    assert len(hits("w1 " + " ".join(f"-z{n}" for n in range(63)))) == 1


def test_a_second_run_indexes_nothing_and_new_rows_alone_come_later(db: None, tmp_path: Path) -> None:
    load_texts(tmp_path, random.Random(1), 12)
    first = index_texts()
    assert (first.done, first.skipped, count_missing()) == (12, 0, 0)
    assert (index_texts().done, index_texts().skipped) == (0, 12)
    load_rows(tmp_path, [{"question": "late ring"}], "late")
    assert count_missing() == 1
    assert index_texts().done == 1
    assert len(hits("late")) == 1


@pytest.mark.parametrize("limit", [1, 5, 7, 30, 31])
def test_limited_runs_add_up(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    load_texts(tmp_path, random.Random(1), 30)
    monkeypatch.setattr(index, "BATCH_QUESTIONS", 4)
    told: list[tuple[int, int]] = []
    result = index_texts(limit, lambda done, total, **spent: told.append((done, total)))
    assert (result.done, told[0], told[-1]) == (min(limit, 30), (0, min(limit, 30)), (min(limit, 30), min(limit, 30)))
    assert index_texts().done == 30 - result.done
    assert hits("ring") == expected(parse_query("ring"))


def test_a_question_that_gets_another_trace_is_indexed_anew(either_project: Project, tmp_path: Path) -> None:
    load_rows(tmp_path, [{"question": "Q?", "attempt": "seven"}], "first")
    index_texts()
    assert (len(hits("seven")), len(hits("pondering"))) == (1, 0)
    # one with thinking takes the place of one without
    load_rows(tmp_path, [{"question": "Q?", "thinking": "pondering", "attempt": "eight"}], "second")
    assert (count_missing(), len(hits("seven"))) == (1, 1)
    index_texts()
    assert (len(hits("seven")), len(hits("pondering")), len(hits("eight"))) == (0, 1, 1)


def test_what_is_taken_back_is_found_no_more(either_project: Project, tmp_path: Path) -> None:
    load_rows(tmp_path, [{"question": "kept ring", "attempt": "seven"}], "first")
    rows = [{"question": "kept ring", "thinking": "pondering", "attempt": "eight"}, {"question": "gone ring"}]
    load_rows(tmp_path, rows, "second")
    index_texts()
    assert (len(hits("ring")), len(hits("pondering"))) == (2, 1)
    undo_file(ImportFile.objects.get(name__endswith="second.jsonl"))
    assert (len(hits("gone")), len(hits("pondering")), SearchedQuestion.objects.count()) == (0, 0, 0)
    index_texts()
    assert (len(hits("ring")), len(hits("seven"))) == (1, 1)
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO pool_search(pool_search, rank) VALUES ('integrity-check', 0)")


def test_a_killed_run_goes_on_where_it_was(make_project: Any, tmp_path: Path) -> None:
    rows = [{"question": f"ring number{n}", "thinking": "so", "attempt": "7"} for n in range(50)]
    project: Project = make_project("sqlite")
    project.json("load_pool", write_lines(tmp_path / "rows.jsonl", rows))
    # dies by SIGKILL inside the third batch's transaction, after its texts went into the index
    script = """
import os, signal, django
django.setup()
from s1web.pool.search import index
index.BATCH_QUESTIONS = 10
calls = []
original = index.bulk.insert
def insert(*arguments):
    calls.append(arguments)
    original(*arguments)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
index.bulk.insert = insert
index.index_texts()
"""
    assert project.python("-c", script).returncode == -9
    result = project.json("annotate", "search")
    assert (result["done"], result["skipped"]) == (30, 20)
    with sqlite3.connect(project.sqlite_path) as database:
        assert database.execute("SELECT COUNT(*) FROM pool_search WHERE pool_search MATCH 'ring'").fetchone() == (50,)


def test_phrases_are_found_in_traces_longer_than_a_tsvector_holds(either_project: Project, tmp_path: Path) -> None:
    words = [f"w{n % 5_000}" for n in range(40_000)]
    words[39_000:39_002] = ["needle", "thread"]
    same = "same " * 2_000 + "end"
    rows = [
        {"question": "Long?", "thinking": " ".join(words), "attempt": "7"},
        {"question": "Same?", "thinking": same, "attempt": "7"},
        {"question": "Wide?", "thinking": " ".join(f"{n:x}" + "y" * 300 for n in range(9_000)), "attempt": "7"},
    ]
    load_rows(tmp_path, rows)
    index_texts()
    assert len(hits('"needle thread"')) == 1
    assert len(hits('"thread needle"')) == 0
    assert len(hits('"same same same end"')) == 1
    assert len(hits("end same needle")) == 0
    assert all(len(hits(f'"w{start} w{start + 1} w{start + 2}"')) == 1 for start in range(0, 4_900, 97))


@given(st.lists(st.booleans(), min_size=200, max_size=900), st.integers(0, 900), st.integers(1, 64))
@settings(max_examples=100, deadline=None)
def test_every_phrase_lies_whole_in_one_piece(are_same: list[bool], start: int, size: int) -> None:
    found = ["same" if is_same else f"w{place}" for place, is_same in enumerate(are_same * 3)]
    pieces = [piece.split() for piece in postgresql._pieces(found)]
    for first in (start, *range(0, len(found), 64)):
        phrase = found[first : first + size]
        assert any(piece[place : place + len(phrase)] == phrase for piece in pieces for place in range(len(piece)))
    assert all(piece.count("same") <= 255 for piece in pieces)


def test_snippets_mark_the_hits_of_the_first_field_that_has_one(db: None, tmp_path: Path) -> None:
    rows = [
        {"question": f"{'far ' * 100}a naïve ring, then NAIVE\nrings {'away ' * 100}"},
        {"question": "other", "solution": "no", "thinking": f"{'so ' * 500}ring at last", "attempt": "7"},
    ]
    load_rows(tmp_path, rows)
    index_texts()
    pks = sorted(hits("ring"))
    first, second = snippets(pks, parse_query("naive ring*")).values()
    assert [part for part, is_hit in first.parts if is_hit] == ["naïve", "ring", "NAIVE", "rings"]
    assert "".join(part for part, _ in first.parts) in rows[0]["question"]
    assert (first.field, first.is_cut_before, first.is_cut_after) == ("question", True, True)
    assert [part for part, is_hit in second.parts if is_hit] == ["ring"]
    assert (second.field, second.is_cut_before, second.is_cut_after) == ("trace", True, False)
    assert len("".join(part for part, _ in first.parts)) < 300


def test_a_word_within_a_word_is_no_hit_of_a_snippet(db: None, tmp_path: Path) -> None:
    load_rows(tmp_path, [{"question": "strings, bring; ring_s and ring"}])
    index_texts()
    (found,) = snippets(sorted(hits("ring")), parse_query("ring")).values()
    assert found.parts == (
        ("strings, bring; ", False),
        ("ring", True),
        ("_s and ", False),
        ("ring", True),
    )


def test_importing_fills_no_index(db: None, tmp_path: Path) -> None:
    load_texts(tmp_path, random.Random(1), 10)
    assert (Trace.objects.exists(), count_missing(), len(hits("ring"))) == (True, 10, 0)


def test_the_plan_says_how_many_and_the_job_does_the_same_as_the_command(db: None, tmp_path: Path) -> None:
    kind = find_kind("annotate_search")
    load_texts(tmp_path, random.Random(1), 10)
    assert (kind.load_plan()({"limit": 4}).total, kind.load_plan()({}).total, count_missing()) == (4, 10, 10)
    result = kind.load_work()({"limit": 4}, ignore)
    assert {"done": 4, "skipped": 0, "failed": 0, "requests": 0, "tokens": 0}.items() <= result.items()
    # a job that goes on after a loss has used up a part of its limit
    assert kind.load_work()({"limit": 6, "already": 4}, ignore)["done"] == 2
    with pytest.raises(ConfigError, match="--limit 0 leaves nothing to do"):
        kind.load_plan()({"limit": 0})
    kind.load_work()({}, ignore)
    assert kind.load_plan()({}).notes == ("every question is searchable already: there is nothing to do",)


def test_a_fill_leaves_the_index_in_one_piece(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def num_pieces() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(DISTINCT segid) FROM pool_search_idx")
            row = cursor.fetchone()
        return int(row[0])

    monkeypatch.setattr(index, "BATCH_QUESTIONS", 10)
    load_rows(tmp_path, [{"question": f"What is {number} and prime{number % 7}?"} for number in range(100)])
    monkeypatch.setattr(index, "_MERGED_FROM_SHARE", 2)
    index_texts(limit=50)
    assert num_pieces() > 1
    before = find(parse_query("prime3"))[0].tolist()
    monkeypatch.setattr(index, "_MERGED_FROM_SHARE", 0.5)
    index_texts(limit=50)
    assert num_pieces() == 1
    after = find(parse_query("prime3"))[0].tolist()
    assert set(before) < set(after)
    texts = dict(Question.objects.values_list("pk", "text"))
    assert after == sorted(pk for pk, text in texts.items() if "prime3" in text)
    # a few more stay where they are
    load_rows(tmp_path, [{"question": "One more prime3?"}], "more")
    index_texts()
    assert num_pieces() == 2
    assert len(find(parse_query("prime3"))[0]) == len(after) + 1
