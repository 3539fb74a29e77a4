"""The pool page as the server answers it: rows, filters, what can be done with them, and by whom."""

import csv
import io
import json
import re
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from s1web.browse import deciding
from s1web.browse.columns import QUALITY_RULES
from s1web.browse.filters import DEFAULT_SHOWN, SHOWN, Listing
from s1web.browse.models import SavedView
from s1web.browse.queries import matching_pks, read_counts, read_page
from s1web.pool.models import Question
from s1web.pool.search.index import index_texts
from s1web.review import services
from s1web.review.models import ReviewChange, ReviewState
from s1web.roles import set_role
from tests.s1web.browse.conftest import listing
from tests.s1web.jobs.conftest import SignedIn, make_user, signed_in
from tests.s1web.pools import load_rows

__all__ = ["make_user", "signed_in"]

HOSTILE = "<script>alert(1)</script>\u202e" + "y" * 400
POOL = "/pool/"


def page_of(client: Client, query: str = "") -> str:
    answer = client.get(f"{POOL}?{query}")
    assert answer.status_code == 200, answer.content.decode()[-2_000:]
    return answer.content.decode()


def hashes_of(page: str) -> list[str]:
    return re.findall(r'href="/questions/([0-9a-f]{16})/[^"]*" data-row', page)


def words_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


# --- what is listed ---


@pytest.mark.parametrize(
    "query", ["", "small=wrong", "sort=-tokens", "domain=&sort=source", "review=drop&review=none", "tokens=100-9000"]
)
def test_the_page_lists_what_the_engine_lists(pool: None, signed_in: SignedIn, query: str) -> None:
    page = page_of(signed_in(), query)
    expected = read_page(listing(query))
    assert hashes_of(page) == [row.question_hash for row in expected.rows]
    assert f"{expected.total:,} of {expected.num_questions:,} questions" in words_of(page)


def test_following_next_shows_every_question_once(pool: None, signed_in: SignedIn) -> None:
    client, address, seen = signed_in(), "?sort=-tokens", []
    while address:
        page = client.get(POOL + address).content.decode()
        seen += hashes_of(page)
        found = re.search(r'href="(\?[^"]*)" rel="next"', page)
        address = found[1].replace("&amp;", "&") if found else ""
    assert len(seen) == len(set(seen)) == Question.objects.count()


def test_each_value_of_a_facet_shows_how_many_it_would_leave(pool: None, signed_in: SignedIn) -> None:
    client = signed_in()
    page = page_of(client, "small=wrong")
    counts = read_counts(listing("small=wrong").filter)
    boxes = {
        f"{name}={value}": int(count.replace(",", ""))
        for name, value, count in re.findall(
            r'<input type="checkbox" name="(\w+)" value="([^"]*)"[^>]*><bdi>[^<]*</bdi><span>([\d,]+)</span>', page
        )
    }
    for facet in counts.facets:
        for value in facet.values:
            key = f"{facet.name}={value.value}"
            assert boxes.get(key, 0) == value.count or len([v for v in facet.values if v.count]) < 2, key
    # a box leads to as many rows as it said
    assert boxes["large=right"]
    assert f"{boxes['large=right']:,} of" in words_of(page_of(client, "small=wrong&large=right"))


def test_chips_say_what_is_filtered_and_take_it_back(pool: None, signed_in: SignedIn) -> None:
    client = signed_in()
    page = page_of(client, "small=wrong&tokens=100-9000&selection=first&sort=position")
    chips = re.findall(r'<a class="chip" href="([^"]*)">(.*?)</a>', page)
    assert [" ".join(words_of(text).split()[:-3]) for _, text in chips] == [
        "7B verdict wrong",
        "Tokens 100-9000",
        "In first",
    ]
    # an order that goes with a condition goes when it does
    assert [href.replace("&amp;", "&") for href, _ in chips] == [
        "?tokens=100-9000&selection=first&sort=position",
        "?small=wrong&selection=first&sort=position",
        "?small=wrong&tokens=100-9000",
    ]


def test_what_a_filter_hides_is_said(pool: None, signed_in: SignedIn) -> None:
    (item,) = read_page(listing("small=wrong")).hidden
    assert f"{item.count} without a grade of the small model are not shown" in words_of(
        page_of(signed_in(), "small=wrong")
    )


