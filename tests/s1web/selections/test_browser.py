"""Curation in a real browser: from a changed parameter to the page of the finished run."""

import csv
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import SIZES, THEMES, Site, Visitor, assert_accessible, assert_no_sideways_scroll, running_site
from tests.factories import EVALUATION_QUESTIONS, make_rows
from tests.processes import ROOT, Project
from tests.s1web.pools import write_lines

HOSTILE = "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">\u202e" + "y" * 2_000
RECIPE = 'base = "paper"\nsize = 40\n'


@pytest.fixture(scope="module")
def live_site(make_project, tmp_path_factory) -> Iterator[Site]:
    """A site with a pool, a benchmark, two runs, and a worker beside it."""
    project: Project = make_project("sqlite")
    folder: Path = tmp_path_factory.mktemp("curation")
    rows = make_rows(random.Random(11), 900)
    for row in rows[:5]:
        row["question"] = f"{row['question']} {HOSTILE}"
    pool = write_lines(folder / "pool.jsonl", rows)
    problems = [{"id": str(n), "problem": text, "answer": "7"} for n, text in enumerate(EVALUATION_QUESTIONS)]
    benchmark = write_lines(folder / "evaluation.jsonl", problems)
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE, encoding="utf-8")
    assert project.run("migrate", "--verbosity", "0").returncode == 0
    project.json("load_pool", pool)
    project.json("load_benchmark", benchmark, "--name", "evaluation")
    project.json("curate", "--preset", "random", "--size", "40")
    project.json("curate", "--recipe", recipe)
    with running_site(project, folder) as site, _worker(project, folder):
        yield site


@contextmanager
def _worker(project: Project, folder: Path) -> Iterator[None]:
    """A worker of the queue cpu, for as long as the block lasts."""
    command = [sys.executable, "-m", "celery", "-A", "s1web", "worker", "-Q", "cpu", "-n", "cpu@curation"]
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=project.environment, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def head(page: Page) -> str:
    return page.locator(".preview__head").inner_text()


def wait_for_preview(page: Page, text: str) -> None:
    expect(page.locator(".preview__head")).to_contain_text(text, timeout=20_000)


def run_planned_job(page: Page) -> None:
    """Say yes on the page of a planned job, and wait until it is done there."""
    page.locator("#job").get_by_role("button", name="Run it").click()
    ended = page.locator("#job .badge--done, #job .badge--failed").first
    expect(ended).to_be_visible(timeout=120_000)
    assert ended.inner_text() == "done", page.locator("#job").inner_text()


def count(page: Page, stage: str) -> str:
    """What is left after a stage, as the ledger of the preview shows it."""
    row = page.get_by_role("row", name=re.compile(rf"^{stage}\b")).first
    return row.locator("td").nth(1).inner_text()


def test_a_changed_parameter_changes_the_preview_and_a_run_of_it_is_as_previewed(visitor: Visitor):
    page = visitor.open("/curate/?run=2", role="curator")
    wait_for_preview(page, "40 questions would be selected")
    before = count(page, "difficulty")
    page.get_by_label("the 7B model").uncheck()
    expect(page.locator("#says-difficulty")).to_have_text("solved by the 32B model")
    expect(page.get_by_role("row", name=re.compile("^difficulty\\b")).first.locator("td").nth(1)).not_to_have_text(
        before
    )
    # the rows shown are those at the stage that changed
    expect(page.locator("input[name=stage]:checked")).to_have_value("difficulty")
    expect(page.get_by_text("run 2: difficulty.solved").first).to_be_visible()
    page.get_by_label("Size", exact=True).fill("33")
    wait_for_preview(page, "33 questions would be selected")
    previewed = page.locator(".preview__head .hash").get_attribute("title")
    left = count(page, "difficulty")
    page.get_by_role("button", name="Start run").click()
    page.wait_for_url("**/jobs/*/")
    run_planned_job(page)
    link = page.get_by_role("link", name=re.compile(r"^run \d+$"))
    link.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("paper-33-seed0")
    expect(page.locator("dd.hash").first).to_have_text(previewed or "")
    row = page.get_by_role("row", name=re.compile("^difficulty\\b")).first
    expect(row.locator("td").nth(2)).to_have_text(left)
    # a count leads to its rows
    row.locator("td").nth(1).get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dropped at difficulty")
    expect(page.locator("[data-row]").first).to_be_visible()


def test_a_wrong_value_is_said_beside_its_field_and_goes_when_it_is_put_right(visitor: Visitor):
    page = visitor.open("/curate/")
    wait_for_preview(page, "questions would be selected")
    size = page.get_by_label("Size", exact=True)
    size.fill("0")
    expect(page.locator("#id_size_error")).to_have_text("Ensure this value is greater than or equal to 1.")
    expect(size).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#preview")).to_contain_text("No preview before this is put right")
    size.fill("12")
    wait_for_preview(page, "12 questions would be selected")
    expect(page.locator("#id_size_error")).to_be_empty()
    expect(size).not_to_have_attribute("aria-invalid", "true")
    assert size.evaluate("element => element === document.activeElement")  # typing was not interrupted


