"""The map in a real browser: it is painted, moves, tells what lies at a point, and leads to the pool."""

import random
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser import SIZES, THEMES, Site, Visitor, assert_accessible, assert_no_sideways_scroll, running_site
from tests.factories import make_rows
from tests.processes import Project
from tests.s1web.atlas.conftest import HARD
from tests.s1web.pools import write_lines

NUM_ROWS = 400
HOSTILE = "<img src=https://evil.example/x.png onerror='window.owned=1'>\u202e<script>window.owned=2</script>"
_SCATTER = f"""
import django
django.setup()
from benchmarks.atlas import scatter
from s1web.pool.models import Question
from s1web.pool.version import bump
from s1web.vectors.models import Cluster
scatter(12)
Cluster.objects.filter(number=0).update(title={HOSTILE!r})
bump()
print(Question.objects.count())
"""
# of pixels, as red, green, blue: how many differ from the one in the corner
_PAINTED = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let num = 0;
  for (let at = 0; at < data.length; at += 4) {
    num += data[at] !== data[0] || data[at + 1] !== data[1] || data[at + 2] !== data[2];
  }
  return num;
}"""


@pytest.fixture(scope="module")
def live_site(make_project: Callable[[str], Project], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with a pool on a map, one cluster of a hostile title, questions of hostile texts, and a selection."""
    folder = tmp_path_factory.mktemp("atlas")
    project = make_project("sqlite")
    assert project.run("migrate", "--verbosity", "0").returncode == 0
    rows = make_rows(random.Random(4), NUM_ROWS, repeated=0)
    for number, row in enumerate(rows):
        row["question"] = f"{HOSTILE} {number} {row['question']}"
    project.json("load_pool", write_lines(folder / "pool.jsonl", rows))
    (folder / "recipe.toml").write_text(HARD)
    project.json("curate", "--recipe", folder / "recipe.toml", "--name", "mine")
    done = project.python("-c", _SCATTER)
    assert done.returncode == 0, done.stderr
    with running_site(project, folder) as site:
        yield site


def opened(visitor: Visitor, query: str = "", **options: Any) -> Page:
    page = visitor.open(f"/map/?{query}" if query else "/map/", **options)
    page.wait_for_selector(".atlas__stage[data-state=ready][data-frame-ms]")
    return page


def painted(page: Page) -> int:
    # the next frame, so that what was asked for is there
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.locator(".atlas__points").evaluate(_PAINTED)


def middle(page: Page) -> tuple[float, float]:
    box = page.locator(".atlas__over").bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def draw_around(page: Page, x: float, y: float, size: float) -> None:
    """A lasso as a hand draws it: around a place, with many moves."""
    corners = [(x - size, y - size), (x + size, y - size), (x + size, y + size), (x - size, y + size)]
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in [*corners[1:], corners[0]]:
        page.mouse.move(*corner, steps=12)
    page.mouse.up()


def count_said(page: Page) -> int:
    said = re.match(r"([\d,]+) ", page.locator(".atlas__count").inner_text())
    assert said
    return int(said[1].replace(",", ""))


def count_of_pool(page: Page) -> int:
    """How many questions the pool page lists that is open now."""
    return int(page.locator(".pool__count strong").inner_text().replace(",", ""))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", THEMES)
def test_the_page_is_accessible_and_never_scrolls_sideways(visitor: Visitor, theme, size):
    page = opened(visitor, "small=wrong&area=100_100-900_100-900_900-100_900", theme=theme, size=size)
    assert painted(page) > 500
    page.locator(".atlas__over").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".atlas__card.is-pinned .near__link")).to_be_visible()
    assert_accessible(page)
    assert_no_sideways_scroll(page)


def test_nothing_hostile_runs_and_no_other_host_is_asked(visitor: Visitor):
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page = visitor.open("/")
    page.on("request", note)
    page.goto("/map/")
    page.wait_for_selector(".atlas__stage[data-state=ready][data-frame-ms]")
    expect(page.locator(".atlas__legend").first).to_contain_text(HOSTILE[:40])
    page.locator(".atlas__over").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".near__text")).to_contain_text("<script>window.owned=2</script>")
    assert page.evaluate("window.owned") is None
    assert page.locator("main :is(script, img, iframe)").count() == 0
    assert [url for url in asked if not url.startswith(visitor.site.address)] == []


def test_zooming_spreads_the_points_and_zero_shows_all_again(visitor: Visitor):
    page = opened(visitor)
    whole = page.locator(".atlas__points").evaluate("canvas => canvas.toDataURL()")
    page.mouse.move(*middle(page))
    page.mouse.wheel(0, -600)
    expect(page.locator(".atlas__stage.is-zoomed")).to_have_count(1)
    near = page.locator(".atlas__points").evaluate("canvas => canvas.toDataURL()")
    assert near != whole
    page.mouse.down()
    page.mouse.move(middle(page)[0] + 90, middle(page)[1] + 40, steps=5)
    page.mouse.up()
    painted(page)
    assert page.locator(".atlas__points").evaluate("canvas => canvas.toDataURL()") != near
    page.locator(".atlas__over").focus()
    page.keyboard.press("0")
    expect(page.locator(".atlas__stage.is-zoomed")).to_have_count(0)
    painted(page)
    assert page.locator(".atlas__points").evaluate("canvas => canvas.toDataURL()") == whole