@pytest.mark.parametrize("name", SHOWN)
def test_every_column_can_be_shown_alone(pool: None, signed_in: SignedIn, name: str) -> None:
    page = page_of(signed_in(), f"columns={name}")
    assert len(hashes_of(page)) == 50
    heads = re.search(r"<thead>(.*?)</thead>", page, re.DOTALL)
    assert heads
    assert heads[1].count("<th") == (1 if name in ("question", "hash") else 2)


def test_columns_come_from_a_form_one_by_one(pool: None, signed_in: SignedIn) -> None:
    one_by_one = page_of(signed_in(), "columns=hash&columns=tokens&columns=quality")
    assert hashes_of(one_by_one) == hashes_of(page_of(signed_in(), "columns=tokens,quality,hash"))
    assert 'name="columns" value="source">' in one_by_one
    assert 'name="columns" value="tokens" checked>' in one_by_one


def test_found_words_are_marked(pool: None, signed_in: SignedIn) -> None:
    index_texts()
    question = Question.objects.order_by("pk")[0]
    word = max(re.findall(r"[a-z]+", question.text), key=len)
    page = page_of(signed_in(), urlencode({"q": word}))
    assert re.search(rf"<mark>{word}</mark>", page, re.IGNORECASE)


def test_what_is_not_searchable_yet_is_said(pool: None, signed_in: SignedIn) -> None:
    page = page_of(signed_in(), "q=word")
    assert "0 of" in words_of(page)
    assert "questions can be searched so far" in words_of(page)


def test_a_question_opened_from_a_list_knows_it(pool: None, signed_in: SignedIn) -> None:
    client = signed_in()
    page = page_of(client, "small=wrong&sort=-tokens")
    first, second = hashes_of(page)[:2]
    shown = client.get(f"/questions/{first}/?small=wrong&sort=-tokens").content.decode()
    assert f"/questions/{second}/?small=wrong&amp;sort=-tokens" in shown


def test_an_empty_pool_says_what_belongs_here(db: None, signed_in: SignedIn) -> None:
    page = words_of(page_of(signed_in("curator")))
    assert "The pool is empty." in page
    assert "python manage.py load_pool PATH" in page


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("nonsense=1", "is no filter"),
        ("small=maybe", "allowed are right, wrong, missing"),
        ("source=nowhere", "is not in the pool"),
        ("tokens=9-1", "ends before it begins"),
        ("sort=nonsense", "is no order"),
        ("after=nonsense", "is no place in a list"),
        ("selection=nowhere", "nowhere"),
        ("q=%2A", "has no letter or digit"),
    ],
)
def test_what_cannot_be_asked_for_is_one_line_on_a_page(
    pool: None, signed_in: SignedIn, query: str, said: str
) -> None:
    answer = signed_in().get(f"{POOL}?{query}")
    assert answer.status_code == 400
    assert said in words_of(answer.content.decode())


def test_hostile_texts_and_names_are_shown_as_text(db: None, signed_in: SignedIn, tmp_path: Path) -> None:
    load_rows(tmp_path, [{"question": HOSTILE, "source_type": "<b onclick=x>", "domain": "<i>"} for _ in range(2)])
    for query in (
        "",
        urlencode({"source": "<b onclick=x>"}),
        urlencode({"domain": "<i>", "columns": ",".join(SHOWN)}),
    ):
        page = page_of(signed_in(), query)
        assert "<script>alert" not in page
        assert "<b onclick" not in page
        assert "<i>" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_the_number_of_queries_does_not_grow(pool: None, signed_in: SignedIn) -> None:
    def count(query: str) -> int:
        page_of(client, query)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            page_of(client, query)
        return len(captured)

    client = signed_in("operator")
    assert count("small=wrong&selection=first") == count("") == count("sort=-tokens&after=5.100")
    assert count("") <= 12


def test_who_is_not_signed_in_sees_nothing(pool: None, client: Client) -> None:
    for name in ("browse:pool", "browse:changes"):
        answer = client.get(reverse(name))
        assert answer.status_code == 302
        assert answer["Location"].startswith("/sign-in/")


# --- deciding ---


def decide(client: Client, **values: object) -> int:
    return client.post(reverse("browse:decide"), values).status_code


