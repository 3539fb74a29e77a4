"""Jobs in a real browser, with a real worker: submitted, watched, cancelled; and pages that everyone can use."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import SIZES, THEMES, Site, Visitor, assert_accessible, assert_no_sideways_scroll, running_site
from tests.processes import ROOT, Project

NUM_ROWS = 40_000
# a job is to be stopped within this, and its page asks each second
CANCEL_SECONDS, POLL_SECONDS = 2.0, 1.0
# pages of a busy machine take their time
PATIENCE = 60_000

_SEED = """
import django; django.setup()
from datetime import timedelta
from django.contrib.auth.models import User
from django.utils import timezone
from s1web.jobs.logs import log_path
from tests.factories import make_job, make_presence
now, later = timezone.now(), timezone.now() + timedelta(hours=1)
plan = {"title": "", "total": 57629, "unit": "rows", "spends": {"rows": 57629.0, "tokens": 9.0}, "seconds": 14.4,
    "notes": ["how many rows there are is not known before it is read"]}
long = "Import " + "a-very-long-name-of-a-file-" * 9 + ".parquet"
common = {"kind": "load_pool", "plan": plan, "params": {"paths": ["/srv/imports/" + "x" * 90], "mapping": ["a=b"]}}
running = make_job("running", title=long, done=31200, total=57629, rate=3466.7, started_at=now, heartbeat_at=later,
    spent={"rows": 31200}, **common)
log_path(running.pk).parent.mkdir(parents=True, exist_ok=True)
lines = (f"line {n} of a log that is longer than its box is high or wide\\n" for n in range(90))
log_path(running.pk).write_text("".join(lines))
make_job("running", kind="annotate_lengths", stop="cancel", title="Lengths", started_at=now, heartbeat_at=later,
    done=5, plan=plan)
for n in range(3):
    make_job(title=f"Queued {n}", kind="curate", parent=running if n == 2 else None, waits_for_parent=n == 2)
make_job(title="On the GPU", kind="trial_gpu", queue="gpu")
make_job("planned", title="Planned", **common)
make_job("paused", title="Paused", note="stopped at its cap of 7 rows (8 spent); resume it with a higher one",
    caps={"rows": 7}, spent={"rows": 8}, done=8, total=57629, **common)
make_job("failed", title="Failed", error="the disk is full: free some", ended_at=now, num_losses=2, num_starts=3,
    **common)
make_job("cancelled", title="Cancelled", ended_at=now, **common)
ledger = [{"stage": "pool", "in": 57629, "out": 54112, "dropped": {"pool.duplicate": 3517}}]
make_job("done", kind="curate", title="Done", ended_at=now, plan=plan, done=5, total=5, result={"run": 1, "size": 9,
    "selection": "mine", "sha256": "ab" * 32, "ledger": ledger, "hashes": [], "warnings": ["it is small"]})
# as if it were heard of all the time, and one that is gone, of an older version
make_presence("cpu@alpha", seen_at=later, version="0.0.1", device="cpu, 16 cores")
make_presence("cpu@gone", seen_at=now - timedelta(hours=1))
"""


@pytest.fixture(scope="module")
def live_site(make_project: Callable[[str], Project], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site on a new SQLite database, with a pool file in its import folder."""
    project, folder = make_project("sqlite"), tmp_path_factory.mktemp("site")
    assert project.run("migrate", "--verbosity", "0").returncode == 0
    imports = folder / "imports"
    imports.mkdir()
    with (imports / "pool.jsonl").open("w", encoding="utf-8") as file:
        for number in range(NUM_ROWS):
            file.write(json.dumps({"question": f"What is {number} + {number}?", "thinking": "Let me think."}) + "\n")
    with running_site(project, folder, IMPORT_DIR=str(imports)) as site:
        yield site


