"""The page of a question as the server answers it: what is on it, who may decide, what it costs."""

import re
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from s1web.pool.contamination import overrule
from s1web.pool.models import Attempt, Contamination, Grade, Question, Trace
from s1web.questions.queries import ATTEMPT_CHARACTERS
from s1web.questions.showing import SHOWN_CHARACTERS
from tests.s1web.jobs.conftest import SignedIn
from tests.s1web.pools import find, load_rows
from tests.s1web.questions.conftest import full_row


def page_of(client: Client, question: Question, query: str = "") -> str:
    answer = client.get(f"{reverse('questions:detail', args=[question.question_hash])}{query}")
    assert answer.status_code == 200
    return str(answer.content, "utf-8")


def words_of(page: str) -> str:
    """The text of a page in one line, without its markup."""
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def test_the_page_shows_everything_that_is_known_of_a_question(signed_in: SignedIn, question: Question):
    words = words_of(page_of(signed_in(), question))
    for expected in (
        "7B model wrong",
        "32B model not graded",
        "Trace right",
        "4,321 tokens by gemini_length",
        "Answer 1/2",
        "11 Number theory",
        "AI-MO/NuminaMath-CoT/olympiads",
        "(cot_type) math",
        "rows.jsonl line 1: question, small grade, domain, trace",
        "The answer is $\\frac{1}{2}$.",
        "formatting.bold_digits",
        "16 words shared",
        "Qwen2.5-7B-Instruct wrong",
        "judged by judge-9 , prompt grade-1",
        "Eight is not seven. No",
        "No recipe was run yet.",
    ):
        assert expected in words, expected


def test_a_question_with_nothing_says_of_each_part_what_is_missing(signed_in: SignedIn, db: None, tmp_path: Path):
    load_rows(tmp_path, [{"question": "Bare?"}])
    words = words_of(page_of(signed_in(), find("Bare?")))
    for expected in (
        "7B model not graded",
        "Trace none",
        "Answer none",
        "Domain none",
        "Contamination no evidence",
        "Solution The pool has none.",
        "The pool has none for this question.",
        "The pool has no attempt's text.",
    ):
        assert expected in words, expected


def test_the_beginning_of_a_hash_leads_to_the_question(signed_in: SignedIn, question: Question):
    answer = signed_in().get(f"/questions/{question.question_hash[:6].upper()}/?small=wrong")
    assert answer.status_code == 302
    assert answer["Location"] == f"/questions/{question.question_hash}/?small=wrong"


@pytest.mark.parametrize("path", ["0000", "ffffffffffffffff", "xyz0", "ffffffffffffffffff"])
def test_a_hash_that_no_question_has_is_not_found(signed_in: SignedIn, question: Question, path):
    assert signed_in().get(f"/questions/{path}/").status_code == 404


def test_nobody_reads_a_question_without_signing_in(question: Question):
    answer = Client().get(reverse("questions:detail", args=[question.question_hash]))
    assert answer["Location"].startswith("/sign-in/")


# --- the list one came from ------------------------------------------------------------------------------


@pytest.fixture
def list_of_five(db: None, tmp_path: Path) -> list[Question]:
    rows = [full_row(f"Number {n}?", isqwen7bcorrect=n % 2 == 0) for n in range(5)]
    load_rows(tmp_path, rows)
    return [find(f"Number {n}?") for n in range(5)]


def test_next_and_previous_are_those_of_the_list_that_the_address_describes(
    signed_in: SignedIn, list_of_five: list[Question]
):
    page = page_of(signed_in(), list_of_five[2], "?small=right&after=anything")
    assert "2 of 3" in words_of(page)
    assert f'href="/questions/{list_of_five[0].question_hash}/?small=right" rel="prev"' in page
    assert f'href="/questions/{list_of_five[4].question_hash}/?small=right" rel="next"' in page


def test_the_last_of_a_list_has_no_next(signed_in: SignedIn, list_of_five: list[Question]):
    page = page_of(signed_in(), list_of_five[4])
    assert "5 of 5" in words_of(page)
    assert 'rel="next"' not in page


def test_a_question_outside_the_list_and_an_address_that_makes_no_sense_are_said(
    signed_in: SignedIn, list_of_five: list[Question]
):
    client = signed_in()
    assert "is not in the list of 3" in words_of(page_of(client, list_of_five[1], "?small=right"))
    assert "is no filter" in words_of(page_of(client, list_of_five[1], "?nonsense=<script>"))
    assert "<script>" not in page_of(client, list_of_five[1], "?small=<script>").split("<body")[1]


# --- traces ------------------------------------------------------------------------------------------------


def trace_of(question: Question) -> str:
    return reverse("questions:trace", args=[question.question_hash, question.trace_id])


