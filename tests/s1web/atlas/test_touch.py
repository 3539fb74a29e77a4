"""The map under fingers: touch events as a screen sends them, through the browser's own handling of gestures."""

import random
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import CDPSession, Page, expect

from tests.browser import Site, Visitor, running_site
from tests.factories import make_rows
from tests.processes import Project
from tests.s1web.pools import write_lines

Spot = tuple[float, float]
# the map's margin to the nearer sides of its stage when all of it is in sight, as in atlas-canvas.js
PADDING = 20
_SCATTER = "import django\ndjango.setup()\nfrom benchmarks.atlas import scatter\nscatter(4)"


@pytest.fixture(scope="module")
def live_site(make_project: Callable[[str], Project], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two hundred questions on a map."""
    folder = tmp_path_factory.mktemp("touch")
    project = make_project("sqlite")
    assert project.run("migrate", "--verbosity", "0").returncode == 0
    project.json("load_pool", write_lines(folder / "pool.jsonl", make_rows(random.Random(5), 200, repeated=0)))
    done = project.python("-c", _SCATTER)
    assert done.returncode == 0, done.stderr
    with running_site(project, folder) as site:
        yield site


class Hand:
    """Fingers on a touch screen; places are in CSS pixels from the upper left of the map."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.cdp: CDPSession = page.context.new_cdp_session(page)
        page.locator(".atlas__stage").evaluate("stage => stage.scrollIntoView({ block: 'center' })")
        box = page.locator(".atlas__stage").bounding_box()
        assert box
        # without its border
        self.left, self.top = box["x"] + 1, box["y"] + 1
        self.width, self.height = box["width"] - 2, box["height"] - 2
        self.whole = min(self.width, self.height) - 2 * PADDING
        self.middle = (self.width / 2, self.height / 2)

    def put(self, kind: str, *spots: Spot) -> None:
        """`touchStart` or `touchMove` with the fingers on the screen, `touchEnd` with those lifted, none for all."""
        points = [{"x": self.left + x, "y": self.top + y, "id": number} for number, (x, y) in enumerate(spots)]
        self.cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def drag(self, *ways: tuple[Spot, Spot], steps: int = 12, lift: bool = True) -> None:
        """Each finger comes down, one after the other, then all go their way at once."""
        for number in range(len(ways)):
            self.put("touchStart", *(start for start, _ in ways[: number + 1]))
        for step in range(1, steps + 1):
            spots = [_between(start, end, step / steps) for start, end in ways]
            self.put("touchMove", *spots)
        if lift:
            self.put("touchEnd")
        self.settle()

    def pinch(self, middle: Spot, start: Spot, factor: float) -> None:
        """Two fingers, `start` away from the middle on either side, until they are so many times as far."""
        (x, y), (dx, dy) = middle, start
        self.drag(
            ((x - dx, y - dy), (x - factor * dx, y - factor * dy)),
            ((x + dx, y + dy), (x + factor * dx, y + factor * dy)),
        )

    def settle(self) -> None:
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def view(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of what the map shows, in thousandths of its side."""
        self.page.get_by_role("button", name="In view").click()
        (area,) = parse_qs(urlsplit(self.page.url).query)["area"]
        corners = [tuple(map(int, corner.split("_"))) for corner in area.split("-")]
        self.page.get_by_role("button", name="Clear").click()
        return (*map(float, corners[0]), *map(float, corners[2]))  # type: ignore[return-value]

    def expected_view(self, factor: float, fixed: Spot, moved: Spot = (0, 0)) -> tuple[float, ...]:
        """The view that a map shows which was whole, was zoomed by a factor about a spot, and then moved."""
        ends = []
        for side, spot, shift in zip((self.width, self.height), fixed, moved, strict=True):
            start = (side - self.whole) / 2
            place = (spot - start) / self.whole
            left = spot + shift - place * self.whole * factor
            ends.append([min(max(1000 * (end - left) / (self.whole * factor), 0), 1000) for end in (0, side)])
        (left, right), (top, bottom) = ends
        return left, top, right, bottom

    @property
    def scrolled(self) -> float:
        found: float = self.page.evaluate("window.scrollY")
        return found


def _between(start: Spot, end: Spot, share: float) -> Spot:
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


@pytest.fixture
def hand(visitor: Visitor) -> Hand:
    page = visitor.open("/map/", size="narrow", touch=True)
    page.wait_for_selector(".atlas__stage[data-state=ready][data-frame-ms]")
    return Hand(page)


def near(found: Sequence[float], expected: Sequence[float], tolerance: float = 12) -> bool:
    """Whether views are the same, as far as a finger's first pixels and whole thousandths allow."""
    return all(abs(one - other) <= tolerance for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("start", [(30, 0), (0, 30), (22, 22)], ids=["sideways", "upright", "slanted"])
def test_two_fingers_zoom_about_the_place_between_them(hand: Hand, start: Spot) -> None:
    spot = (hand.middle[0] + 30, hand.middle[1] - 40)
    before = hand.scrolled
    hand.pinch(spot, start, 3)
    expect(hand.page.locator(".atlas__stage.is-zoomed")).to_have_count(1)
    found, expected = hand.view(), hand.expected_view(3, spot)
    assert near(found, expected), (found, expected)
    assert hand.scrolled == before
    assert hand.page.evaluate("visualViewport.scale") == 1


def test_the_browsers_own_pinch_zooms_the_map_and_not_the_page(hand: Hand) -> None:
    x, y = hand.left + hand.middle[0], hand.top + hand.middle[1]
    values = {"x": x, "y": y, "scaleFactor": 2.5, "relativeSpeed": 600, "gestureSourceType": "touch"}
    hand.cdp.send("Input.synthesizePinchGesture", values)
    expect(hand.page.locator(".atlas__stage.is-zoomed")).to_have_count(1)
    assert hand.page.evaluate("visualViewport.scale") == 1


def test_pinching_together_shows_the_whole_map_again(hand: Hand) -> None:
    whole = hand.view()
    hand.pinch(hand.middle, (25, 0), 4)
    assert hand.view() != whole
    hand.pinch(hand.middle, (150, 0), 0.1)
    expect(hand.page.locator(".atlas__stage.is-zoomed")).to_have_count(0)
    assert hand.view() == whole


def test_two_fingers_move_the_map_too(hand: Hand) -> None:
    """Zoomed first, so that there is something to move; then both go the same way, side by side."""
    hand.pinch(hand.middle, (20, 0), 3)
    x, y = hand.middle
    hand.drag(((x - 40, y), (x + 10, y + 60)), ((x + 40, y), (x + 90, y + 60)))
    found, expected = hand.view(), hand.expected_view(3, hand.middle, (50, 60))
    assert near(found, expected), (found, expected)


def test_the_finger_that_stays_goes_on_moving_without_a_jump(hand: Hand) -> None:
    x, y = hand.middle
    hand.drag(((x - 20, y), (x - 60, y)), ((x + 20, y), (x + 60, y)), lift=False)
    hand.put("touchEnd", (x - 60, y))
    hand.settle()
    # the second finger is the only one now
    for step in range(1, 9):
        other = {"x": hand.left + x + 60 + 5 * step, "y": hand.top + y, "id": 1}
        hand.cdp.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [other]})
    hand.put("touchEnd")
    hand.settle()
    found, expected = hand.view(), hand.expected_view(3, hand.middle, (40, 0))
    assert near(found, expected), (found, expected)
    expect(hand.page.locator(".atlas__card")).to_be_hidden()


def test_one_finger_scrolls_the_page_until_the_map_is_zoomed(hand: Hand) -> None:
    (x, y), before = hand.middle, hand.scrolled
    hand.drag(((x, y + 60), (x, y - 60)), steps=20)
    hand.page.wait_for_function("before => window.scrollY > before + 50", arg=before)
    expect(hand.page.locator(".atlas__stage.is-zoomed")).to_have_count(0)
    hand = Hand(hand.page)
    hand.pinch(hand.middle, (20, 0), 3)
    before, view = hand.scrolled, hand.view()
    hand.drag(((x, y + 50), (x, y - 50)), steps=20)
    assert hand.scrolled == before
    moved = 1000 * 100 / (3 * hand.whole)
    assert near(hand.view(), (view[0], view[1] + moved, view[2], view[3] + moved)), (view, hand.view())


def test_a_lasso_is_drawn_by_a_finger_and_given_up_for_a_second_one(hand: Hand) -> None:
    x, y = hand.middle
    lasso = hand.page.get_by_role("button", name="Lasso")
    lasso.tap()
    hand.put("touchStart", (x - 80, y - 80))
    for spot in [(x + 80, y - 80), (x + 80, y + 80), (x - 80, y + 80), (x - 80, y - 80)]:
        hand.put("touchMove", spot)
        # as slow as a hand: after a fling the browser takes the next tap for one that stops it
        hand.page.wait_for_timeout(60)
    hand.put("touchEnd")
    expect(hand.page.locator(".atlas__bar")).to_be_visible()
    assert "area=" in hand.page.url
    hand.page.wait_for_timeout(1_500)
    hand.page.get_by_role("button", name="Clear").tap()
    expect(hand.page.locator(".atlas__bar")).to_be_hidden()
    lasso.tap()
    expect(lasso).to_have_attribute("aria-pressed", "true")
    hand.pinch(hand.middle, (20, 0), 3)
    expect(hand.page.locator(".atlas__stage.is-zoomed")).to_have_count(1)
    expect(hand.page.locator(".atlas__bar")).to_be_hidden()


def test_a_tap_on_a_question_holds_it_with_its_link(hand: Hand) -> None:
    card = hand.page.locator(".atlas__card.is-pinned")
    x, y = hand.middle
    # a finger reaches 20 pixels far: one of these spots has a question there
    for spot in [(x, y), (x - 60, y), (x + 60, y), (x, y - 60), (x, y + 60)]:
        hand.drag((spot, spot), steps=1)
        if hand.page.locator(".atlas__stage.is-over").count():
            break
    expect(card.get_by_role("link", name="Open the question").first).to_be_visible()
    corner = (hand.width - 4, hand.height - 4)
    hand.drag((corner, corner), steps=1)
    expect(hand.page.locator(".atlas__card")).to_be_hidden()