@pytest.fixture(scope="module")
def seeded_site(make_project: Callable[[str], Project], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with jobs in every state and a worker that is always there: nothing moves but the pages."""
    project, folder = make_project("sqlite"), tmp_path_factory.mktemp("seeded")
    assert project.run("migrate", "--verbosity", "0").returncode == 0
    seeded = project.python("-c", _SEED)
    assert seeded.returncode == 0, seeded.stderr
    with running_site(project, folder, IMPORT_DIR=str(folder)) as site:
        yield site


@pytest.fixture
def guest(browser, seeded_site: Site) -> Iterator[Visitor]:
    """Opens pages of `seeded_site`."""
    someone = Visitor(browser, seeded_site)
    yield someone
    someone.close()
    assert not someone.complaints, "\n".join(someone.complaints)


@contextmanager
def worker_of(site: Site, queue: str = "cpu") -> Iterator[None]:
    """A Celery worker on the site's database; whether it listens already, the pages say."""
    site.project.artifact_dir.mkdir(parents=True, exist_ok=True)
    with (site.project.artifact_dir / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "celery",
                "-A",
                "s1web",
                "worker",
                "-Q",
                queue,
                "-n",
                f"{queue}@here",
                "-l",
                "info",
            ],
            cwd=ROOT,
            env=site.project.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def badge(page: Page) -> Locator:
    return page.locator(".job__state .badge")


def job_named(page: Page, title: str) -> None:
    """From the list of jobs to the page of the one of that title."""
    page.goto("/jobs/")
    page.get_by_role("link", name=title, exact=True).first.click()
    expect(badge(page)).to_be_visible()


# --- with a real worker ---


def test_an_import_from_the_form_to_its_result_with_a_worker_that_comes_late(visitor: Visitor):
    page = visitor.open("/jobs/new/load_pool/", role="curator")
    expect(page.get_by_text("It would wait, as no worker listens on queue cpu")).to_be_visible()
    page.get_by_label("pool.jsonl").check()
    page.get_by_role("button", name="Show the plan").click()
    # before: what it would do, and that nobody would do it
    expect(badge(page)).to_have_text("planned")
    expect(page.get_by_role("heading", name="Import pool.jsonl")).to_be_visible()
    expect(page.get_by_text("To do, as planned")).to_be_visible()
    expect(page.get_by_text("It would wait, as no worker listens on queue cpu: start one with")).to_be_visible()
    page.get_by_role("button", name="Run it").click()
    # after: it waits, first in its queue, and still says so
    expect(badge(page)).to_have_text("queued")
    said = page.get_by_text("Number 1 in the queue, and no worker listens on queue cpu")
    expect(said).to_be_visible()
    expect(page.locator(".top__meter")).to_contain_text("1 waiting, no worker on cpu")
    page.evaluate("window.isTheSamePage = true")
    with worker_of(visitor.site):
        expect(badge(page)).to_have_text("running", timeout=PATIENCE)
        expect(said).not_to_be_visible()
        shares = _watch_progress(page)
        expect(page.get_by_role("heading", name="Result")).to_be_visible(timeout=PATIENCE)
    assert badge(page).text_content() == "done"
    assert page.evaluate("window.isTheSamePage"), "the page was loaded again"
    assert len(shares) >= 2, f"no progress was to be seen: {shares}"
    assert shares == sorted(shares)
    expect(page.locator(".figures")).to_contain_text(f"{NUM_ROWS:,}")
    expect(page.locator("#log")).to_contain_text("INFO done")


def _watch_progress(page: Page) -> list[float]:
    """The shares that the meter showed, until the job is done."""
    seen: list[float] = []
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline and badge(page).text_content() == "running":
        value = page.evaluate("(document.querySelector('.job__progress progress') || {}).value || 0")
        if value and (not seen or value != seen[-1]):
            seen.append(value)
        page.wait_for_timeout(50)
    return seen


def test_a_running_job_is_cancelled_within_two_seconds_and_its_page_shows_it(visitor: Visitor):
    page = visitor.open("/jobs/new/trial_cpu/", role="operator")
    page.get_by_label("Seconds").fill("600")
    page.get_by_role("button", name="Show the plan").click()
    page.get_by_role("button", name="Run it").click()
    with worker_of(visitor.site):
        expect(page.locator(".job__progress")).to_contain_text("of 600 steps", timeout=PATIENCE)
        page.get_by_text("Cancel…").click()
        # the question stays open while the page keeps up to date under it
        expect(page.get_by_text("so nothing of it stays")).to_be_visible(timeout=PATIENCE)
        started = time.monotonic()
        page.get_by_role("button", name="Cancel it").click()
        expect(badge(page)).to_have_text("cancelled", timeout=1000 * (CANCEL_SECONDS + POLL_SECONDS + 1))
        took = time.monotonic() - started
    print(f"cancelled after {took:.2f} s")
    expect(page.get_by_role("button", name="Retry")).to_be_visible()
    page.goto("/jobs/?state=cancelled")
    expect(page.get_by_role("link", name="Trial of a worker, 600 s")).to_be_visible()


def test_a_job_is_paused_and_resumed_with_other_caps(visitor: Visitor):
    page = visitor.open("/jobs/new/trial_cpu/", role="operator")
    page.get_by_label("Seconds").fill("300")
    page.get_by_role("button", name="Show the plan").click()
    page.get_by_role("button", name="Run it").click()
    with worker_of(visitor.site):
        expect(badge(page)).to_have_text("running", timeout=PATIENCE)
        page.get_by_role("button", name="Pause").click()
        expect(badge(page)).to_have_text("paused", timeout=PATIENCE)
        page.get_by_label("Seconds").fill("1234")
        # what is being typed outlives the page's own news
        page.wait_for_timeout(4_000)
        expect(page.get_by_label("Seconds")).to_have_value("1234")
        page.get_by_role("button", name="Resume").click()
        expect(badge(page)).to_have_text("running", timeout=PATIENCE)
        expect(page.locator("#spending-rows")).to_contain_text("20 m 34 s")
        page.get_by_text("Cancel…").click()
        page.get_by_role("button", name="Cancel it").click()
        expect(badge(page)).to_have_text("cancelled", timeout=PATIENCE)


def test_a_worker_that_comes_and_goes_is_seen_on_the_workers_page(visitor: Visitor):
    page = visitor.open("/workers/")
    expect(page.get_by_text("No worker is there, so no job can run.")).to_be_visible()
    with worker_of(visitor.site):
        expect(page.locator("#worker-rows")).to_contain_text("cpu@here", timeout=PATIENCE)
        expect(page.locator("#queue-rows")).to_contain_text("listened to")
    expect(page.get_by_text("No worker is there, so no job can run.")).to_be_visible(timeout=PATIENCE)


def test_without_scripts_a_job_is_submitted_moved_and_cancelled_all_the_same(visitor: Visitor):
    page = visitor.open("/jobs/new/trial_gpu/", role="operator", scripts=False)
    for seconds in ("7", "8"):
        page.goto("/jobs/new/trial_gpu/")
        page.get_by_label("Seconds").fill(seconds)
        page.get_by_role("button", name="Show the plan").click()
        page.get_by_role("button", name="Run it").click()
    page.goto("/jobs/?queue=gpu")
    expect(page.locator("#queued-rows tbody tr").first).to_contain_text("7 s")
    page.locator("#queued-rows tbody tr").nth(1).get_by_text("First").click()
    expect(page).to_have_url(f"{visitor.site.address}/jobs/?queue=gpu")
    expect(page.locator("#queued-rows tbody tr").first).to_contain_text("8 s")
    for _ in range(2):
        page.locator("#queued-rows tbody tr").first.get_by_text("Cancel").click()
    expect(page.locator("#queued-rows")).to_have_count(0)


# --- the pages themselves ---

PAGES = {
    "list": "/jobs/",
    "filtered list": "/jobs/?state=failed&mine=1",
    "kinds": "/jobs/new/",
    "import form": "/jobs/new/load_pool/",
    "curation form": "/jobs/new/curate/",
    "export form": "/jobs/new/export_selection/",
    "lengths form": "/jobs/new/annotate_lengths/",
    "trial form": "/jobs/new/trial_cpu/",
    "workers": "/workers/",
    "running": "/jobs/1/",
    "cancelling": "/jobs/2/",
    "queued": "/jobs/5/",
    "no worker": "/jobs/6/",
    "planned": "/jobs/7/",
    "paused": "/jobs/8/",
    "failed": "/jobs/9/",
    "cancelled": "/jobs/10/",
    "done": "/jobs/11/",
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", THEMES)
def test_every_page_is_accessible_and_never_scrolls_sideways(guest: Visitor, theme, size):
    page = guest.open("/jobs/", role="operator", theme=theme, size=size)
    for path in PAGES.values():
        page.goto(path)
        assert_accessible(page)
        assert_no_sideways_scroll(page)


@pytest.mark.parametrize("theme", THEMES)
def test_what_opens_on_a_page_is_accessible_too(guest: Visitor, theme):
    page = guest.open("/jobs/1/", role="operator", theme=theme, size="narrow")
    page.get_by_text("Cancel…").click()
    expect(page.get_by_role("button", name="Cancel it")).to_be_in_viewport()
    page.get_by_text("As JSON").click()
    assert_accessible(page)
    assert_no_sideways_scroll(page)
    page.goto("/jobs/new/load_pool/")
    page.get_by_text("More options").click()
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_text("Choose at least one file")).to_be_visible()
    assert_accessible(page)


def test_news_of_a_page_leave_alone_what_its_reader_is_doing(guest: Visitor):
    page = guest.open("/jobs/1/", role="operator")
    page.get_by_text("As JSON").click()
    log = page.locator("#log")
    assert log.evaluate("box => box.scrollTop + box.clientHeight >= box.scrollHeight - 4"), "the log shows its end"
    log.evaluate("box => box.scrollTop = 40")
    _next_news(page)
    expect(page.locator("#raw-json")).to_be_visible()
    assert log.evaluate("box => box.scrollTop") == 40
    # marked text, as before it is copied
    page.evaluate("getSelection().selectAllChildren(document.querySelector('.job__state'))")
    page.wait_for_timeout(2_500)
    assert "queue cpu" in page.evaluate("getSelection().toString()")


def test_a_slow_click_meets_its_button(guest: Visitor):
    page = guest.open("/jobs/new/", role="operator")
    job_named(page, "Queued 0")
    box = page.get_by_text("Cancel…").bounding_box()
    assert box
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.wait_for_timeout(2_500)
    page.mouse.up()
    expect(page.get_by_role("button", name="Cancel it")).to_be_visible()


def _next_news(page: Page) -> None:
    """Wait until the page has replaced its part by a newer one."""
    page.evaluate("document.querySelector('#job, #board').dataset.old = 'yes'")
    expect(page.locator("#job[data-old], #board[data-old]")).to_have_count(0, timeout=PATIENCE)


def test_moving_a_job_keeps_the_place_on_the_page_and_the_focus(guest: Visitor):
    page = guest.open("/jobs/", role="operator")
    titles = page.locator("#queued-rows tbody th")
    expect(titles.first).to_have_text("Queued 0")
    button = page.locator("#queued-rows tr", has_text="Queued 1").get_by_role("button", name="Up one place")
    button.focus()
    page.keyboard.press("Enter")
    expect(titles.first).to_have_text("Queued 1")
    expect(page.locator("#jobs-said")).to_contain_text("was moved to place 1 of its queue")
    page.locator("#queued-rows tr", has_text="Queued 0").get_by_role("button", name="First").click()
    expect(titles.first).to_have_text("Queued 0")
    _next_news(page)
    assert page.evaluate("document.activeElement.id").startswith("first-")
    assert page.url == f"{guest.site.address}/jobs/"


def test_rows_are_walked_with_j_and_k_and_opened_with_enter(guest: Visitor):
    page = guest.open("/jobs/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.id") == "job-1"
    _next_news(page)
    assert page.evaluate("document.activeElement.id") == "job-1"
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{guest.site.address}/jobs/1/")


def test_a_filter_applies_as_it_is_chosen_and_stands_in_the_address(guest: Visitor):
    page = guest.open("/jobs/")
    page.get_by_label("State").select_option("failed")
    expect(page).to_have_url(f"{guest.site.address}/jobs/?state=failed&kind=&queue=")
    expect(page.locator("#ended-rows tbody tr")).to_have_count(1)
    expect(page.locator("#queued-rows")).to_have_count(0)
    page.get_by_role("link", name="state: failed").click()
    expect(page.locator("#queued-rows")).to_be_visible()


def test_the_download_of_a_log_is_the_log(guest: Visitor, tmp_path: Path):
    page = guest.open("/jobs/1/")
    with page.expect_download() as caught:
        page.get_by_role("link", name="Whole log").click()
    caught.value.save_as(tmp_path / "log")
    assert caught.value.suggested_filename == "job-1.log"
    assert (tmp_path / "log").read_text(encoding="utf-8").count("\n") == 90