def test_a_trace_comes_as_a_fragment_to_the_script_and_as_a_page_to_a_reader(signed_in: SignedIn, question: Question):
    client = signed_in()
    fragment = client.get(trace_of(question), headers={"HX-Request": "true"})
    page = client.get(trace_of(question))
    assert "<html" not in str(fragment.content)
    assert "<html" in str(page.content)
    assert "HX-Request" in page["Vary"]
    for answer in (fragment, page):
        text = str(answer.content, "utf-8")
        assert text.count('class="para"') == 4
        assert words_of(text).index("Wait, that is not it.") < words_of(text).index("So the answer is $7$.")
        assert f'id="t{question.trace_id}p3"' in text
        assert f'id="t{question.trace_id}a1"' in text


def test_a_very_long_trace_comes_in_parts(signed_in: SignedIn, question: Question):
    thinking = "\n\n".join(f"Line {n}: {'x ' * 150}" for n in range(3_000))
    Trace.objects.filter(pk=question.trace_id).update(thinking=thinking)
    client = signed_in()
    seen: list[str] = []
    for part in range(1, 4):
        answer = str(client.get(trace_of(question), {"part": part}, headers={"HX-Request": "true"}).content, "utf-8")
        assert len(answer) < 1_000_000
        seen += re.findall(r"Line (\d+):(?=[^<]*</div>)", answer)
        assert (f"Part {part + 1} of 3" in answer) == (part < 3)
        assert ("So the answer is $7$." in answer) == (part == 3)
    assert seen == [str(n) for n in range(3_000)]


@pytest.mark.parametrize("part", ["0", "99", "-1", "x", "9" * 30, "²"])
def test_a_part_that_is_none_is_answered_by_one_that_is(signed_in: SignedIn, question: Question, part):
    assert signed_in().get(trace_of(question), {"part": part}).status_code == 200


def test_a_trace_of_another_question_is_not_found(signed_in: SignedIn, question: Question, tmp_path: Path):
    load_rows(tmp_path, [full_row("Another?")], "another")
    other = find("Another?")
    address = reverse("questions:trace", args=[question.question_hash, other.trace_id])
    assert signed_in().get(address).status_code == 404


# --- whole texts -------------------------------------------------------------------------------------------


def test_a_long_text_is_cut_on_the_page_and_whole_behind_a_link(signed_in: SignedIn, db: None, tmp_path: Path):
    text = "<b>" + "y" * 2**20
    load_rows(tmp_path, [full_row(text, solution=text, qwen7b_attempt=text)])
    client = signed_in()
    question = find(text)
    page = page_of(client, question)
    assert len(page) < 150_000
    assert f"These are the first {SHOWN_CHARACTERS:,} of 1,048,579 characters" in words_of(page)
    attempt = Attempt.objects.get()
    links = [("question", None), ("solution", None), ("attempt", attempt.pk)]
    for name, pk in links:
        kind = "text" if pk is None else "text-of"
        address = reverse(f"questions:{kind}", args=[question.question_hash, name, *([pk] if pk else [])])
        assert f'href="{address}"' in page
        answer = client.get(address)
        assert str(answer.content, "utf-8") == text
        assert answer["Content-Type"] == "text/plain; charset=utf-8"
        assert answer["X-Content-Type-Options"] == "nosniff"
    assert page.count("y" * 97) >= (2 * SHOWN_CHARACTERS + ATTEMPT_CHARACTERS) // 100


@pytest.mark.parametrize("name", ["nothing", "pk", "source", "thinking"])
def test_a_text_that_a_question_does_not_have_is_not_found(signed_in: SignedIn, question: Question, name):
    assert signed_in().get(reverse("questions:text", args=[question.question_hash, name])).status_code == 404


def test_the_words_of_a_judge_and_the_thinking_can_be_had_whole(signed_in: SignedIn, question: Question):
    client = signed_in()
    for name, pk, expected in (
        ("reply", Grade.objects.get().pk, "Eight is not seven.\nNo"),
        ("thinking", question.trace_id, "First we look at"),
        ("attempt-of-trace", question.trace_id, "So the answer is $7$."),
    ):
        answer = client.get(reverse("questions:text-of", args=[question.question_hash, name, pk]))
        assert str(answer.content, "utf-8").startswith(expected)


# --- deciding ------------------------------------------------------------------------------------------------


def pieces(question: Question) -> list[Contamination]:
    return list(Contamination.objects.filter(question=question).order_by("pk"))


def test_a_reviewer_overrules_chosen_evidence_with_a_reason(signed_in: SignedIn, question: Question):
    client = signed_in("reviewer")
    first, second = pieces(question)
    address = reverse("questions:overrule", args=[question.question_hash])
    answer = client.post(
        address, {"evidence": [first.pk], "reason": "a song <b>", "list": "small=wrong"}, follow=True
    )
    assert answer.redirect_chain == [(f"/questions/{question.question_hash}/?small=wrong#contamination", 302)]
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.decision, first.decided_by, second.decision) == ("overruled", "reviewer", "")
    words = words_of(str(answer.content, "utf-8"))
    assert "1 piece of evidence overruled." in words
    assert "1 standing of 2 pieces of evidence" in words
    assert "by reviewer , now : a song &lt;b&gt;" in words


