"""The first page: figures of what is here, and the next step."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from curation.demo.pool import DemoPool
from s1web.jobs.kinds import KINDS
from s1web.overview import read_overview
from s1web.pool.contamination import check_contamination, overrule
from s1web.pool.models import Contamination, Question
from s1web.selections.models import Selection
from tests.s1web.pools import load_problems, load_rows
from tests.s1web.web.conftest import SignedIn


def make_selection(name: str, *, hours_ago: int = 0) -> Selection:
    selection = Selection.objects.create(name=name, size=1_000, sha256="ab12" * 16)
    Selection.objects.filter(pk=selection.pk).update(created_at=timezone.now() - timedelta(hours=hours_ago))
    return selection


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_an_empty_pool_says_how_to_load_questions(signed_in: SignedIn):
    page = text_of(signed_in().get("/").content.decode())
    assert "The pool is empty. Load questions. python manage.py load_pool PATH" in page
    assert "0 questions" in reversed_figures(page)


def reversed_figures(page: str) -> str:
    """The page's figures as `number label`: they stand label first in the source."""
    return re.sub(r"(questions|traces|sources|contaminated) ([\d,–]+)", r"\2 \1", page)


def test_each_step_follows_from_what_is_there_and_has_a_command_and_a_kind_of_job(db, tmp_path: Path):
    def step() -> tuple[str, str]:
        step = read_overview().next_step
        assert step.kind in KINDS
        return step.kind, step.command

    assert step() == ("load_pool", "load_pool PATH")
    load_rows(tmp_path, [{"question": "How many sides has a square?", "source_type": "shapes"}])
    assert step() == ("load_benchmark", "load_benchmark PATH --name NAME")
    load_problems(tmp_path, ["How many corners has a cube with a missing one?"], "cubes")
    assert step() == ("annotate_contamination", "annotate contamination")
    check_contamination()
    assert step() == ("curate", "curate --preset paper")
    make_selection("paper-1000-seed0")
    assert step() == ("export_selection", "export_selection paper-1000-seed0 OUT_DIR")
    load_rows(tmp_path, [{"question": "How many sides has a cube?", "source_type": "shapes"}], "more")
    assert step() == ("annotate_contamination", "annotate contamination")


@pytest.mark.parametrize(("role", "is_offered"), [("viewer", False), ("curator", True)])
def test_who_may_do_the_next_step_is_offered_its_form(signed_in: SignedIn, role, is_offered):
    client = signed_in(role)
    page = client.get("/").content.decode()
    assert ('<a class="button button--primary" href="/jobs/new/load_pool/">Load questions</a>' in page) is is_offered
    if is_offered:
        assert client.get("/jobs/new/load_pool/").status_code == 200


def test_the_figures_are_those_of_the_pool(demo_pool: DemoPool, signed_in: SignedIn):
    check_contamination()
    contaminated = Question.objects.filter(contaminated=True).count()
    assert contaminated > 1
    figures = reversed_figures(text_of(signed_in().get("/").content.decode()))
    assert f"{Question.objects.count():,} questions" in figures
    assert f"{contaminated:,} contaminated" in figures
    assert "demo" in figures


def test_contaminated_is_a_dash_until_every_question_was_compared(demo_pool: DemoPool, signed_in: SignedIn):
    client = signed_in()
    assert "contaminated (not compared yet) –" in text_of(client.get("/").content.decode())
    check_contamination(limit=10)
    assert "contaminated (not compared yet) –" in text_of(client.get("/").content.decode())
    check_contamination()
    assert "not compared yet" not in text_of(client.get("/").content.decode())


def test_a_question_that_was_overruled_is_not_counted_as_contaminated(demo_pool: DemoPool):
    check_contamination()
    before = read_overview().contaminated
    assert before is not None
    overrule(Contamination.objects.all()[0].question.question_hash, reason="a common phrase", decided_by="ada")
    assert read_overview().contaminated == before - 1
    assert before - 1 == Question.objects.filter(contaminated=True).count()


def test_the_five_newest_selections_are_listed_newest_first(signed_in: SignedIn):
    for age in range(7):
        make_selection(f"selection-{age}", hours_ago=age)
    page = signed_in().get("/").content.decode()
    assert re.findall(r'title="(selection-\d)"', page) == [f"selection-{age}" for age in range(5)]
    assert 'title="' + "ab12" * 16 + '">ab12ab12ab12</td>' in page
    assert ">1,000<" in page
    assert ">4 h ago</time>" in page


def test_names_are_text_and_never_markup(signed_in: SignedIn, tmp_path: Path):
    make_selection("<script>alert(1)</script>")
    load_problems(tmp_path, ["What is it?"], "<img src=x>")
    page = signed_in().get("/").content.decode()
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&lt;img src=x&gt;" in page


@pytest.mark.parametrize("count", [1, 40])
def test_the_page_asks_as_often_for_many_things_as_for_few(
    signed_in: SignedIn, tmp_path: Path, django_assert_num_queries, count
):
    load_rows(tmp_path, [{"question": f"What is {n} + 1?", "source_type": f"sums/{n}"} for n in range(count)])
    for n in range(count):
        make_selection(f"selection-{n}")
        load_problems(tmp_path, [f"What is {n} + 2?"], f"benchmark-{n}")
    client = signed_in()
    client.get("/")
    # session, user and role of the frame, nine of the page
    with django_assert_num_queries(15):
        client.get("/")