def test_picked_rows_get_a_state_and_it_can_be_undone(pool: None, signed_in: SignedIn) -> None:
    ReviewChange.objects.all().delete()
    ReviewState.objects.all().delete()
    client = signed_in("reviewer")
    picked = hashes_of(page_of(client, "small=wrong"))[:3]
    answer = client.post(reverse("browse:decide"), {"row": picked, "state": "drop", "list": "small=wrong"})
    assert answer["Location"] == "/pool/?small=wrong"
    states = ReviewState.objects.values_list("question__question_hash", "state")
    assert dict(states) == dict.fromkeys(picked, "drop")
    page = page_of(client)
    assert "You set 3 questions to drop" in words_of(page)
    (change,) = ReviewChange.objects.all()
    assert f"/pool/changes/{change.pk}/undo/" in page
    assert client.post(reverse("browse:undo", args=[change.pk]), {"list": "small=wrong"})["Location"] == (
        "/pool/?small=wrong"
    )
    assert not ReviewState.objects.exists()
    assert "You set" not in words_of(page_of(client))
    # a second time it is said
    assert client.post(reverse("browse:undo", args=[change.pk])).status_code == 302
    assert "was taken back already" in words_of(page_of(client))


def test_all_of_a_filter_get_a_state_once_their_number_was_seen(pool: None, signed_in: SignedIn) -> None:
    client = signed_in("curator")
    total = read_page(listing("small=wrong&review=none")).total
    values = {"scope": "all", "state": "keep", "list": "small=wrong&review=none"}
    asked = client.post(reverse("browse:decide"), values).content.decode()
    assert f"Set {total} questions to keep?" in words_of(asked)
    assert ReviewChange.objects.latest("pk").scope == ""
    # another number than was seen is shown again
    again = client.post(reverse("browse:decide"), values | {"confirmed": total + 1}).content.decode()
    assert "The pool has changed meanwhile" in words_of(again)
    assert client.post(reverse("browse:decide"), values | {"confirmed": total}).status_code == 302
    change = ReviewChange.objects.latest("pk")
    assert (change.num_questions, change.state, change.scope) == (total, "keep", "small=wrong&review=none")
    assert "No question is like that." in words_of(page_of(client, "small=wrong&review=none"))
    listed = words_of(client.get(reverse("browse:changes")).content.decode())
    assert f"curator {total} keep small=wrong&amp;review=none" in listed


