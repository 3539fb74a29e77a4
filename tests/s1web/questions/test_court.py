"""The court and the history: exactly what is shared is lit, and every run says what it did."""

from dataclasses import replace
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from curation.presets import find_preset
from curation.text import words
from s1web.pool.contamination import overrule, reinstate
from s1web.pool.models import Contamination, Question
from s1web.questions.court import lit_text, read_court
from s1web.questions.history import MAX_RUNS, read_history
from s1web.selections.explain import explain
from s1web.selections.models import CurationRun
from s1web.selections.services import curate
from tests.s1web.pools import find, load_rows
from tests.s1web.questions.conftest import CLERKS, FERRY, full_row
from tests.s1web.questions.test_showing import plain


def lit(markup: str) -> str:
    return plain(str(markup).split("<mark>")[1].split("</mark>")[0])


def test_the_shared_words_are_lit_in_both_texts_as_they_stand_there(question: Question):
    pieces = {piece.evidence.problem.key: piece for piece in read_court(question).pieces}
    # the full stop belongs to the last word of the question's, so that word is not shared
    assert lit(pieces["p0"].question) == FERRY.upper().removesuffix(" SAILING")
    assert lit(pieces["p0"].problem) == FERRY.removesuffix(" sailing")
    assert lit(pieces["p1"].question) == lit(pieces["p1"].problem) == CLERKS
    for piece in pieces.values():
        assert words(lit(piece.question)) == words(lit(piece.problem))
        assert len(words(lit(piece.question))) == piece.evidence.num_words


def test_words_that_a_text_no_longer_has_are_not_lit():
    assert "<mark>" not in lit_text("only four words here", 2, 8)


def test_of_a_long_text_the_part_around_the_shared_words_is_shown():
    text = " ".join(f"w{number}" for number in range(100_000))
    shown = lit_text(text, 50_000, 8)
    assert lit(shown) == " ".join(f"w{number}" for number in range(50_000, 50_008))
    assert len(shown) < 3_500


def test_the_longest_evidence_comes_first_with_its_history_newest_first(question: Question):
    first = Contamination.objects.get(problem__key="p0")
    overrule(question.question_hash, reason="a song", decided_by="ada", evidence=[first.pk])
    reinstate(question.question_hash, decided_by="ada", evidence=[first.pk])
    overrule(question.question_hash, reason="a poem", decided_by="bob", evidence=[first.pk])
    court = read_court(question)
    assert [piece.evidence.num_words for piece in court.pieces] == [len(FERRY.split()) - 1, len(CLERKS.split())]
    assert (court.num_pieces, court.num_standing) == (2, 1)
    (piece,) = [piece for piece in court.pieces if piece.is_overruled]
    assert [ruling.reason for ruling in piece.rulings] == ["a poem", "", "a song"]


@pytest.mark.usefixtures("demo_pool")
def test_history_says_of_every_question_what_explain_says(tmp_path: Path):
    recipes = [replace(find_preset("paper"), size=40), replace(find_preset("random"), size=30, seed=3)]
    runs = [curate(recipe).run for recipe in recipes]
    load_rows(tmp_path, [full_row("Loaded later?")], "later")
    outcomes = set()
    for question in [*Question.objects.order_by("pk")[::6], find("Loaded later?")]:
        fates, has_older = read_history(question)
        assert [fate.run.pk for fate in fates] == [run.pk for run in reversed(runs)]
        assert not has_older
        for fate in fates:
            told = explain(question, fate.run)
            number = None if told["position"] is None else told["position"] + 1
            assert (fate.outcome, fate.stage or None, fate.rule or None, fate.number) == (
                told["outcome"],
                told["stage"],
                told["rule"],
                number,
            )
            outcomes.add(fate.rule or fate.outcome)
    assert {"selected", "absent", "difficulty.solved", "selection.not_drawn"} <= outcomes


def test_history_of_many_runs_costs_as_many_queries_as_that_of_one(question: Question, tmp_path: Path):
    load_rows(tmp_path, [full_row("Harmless?")], "harmless")
    curate(replace(find_preset("random"), size=1, requires=()))
    with CaptureQueriesContext(connection) as few:
        read_history(question)
    run = CurationRun.objects.get()
    for _ in range(MAX_RUNS + 5):
        run.pk = None
        run.save()
    with CaptureQueriesContext(connection) as many:
        fates, has_older = read_history(question)
    assert len(many) == len(few) == 3
    assert len(fates) == MAX_RUNS
    assert has_older
    assert fates[0].run.pk > fates[-1].run.pk


def test_the_evidence_of_a_drop_is_one_line_that_holds_what_was_hit(question: Question, tmp_path: Path):
    load_rows(tmp_path, [full_row("Harmless?")], "harmless")
    run = curate(replace(find_preset("random"), size=1, requires=())).run
    ((fate,), _) = read_history(question)
    assert (fate.run, fate.rule) == (run, "decontamination.ngram")
    assert fate.evidence.startswith("benchmark evaluation, problem p0, num words 17, “A FERRY LEAVES")
    overrule(question.question_hash, reason="a song", decided_by="ada")
    curate(replace(find_preset("random"), size=1, requires=(), seed=1))
    (newest, _), _ = read_history(question)
    assert (newest.rule, newest.evidence) == ("formatting.bold_digits", "“**b7**”")