def test_the_wheel_scrolls_the_page_while_the_whole_map_is_in_sight(visitor: Visitor):
    page = opened(visitor)
    page.mouse.move(*middle(page))
    page.mouse.wheel(0, 300)
    page.wait_for_timeout(300)
    assert page.evaluate("window.scrollY") > 0
    expect(page.locator(".atlas__stage.is-zoomed")).to_have_count(0)


@pytest.mark.parametrize(("key", "is_zoomed"), [("+", True), ("=", True), ("-", False)])
def test_keys_zoom_the_map_that_has_the_focus(visitor: Visitor, key, is_zoomed):
    page = opened(visitor)
    page.keyboard.press(key)
    expect(page.locator(".atlas__stage.is-zoomed")).to_have_count(0)
    page.locator(".atlas__over").focus()
    page.keyboard.press(key)
    painted(page)
    assert page.locator(".atlas__stage.is-zoomed").count() == is_zoomed


def test_a_point_tells_its_question_on_hover_and_leads_to_it_on_a_click(visitor: Visitor):
    page = opened(visitor)
    spot = some_point(page)
    page.mouse.move(*spot)
    expect(page.locator(".atlas__card .near__text")).to_be_visible()
    expect(page.locator(".near__link")).to_be_hidden()
    page.mouse.move(spot[0] - 400, 5)
    expect(page.locator(".atlas__card")).to_be_hidden()
    page.mouse.click(*spot)
    page.get_by_role("link", name="Open the question").first.click()
    page.wait_for_url(re.compile(r"/questions/[0-9a-f]{16}/$"))


def some_point(page: Page) -> tuple[float, float]:
    """Where a point of the selection lies on the screen: they are on top."""
    box = page.locator(".atlas__points").bounding_box()
    assert box
    page.locator(".atlas__over").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".atlas__card.is-pinned")).to_be_visible()
    # the ring around it is the one thing that is drawn there in the colour of the text
    x, y = page.locator(".atlas__card").evaluate(
        """card => { const stage = card.parentElement.getBoundingClientRect();
        const box = card.getBoundingClientRect();
        const left = box.left - stage.left - 16, right = box.right - stage.left + 16;
        return [left > 0 ? left : right, box.top - stage.top + box.height / 2]; }"""
    )
    page.keyboard.press("Escape")
    expect(page.locator(".atlas__card")).to_be_hidden()
    return box["x"] + x, box["y"] + y


def test_a_lasso_leads_to_the_pool_page_with_as_many_questions_as_it_said(visitor: Visitor):
    page = opened(visitor, "small=wrong")
    page.get_by_role("button", name="Lasso").click()
    draw_around(page, *middle(page), 150)
    said = count_said(page)
    assert 0 < said < NUM_ROWS
    (area,) = parse_qs(urlsplit(page.url).query)["area"]
    assert 3 <= len(area.split("-")) <= 60
    page.get_by_role("link", name="Open in the pool").click()
    query = parse_qs(urlsplit(page.url).query)
    assert urlsplit(page.url).path == "/pool/"
    assert query == {"small": ["wrong"], "area": [area]}
    assert count_of_pool(page) == said


def test_shift_and_drag_draw_too_and_escape_forgets_it(visitor: Visitor):
    page = opened(visitor)
    page.keyboard.down("Shift")
    draw_around(page, *middle(page), 120)
    page.keyboard.up("Shift")
    expect(page.locator(".atlas__bar")).to_be_visible()
    address = page.url
    page.reload()
    page.wait_for_selector(".atlas__stage[data-state=ready]")
    assert page.url == address
    said = count_said(page)
    assert said
    page.keyboard.press("Escape")
    expect(page.locator(".atlas__bar")).to_be_hidden()
    assert "area" not in page.url


def test_the_questions_in_view_can_be_taken_without_a_mouse(visitor: Visitor):
    page = opened(visitor)
    page.get_by_role("button", name="In view").press("Enter")
    whole = count_said(page)
    page.locator(".atlas__over").focus()
    for key in ("+", "+", "ArrowRight"):
        page.keyboard.press(key)
    page.get_by_role("button", name="In view").press("Enter")
    said = count_said(page)
    assert 0 < said < whole
    page.get_by_role("link", name="Open in the pool").press("Enter")
    page.wait_for_url(re.compile("/pool/"))
    assert count_of_pool(page) == said


def test_the_whole_map_holds_every_question(visitor: Visitor):
    page = opened(visitor, "area=0_0-1000_0-1000_1000-0_1000")
    page.goto("/pool/")
    every = count_of_pool(page)
    page.goto("/map/?area=0_0-1000_0-1000_1000-0_1000")
    page.wait_for_selector(".atlas__stage[data-state=ready]")
    assert count_said(page) == every