def test_what_was_overruled_is_made_to_count_again(signed_in: SignedIn, question: Question):
    overrule(question.question_hash, reason="a song", decided_by="ada")
    client = signed_in("reviewer")
    first, _ = pieces(question)
    address = reverse("questions:reinstate", args=[question.question_hash])
    answer = client.post(address, {"evidence": [first.pk]}, follow=True)
    first.refresh_from_db()
    assert first.decision == ""
    assert Question.objects.get().contaminated
    assert "Counts again, by reviewer" in words_of(str(answer.content, "utf-8"))
    # twice: nothing is left to do, and that is said
    again = client.post(address, {"evidence": [first.pk]}, follow=True)
    assert "decided on or has gone meanwhile" in words_of(str(again.content, "utf-8"))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"reason": "  "}, "Overruling needs a reason"),
        ({"reason": "x" * 2_001}, "at most 2000 characters"),
        ({"reason": "kept words", "evidence": []}, "Choose the evidence that you overrule."),
        ({"reason": "kept words", "evidence": [999_999]}, "decided on or has gone meanwhile"),
        ({"reason": "kept words", "evidence": ["x"]}, "decided on or has gone meanwhile"),
    ],
)
def test_a_form_that_cannot_be_used_comes_back_with_what_was_typed(
    signed_in: SignedIn, question: Question, data, error
):
    client = signed_in("reviewer")
    form = {"evidence": [piece.pk for piece in pieces(question)], "list": "small=wrong"} | data
    answer = client.post(reverse("questions:overrule", args=[question.question_hash]), form)
    assert answer.status_code == 200
    page = str(answer.content, "utf-8")
    assert error in words_of(page)
    assert data["reason"].strip() in page
    assert 'name="list" value="small=wrong"' in page
    assert all(piece.decision == "" for piece in pieces(question))


@pytest.mark.parametrize("name", ["overrule", "reinstate"])
def test_a_viewer_may_read_but_not_decide(signed_in: SignedIn, question: Question, name):
    client = signed_in("viewer")
    answer = client.post(reverse(f"questions:{name}", args=[question.question_hash]), {"reason": "x"})
    assert answer.status_code == 403
    assert "needs the role reviewer" in str(answer.content)
    page = page_of(client, question)
    assert "<textarea" not in page
    assert "A reviewer can overrule evidence." in page


@pytest.mark.parametrize("name", ["overrule", "reinstate"])
def test_decisions_are_sent_and_never_followed(signed_in: SignedIn, question: Question, name):
    assert signed_in("admin").get(reverse(f"questions:{name}", args=[question.question_hash])).status_code == 405


# --- cost ------------------------------------------------------------------------------------------------------


def test_the_number_of_queries_is_the_same_for_a_question_with_one_and_with_many_of_everything(
    signed_in: SignedIn, question: Question
):
    client = signed_in("reviewer")
    page_of(client, question)
    with CaptureQueriesContext(connection) as few:
        page_of(client, question)
    traces = [
        Trace.objects.create(question=question, digest=n, thinking="x", generator=f"m{n}", grade=True)
        for n in range(60)
    ]
    attempts = [Attempt.objects.create(question=question, model=f"m{n}", text="x") for n in range(60)]
    for trace, attempt in zip(traces, attempts, strict=True):
        trace.lengths.create(tokenizer_id=trace.question.trace.lengths.get().tokenizer_id, tokens=7)
        Grade.objects.create(question=question, trace=trace, value=True, judge="j")
        Grade.objects.create(question=question, attempt=attempt, value=None, judge="j")
    overrule(question.question_hash, reason="a song", decided_by="ada")
    page_of(client, question)
    with CaptureQueriesContext(connection) as many:
        page = page_of(client, question)
    assert len(many) == len(few) <= 18
    assert page.count("data-trace") == 50
    assert "There are more; these are the first 50." in words_of(page)


def test_the_own_trace_comes_first(signed_in: SignedIn, question: Question):
    late = Trace.objects.create(question=question, digest=1, thinking="late", generator="late")
    Question.objects.update(trace=late)
    page = page_of(signed_in(), question)
    assert page.index(f'id="t{late.pk}"') < page.index(f'id="t{question.trace_id}"')
    assert page.count("the question&#x27;s own") + page.count("the question's own") == 1


def test_without_vectors_the_neighbours_say_which_command_makes_them(signed_in: SignedIn, question: Question):
    answer = signed_in().get(reverse("questions:near", args=[question.question_hash]))
    assert "run: python manage.py annotate embeddings." in words_of(str(answer.content, "utf-8"))