def test_a_recipe_is_edited_as_text_and_comes_back_as_fields(visitor: Visitor):
    page = visitor.open("/curate/?run=2")
    page.get_by_role("button", name="Edit as TOML").click()
    text = page.get_by_label("Recipe as TOML")
    text.fill(text.input_value().replace("size = 40", "size = 21"))
    wait_for_preview(page, "21 questions would be selected")
    page.get_by_role("button", name="Edit as fields").click()
    expect(page.get_by_label("Size", exact=True)).to_have_value("21")


def test_near_duplicates_are_looked_for_on_request(visitor: Visitor):
    page = visitor.open("/curate/?run=2")
    wait_for_preview(page, "40 questions")
    page.locator("summary", has_text="Near duplicates").click()
    page.get_by_label("Drop near duplicates").check()
    button = page.get_by_role("button", name="Look for them")
    expect(button).to_be_visible(timeout=20_000)
    button.click()
    expect(button).to_be_hidden(timeout=60_000)
    expect(page.get_by_role("row", name=re.compile("^deduplication ")).first).to_be_visible(timeout=60_000)
    # found once, other changes go on showing it
    page.get_by_label("Size", exact=True).fill("22")
    wait_for_preview(page, "22 questions")
    expect(button).to_be_hidden()


def test_without_scripts_the_preview_comes_by_its_button(visitor: Visitor):
    page = visitor.open("/curate/?run=2", role="curator", scripts=False)
    page.get_by_label("Size", exact=True).fill("17")
    page.locator(".no-script", has_text="Preview").first.click()
    expect(page.locator(".preview__head")).to_contain_text("17 questions would be selected")
    page.locator(".stages__choice", has_text="formatting").click()
    page.locator(".no-script", has_text="Preview").first.click()
    expect(page.locator("input[name=stage]:checked")).to_have_value("formatting")


def test_charts_are_saved_as_they_are_shown(visitor: Visitor, tmp_path: Path):
    page = visitor.open("/compare/?a=1&b=2")
    saved = {}
    for kind in ("svg", "png", "csv"):
        with page.expect_download() as download:
            page.get_by_role("button", name=kind.upper(), exact=True).click()
        saved[kind] = tmp_path / download.value.suggested_filename
        download.value.save_as(saved[kind])
    assert saved["svg"].name == "lengths.svg"
    drawing = saved["svg"].read_text(encoding="utf-8")
    assert 'fill="rgb(0, 114, 178)"' in drawing
    assert "class=" not in drawing
    assert saved["png"].read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    with saved["csv"].open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["Trace length, tokens (log2)", "A", "B"]
    assert sum(int(row[1]) for row in rows[1:]) == sum(int(row[2]) for row in rows[1:]) == 40


def test_the_ablations_run_at_a_click_and_fill_their_table(visitor: Visitor):
    page = visitor.open("/curate/?run=2", role="curator")
    page.locator("summary", has_text="The paper's ablations").click()
    page.get_by_role("button", name="Queue 5 jobs").click()
    page.wait_for_url("**/curate/ablations/*/")
    expect(page.get_by_role("link", name="compare")).to_have_count(4, timeout=90_000)
    page.get_by_role("link", name="compare").first.click()
    expect(page.get_by_role("heading", name=re.compile(r"^\d+ added$"))).to_be_visible()


def test_seed_stability_is_planned_run_and_shown(visitor: Visitor):
    page = visitor.open("/curate/?run=2", role="curator")
    page.get_by_role("button", name="Seed stability over 20 seeds").click()
    page.wait_for_url("**/jobs/*/")
    run_planned_job(page)
    page.get_by_role("link", name="The report").click()
    expect(page.get_by_role("heading", name="How often a question is drawn")).to_be_visible()
    assert_accessible(page)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    "path",
    [
        "/curate/?run=2",
        "/runs/",
        "/runs/2/",
        "/runs/2/rows/?rule=difficulty.solved",
        "/runs/2/rows/?left=pool",
        "/runs/2/rows/?rule=selected",
        "/compare/?a=1&b=2",
        "/compare/",
        "/",
    ],
)
def test_a_page_is_accessible_and_never_scrolls_sideways(visitor: Visitor, path, theme, size):
    page = visitor.open(path, role="admin", theme=theme, size=size)
    if path.startswith("/curate/"):
        wait_for_preview(page, "40 questions")
        page.evaluate("document.querySelectorAll('.group').forEach(group => (group.open = true))")
    assert_accessible(page)
    assert_no_sideways_scroll(page)
    assert page.title() != "ran"
    assert not page.locator("img").count()
