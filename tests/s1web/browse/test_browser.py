"""The pool in a real browser: filtering, searching, a drawn range, picking, deciding and undoing, also by key."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import SIZES, THEMES, Site, Visitor, assert_accessible, assert_no_sideways_scroll, running_site
from tests.factories import EVALUATION_QUESTIONS, make_rows
from tests.processes import Project
from tests.s1web.pools import write_lines

HOSTILE = "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">\u202e" + "y" * 2_000
MAX_BYTES = 150_000


@pytest.fixture(scope="module")
def live_site(make_project, tmp_path_factory) -> Iterator[Site]:
    """A site with a searchable pool, a benchmark and a selection."""
    project: Project = make_project("sqlite")
    folder: Path = tmp_path_factory.mktemp("pool")
    rows = make_rows(random.Random(5), 600)
    for row in rows[:3]:
        row["question"] = f"{HOSTILE} {row['question']}"
        row["source_type"] = f"{HOSTILE[:300]}"
    problems = [{"id": str(n), "problem": text, "answer": "7"} for n, text in enumerate(EVALUATION_QUESTIONS)]
    pool = write_lines(folder / "pool.jsonl", rows)
    benchmark = write_lines(folder / "evaluation.jsonl", problems)
    project.json_all(
        [
            ["migrate"],
            ["load_pool", pool],
            ["load_benchmark", benchmark, "--name", "evaluation"],
            ["annotate", "contamination"],
            ["annotate", "search"],
            ["curate", "--preset", "random", "--size", "40"],
        ]
    )
    with running_site(project, folder) as site:
        yield site


def count(page: Page) -> int:
    return int(page.locator(".pool__count strong").inner_text().replace(",", ""))


def open_fold(page: Page) -> None:
    """Filters are folded away where the page is narrow."""
    if not page.locator("#facets").is_visible():
        page.locator(".pool__fold > summary").click()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", THEMES)
def test_the_pool_reads_well_everywhere(visitor: Visitor, size: str, theme) -> None:
    for address in (
        "/pool/",
        "/pool/?small=wrong&q=the&columns=question,tokens,quality,review",
        "/pool/?small=maybe",
    ):
        page = visitor.open(address, role="operator", size=size, theme=theme)
        open_fold(page) if "maybe" not in address else None
        assert_accessible(page)
        assert_no_sideways_scroll(page)
        assert page.title() != "ran"
    visitor.forgive("400")


def test_a_ticked_value_filters_at_once_and_its_chip_takes_it_back(visitor: Visitor) -> None:
    page = visitor.open("/pool/")
    everything = count(page)
    box = page.locator('[name="small"][value="wrong"]')
    expected = int(box.locator("xpath=..").locator("span").inner_text().replace(",", ""))
    box.check()
    page.wait_for_url("**/pool/?small=wrong")
    assert count(page) == expected < everything
    # the other filters are still where they were, and add up
    page.locator('[name="large"][value="right"]').check()
    page.wait_for_url("**/pool/?small=wrong&large=right")
    page.get_by_role("link", name=re.compile("7B verdict")).click()
    page.wait_for_url("**/pool/?large=right")
    page.go_back()
    expect(page.locator('[name="small"][value="wrong"]')).to_be_checked()
    page.get_by_role("link", name="Clear").click()
    page.wait_for_url("**/pool/")
    assert count(page) == everything


def test_words_are_found_and_marked(visitor: Visitor) -> None:
    page = visitor.open("/pool/")
    page.keyboard.press("/")
    page.keyboard.type("trace:think")
    page.keyboard.press("Enter")
    page.wait_for_url("**/pool/?q=trace%3Athink")
    assert count(page) > 0
    expect(page.locator("tbody mark").first).to_have_text("think")
    expect(page.get_by_label("Words to find")).to_have_value("trace:think")


def test_a_range_drawn_over_the_histogram_filters_by_length(visitor: Visitor) -> None:
    page = visitor.open("/pool/?sort=-tokens")
    box = page.locator("[data-histogram]").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 30, steps=4)
    assert page.locator(".histogram__bar--brushed").count() > 1
    page.mouse.up()
    page.wait_for_url("**tokens=**")
    low, high = (int(end) for end in page.locator("#tokens").input_value().split("-"))
    shown = [int(text.replace(",", "")) for text in page.locator("tbody td.num").all_inner_texts()]
    assert shown == sorted(shown, reverse=True)
    assert low <= min(shown) <= max(shown) <= high
    assert page.locator(".histogram__bar--on").count() > 1


def test_heads_sort_and_turn(visitor: Visitor) -> None:
    page = visitor.open("/pool/")
    page.get_by_role("link", name=re.compile("^Tokens")).click()
    page.wait_for_url("**/pool/?sort=-tokens")
    expect(page.locator("th[aria-sort]")).to_have_attribute("aria-sort", "descending")
    page.get_by_role("link", name=re.compile("^Tokens")).click()
    page.wait_for_url("**/pool/?sort=tokens")
    expect(page.locator("th[aria-sort]")).to_have_attribute("aria-sort", "ascending")


def test_rows_are_gone_through_picked_decided_on_and_that_undone_by_key(visitor: Visitor) -> None:
    page = visitor.open("/pool/?small=wrong", role="reviewer")
    first = page.locator("tbody tr").nth(0).locator("[name=row]").get_attribute("value")
    for key in ("j", "x", "j", "j", "Shift+X"):
        page.keyboard.press(key)
    expect(page.locator("[data-picked]")).to_have_text("3 picked rows")
    page.get_by_role("button", name="Drop").click()
    expect(page.locator(".undo")).to_contain_text("You set 3 questions to drop")
    page.goto("/pool/?review=drop")
    assert count(page) == 3
    assert first in {box.get_attribute("value") for box in page.locator("tbody [name=row]").all()}
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".empty")).to_contain_text("No question is like that")
    page.goto("/pool/")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/questions/**")


def test_all_of_a_filter_are_decided_on_after_their_number_was_shown(visitor: Visitor) -> None:
    page = visitor.open("/pool/?trace=wrong", role="curator")
    total = count(page)
    page.get_by_label("Which questions").select_option("all")
    page.get_by_role("button", name="Unsure").click()
    page.get_by_role("button", name=f"Set {total} to unsure").click()
    page.wait_for_url("**/pool/?trace=wrong")
    page.goto("/pool/?review=unsure")
    assert count(page) == total
    page.get_by_role("link", name="All changes").click()
    page.get_by_role("button", name="Undo change").first.click()
    expect(page.locator("tbody tr").first).to_contain_text("by curator")
    page.goto("/pool/?review=unsure")
    expect(page.locator(".empty")).to_be_visible()


def test_columns_and_views_are_kept(visitor: Visitor) -> None:
    page = visitor.open("/pool/?small=wrong")
    page.locator("summary", has_text="Columns").click()
    page.get_by_label("Quality rule").check()
    page.wait_for_url(re.compile(r"columns=question%2Csource%2Cdomain%2Csmall%2Clarge%2Ctrace%2Ctokens%2Cquality"))
    expect(page.locator("thead")).to_contain_text("Quality rule")
    page.locator("summary", has_text="Views").click()
    page.get_by_placeholder("Save this one as").fill("Wrong with rules")
    page.get_by_role("button", name="Save").click()
    page.goto("/pool/")
    page.locator("summary", has_text="Views").click()
    page.get_by_role("link", name="Wrong with rules").click()
    page.wait_for_url(re.compile("small=wrong&columns="))
    page.locator("summary", has_text="Views").click()
    page.get_by_role("button", name="Delete the view Wrong with rules").click()
    expect(page.locator(".notice--success")).to_contain_text("deleted")


def test_the_pool_is_read_and_filtered_without_scripts(visitor: Visitor) -> None:
    page = visitor.open("/pool/", scripts=False)
    everything = count(page)
    page.locator('[name="small"][value="wrong"]').check()
    page.get_by_role("button", name="Apply").click()
    assert 0 < count(page) < everything
    page.get_by_role("link", name="Next").click()
    assert page.locator("tbody tr").count() > 0
    page.locator("tbody th a").first.click()
    assert "/questions/" in page.url


def test_the_page_is_light_and_asks_nobody_else(visitor: Visitor) -> None:
    page = visitor.open("about:blank")
    sizes: dict[str, int] = {}

    def note(response) -> None:
        if "/fonts/" not in response.url:
            sizes[response.url] = response.request.sizes()["responseBodySize"]

    page.on("response", note)
    page.goto("/pool/")
    page.wait_for_load_state("networkidle")
    assert all(url.startswith(visitor.site.address) for url in sizes)
    assert len(sizes) > 5
    assert sum(sizes.values()) < MAX_BYTES, sizes


def test_a_file_of_the_filtered_rows_is_sent(visitor: Visitor) -> None:
    page = visitor.open("/pool/?small=wrong", role="operator")
    total = count(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="JSON lines").click()
    assert len(download.value.path().read_text(encoding="utf-8").splitlines()) == total