def test_a_label_of_the_legend_shows_its_questions_alone(visitor: Visitor):
    page = opened(visitor, "area=0_0-1000_0-1000_1000-0_1000&colour=verdict")
    entry = page.get_by_role("button", name=re.compile("only by large"))
    before = painted(page)
    entry.click()
    expect(entry).to_have_attribute("aria-pressed", "true")
    count = int(entry.locator("span").last.inner_text())
    assert count_said(page) == count
    assert painted(page) != before
    page.get_by_role("link", name="Open in the pool").click()
    query = parse_qs(urlsplit(page.url).query)
    assert (query["small"], query["large"]) == (["wrong"], ["right"])
    assert count_of_pool(page) == count


def test_another_colour_paints_another_map_and_stays_in_the_address(visitor: Visitor):
    page = opened(visitor)
    painted(page)
    before = page.locator(".atlas__points").evaluate("canvas => canvas.toDataURL()")
    page.get_by_label("Coloured by").select_option("length")
    expect(page.get_by_role("button", name=re.compile("^4k to 8k"))).to_be_visible()
    painted(page)
    assert page.locator(".atlas__points").evaluate("canvas => canvas.toDataURL()") != before
    assert urlsplit(page.url).query == "colour=length"
    page.reload()
    expect(page.get_by_role("button", name=re.compile("^4k to 8k"))).to_be_visible()


def test_layers_come_and_go(visitor: Visitor):
    page = opened(visitor)
    shown = page.locator(".atlas__stage")
    every = int(shown.get_attribute("data-shown") or 0)
    page.get_by_label("Pool", exact=True).uncheck()
    hard = int(shown.get_attribute("data-shown") or 0)
    page.get_by_label("Hard pool").uncheck()
    expect(shown).to_have_attribute("data-shown", "12")
    assert every > hard > 12
    assert urlsplit(page.url).query == "layer=selection"
    page.get_by_role("button", name="In view").click()
    assert page.locator(".atlas__count").inner_text() == "12 selected questions"
    page.get_by_role("link", name="Open in the pool").click()
    assert parse_qs(urlsplit(page.url).query)["selection"] == ["mine"]
    assert count_of_pool(page) == 12


def test_the_table_shows_a_cluster_alone_on_the_map(visitor: Visitor):
    page = opened(visitor, "colour=source")
    page.get_by_role("button", name="Show cluster 9 alone on the map").click()
    expect(page.get_by_label("Coloured by")).to_have_value("cluster")
    expect(page.locator(".atlas__entry[aria-pressed=true]")).to_have_count(1)
    # beyond the eight with a colour of their own it gets one for the time being
    expect(page.locator(".atlas__entry[aria-pressed=true] .ink--alone")).to_be_visible()


def test_links_that_stay_on_the_map_keep_what_was_chosen_since(visitor: Visitor):
    page = opened(visitor, "small=wrong")
    page.get_by_label("Coloured by").select_option("domain")
    page.get_by_label("Pool", exact=True).uncheck()
    page.get_by_role("link", name="Median trace tokens").click()
    query = parse_qs(urlsplit(page.url).query)
    assert query == {"small": ["wrong"], "colour": ["domain"], "layer": ["hard", "selection"], "order": ["tokens"]}


def test_the_theme_changes_under_the_points(visitor: Visitor):
    page = opened(visitor)
    painted(page)
    corner = "canvas => [...canvas.getContext('2d').getImageData(2, canvas.height - 2, 1, 1).data]"
    assert page.locator(".atlas__points").evaluate(corner) == [255, 255, 255, 255]
    page.emulate_media(color_scheme="dark")
    painted(page)
    assert page.locator(".atlas__points").evaluate(corner) == [22, 24, 28, 255]


def test_without_scripts_the_clusters_can_be_read(visitor: Visitor):
    page = visitor.open("/map/", scripts=False)
    expect(page.locator("canvas").first).to_be_hidden()
    expect(page.get_by_role("row")).to_have_count(13)
    expect(page.locator("main")).to_contain_text("The map is drawn by a script, which is off.")
    page.get_by_role("link", name="Questions").first.click()
    expect(page.locator("th[aria-sort=descending]")).to_have_text(re.compile("Questions"))
    page.locator("tbody a").first.click()
    assert urlsplit(page.url).path == "/pool/"


def test_points_that_do_not_come_are_said(visitor: Visitor):
    page = visitor.open("/")
    page.route("**/map/points/**", lambda route: route.fulfill(status=404, body="the map is gone\n"))
    page.goto("/map/")
    expect(page.locator(".atlas__wait")).to_contain_text("The points did not come: the map is gone")
    visitor.forgive("404")


def test_the_browser_and_the_server_agree_on_what_lies_in_an_area(visitor: Visitor):
    page = opened(visitor)
    rng = random.Random(7)
    for _ in range(6):
        area = "-".join(f"{rng.randrange(1001)}_{rng.randrange(1001)}" for _ in range(rng.randrange(3, 30)))
        page.goto(f"/map/?area={area}")
        page.wait_for_selector(".atlas__stage[data-state=ready]")
        said = count_said(page)
        page.goto(f"/pool/?area={area}")
        assert count_of_pool(page) == said