def test_all_of_a_filter_are_those_that_were_seen_or_none_is_changed(
    pool: None, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody decides on one of them between the count and the change."""
    curator = User.objects.create(username="late")
    set_role(curator, "curator")
    wanted = listing("small=wrong&review=none")
    total = read_page(wanted).total
    pks = [pk for piece in matching_pks(wanted) for pk in piece]

    def count_and_change(asked: Listing) -> int:
        services.decide([pks[:1]], "drop")
        return total

    monkeypatch.setattr(deciding, "count_matching", count_and_change)
    before = ReviewChange.objects.count()
    with pytest.raises(deciding.UnseenError, match=f"^{total - 1:,} questions fulfil this filter now, and {total:,}"):
        deciding.decide_on_filter(wanted, "keep", user=curator, confirmed=total)
    assert ReviewChange.objects.count() == before + 1
    assert not ReviewState.objects.filter(pk__in=pks, state="keep").exists()


def test_a_state_that_is_none_is_refused_before_anybody_is_asked(pool: None, signed_in: SignedIn) -> None:
    client = signed_in("curator")
    assert decide(client, scope="all", state="maybe", list="small=wrong") == 302
    assert "is no review state" in words_of(page_of(client))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"state": "drop"}, "no question is picked"),
        ({"state": "maybe", "row": "0" * 16}, "is no review state"),
        ({"state": "drop", "row": ["0" * 16] * 201}, "at most 200 at a time"),
        ({"state": "drop", "row": "0" * 16}, "nothing was changed"),
        ({"state": "drop", "row": "0" * 16, "list": "nonsense=1"}, "is no filter"),
    ],
)
def test_what_cannot_be_decided_is_said_and_changes_nothing(
    pool: None, signed_in: SignedIn, values: dict[str, object], said: str
) -> None:
    client, before = signed_in("curator"), ReviewChange.objects.count()
    assert decide(client, **values) == 302
    assert said in words_of(page_of(client))
    assert ReviewChange.objects.count() == before


def test_who_may_decide(pool: None, signed_in: SignedIn) -> None:
    picked = hashes_of(page_of(signed_in()))[:1]
    assert decide(signed_in("viewer"), row=picked, state="drop") == 403
    assert decide(signed_in("reviewer"), scope="all", state="drop") == 403
    assert decide(signed_in("reviewer"), row=picked, state="unsure") == 302
    assert signed_in("reviewer").get(reverse("browse:decide")).status_code == 405
    change = ReviewChange.objects.latest("pk")
    assert signed_in("viewer").post(reverse("browse:undo", args=[change.pk])).status_code == 403
    assert signed_in("reviewer").post(reverse("browse:undo", args=[10**6])).status_code == 404
    other = Client()
    other.force_login(User.objects.get(username="reviewer"))
    foreign = ReviewChange.objects.create(state="keep", made_by=None)
    assert other.post(reverse("browse:undo", args=[foreign.pk])).status_code == 403
    assert signed_in("curator").post(reverse("browse:undo", args=[foreign.pk])).status_code == 302
    page = page_of(signed_in("viewer"))
    assert 'name="row"' not in page
    assert 'name="state"' not in page
    assert "Export" not in page


# --- views ---


def test_views_are_saved_opened_and_deleted(pool: None, signed_in: SignedIn) -> None:
    client = signed_in("viewer")
    query = "sort=-tokens&small=wrong&after=5.100"
    answer = client.post(reverse("browse:save-view"), {"name": " Hard  ones ", "list": query})
    assert answer["Location"] == "/pool/?small=wrong&sort=-tokens"
    page = page_of(client)
    assert 'href="/pool/?small=wrong&amp;sort=-tokens"><bdi>Hard ones</bdi>' in page
    assert "Hard ones" not in page_of(signed_in("curator"))
    client.post(reverse("browse:delete-view"), {"name": "Hard ones"})
    assert not SavedView.objects.exists()
    client.post(reverse("browse:delete-view"), {"name": "Hard ones"})
    assert "you have no view" in words_of(page_of(client))
    client.post(reverse("browse:save-view"), {"name": " ", "list": query})
    assert "give it a name of 1 to 80 characters" in words_of(page_of(client))


# --- export ---


def exported(client: Client, format: str, query: str = "") -> str:
    answer = client.get(f"{reverse('browse:export', args=[format])}?{query}")
    assert answer.status_code == 200
    assert answer["Content-Disposition"] == f'attachment; filename="questions.{format}"'
    return b"".join(answer.streaming_content).decode()


def test_a_table_of_all_filtered_rows(pool: None, signed_in: SignedIn) -> None:
    query = "small=wrong&sort=-tokens&columns=question,source,tokens,quality"
    rows = list(csv.DictReader(io.StringIO(exported(signed_in("operator"), "csv", query))))
    expected = read_page(listing(query), 1_000).rows
    assert list(rows[0]) == ["hash", "source", "tokens", "quality", "question"]
    assert [row["hash"] for row in rows] == [row.question_hash for row in expected]
    assert [row["tokens"] for row in rows] == [
        "" if row.trace_tokens is None else str(row.trace_tokens) for row in expected
    ]
    assert {rule for row in rows for rule in row["quality"].split()} <= set(QUALITY_RULES)
    texts = dict(Question.objects.values_list("question_hash", "text"))
    assert all(row["question"] == texts[row["hash"]] for row in rows)


def test_everything_of_all_filtered_rows(pool: None, signed_in: SignedIn) -> None:
    lines = [json.loads(line) for line in exported(signed_in("operator"), "jsonl", "small=wrong").splitlines()]
    expected = read_page(listing("small=wrong"), 1_000).rows
    assert [line["hash"] for line in lines] == [row.question_hash for row in expected]
    questions = {item.question_hash: item for item in Question.objects.select_related("trace")}
    for line in lines:
        question = questions[line["hash"]]
        assert (line["question"], line["solution"]) == (question.text, question.solution)
        if question.trace is None:
            assert line["trace"] is None
        else:
            assert (line["trace"]["thinking"], line["trace"]["attempt"]) == (
                question.trace.thinking,
                question.trace.attempt,
            )
        assert line["small"] == "wrong"


def test_a_spreadsheet_takes_no_cell_for_a_formula(db: None, signed_in: SignedIn, tmp_path: Path) -> None:
    load_rows(tmp_path, [{"question": "=HYPERLINK(1)", "source_type": "@evil"}, {"question": "-1 + 1 = ?"}])
    table = exported(signed_in("operator"), "csv")
    cells = [cell for row in csv.reader(io.StringIO(table)) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    assert "'=HYPERLINK(1)" in cells


def test_who_may_export_and_what(pool: None, signed_in: SignedIn) -> None:
    assert signed_in("curator").get(reverse("browse:export", args=["csv"])).status_code == 403
    client = signed_in("operator")
    assert client.get(reverse("browse:export", args=["xlsx"])).status_code == 404
    assert client.get(f"{reverse('browse:export', args=['csv'])}?small=maybe").status_code == 400
    assert DEFAULT_SHOWN[0] == "question"
