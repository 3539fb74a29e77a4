"""The frame in a real browser: themes, sizes, keyboard, without scripts, and readable for everyone."""

import pytest
from playwright.sync_api import Page, expect

from tests import browser as helpers
from tests.browser import SIZES, THEMES, Visitor, assert_accessible, assert_no_sideways_scroll

BACKGROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 28)"}
NO_SUCH_PAGE = "/no/such/page"


def background(page: Page) -> str:
    colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return colour


def box(page: Page, selector: str) -> dict[str, float]:
    found = page.locator(selector).bounding_box()
    assert found, selector
    return dict(found)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("path", "role"), [("/", "viewer"), ("/sign-in/", None)])
def test_a_page_is_accessible_and_never_scrolls_sideways(visitor: Visitor, path, role, theme, size):
    page = visitor.open(path, role=role, theme=theme, size=size)
    assert background(page) == BACKGROUNDS[theme]
    assert_accessible(page)
    assert_no_sideways_scroll(page)


@pytest.mark.parametrize("theme", THEMES)
def test_open_menu_and_open_help_are_accessible(visitor: Visitor, theme):
    page = visitor.open("/", theme=theme)
    page.locator("summary").click()
    assert_accessible(page)
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert_accessible(page)


def test_the_theme_follows_the_system_until_one_is_chosen_and_the_choice_stays(visitor: Visitor):
    page = visitor.open("/", theme="light")
    page.emulate_media(color_scheme="dark")
    assert background(page) == BACKGROUNDS["dark"]
    page.locator("summary").click()
    expect(page.get_by_role("button", name="System")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Light").click()
    assert background(page) == BACKGROUNDS["light"]
    page.reload()
    assert background(page) == BACKGROUNDS["light"]
    page.locator("summary").click()
    expect(page.get_by_role("button", name="Light")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="System").click()
    assert background(page) == BACKGROUNDS["dark"]


def test_a_chosen_theme_is_there_before_the_first_paint(visitor: Visitor):
    page = visitor.open("/", theme="light")
    page.evaluate("localStorage.setItem('theme', 'dark')")
    # what the page looks like when its body begins, before any deferred script
    page.add_init_script(
        "new MutationObserver((_, me) => { if (document.body) { me.disconnect(); "
        "window.themeAtBody = document.documentElement.dataset.theme } })"
        ".observe(document, {childList: true, subtree: true})"
    )
    page.reload()
    assert page.evaluate("window.themeAtBody") == "dark"


def test_the_navigation_folds_to_icons_and_then_to_a_bar_at_the_bottom(visitor: Visitor):
    page = visitor.open("/")
    link = page.get_by_role("navigation", name="Main").get_by_role("link", name="Overview", exact=True)
    assert box(page, ".nav")["width"] == 184
    page.set_viewport_size({"width": 800, "height": 800})
    assert box(page, ".nav")["width"] == 56
    expect(link).to_be_visible()  # its name stays, for those who hear it
    page.set_viewport_size(helpers.NARROW)
    nav = box(page, ".nav")
    assert (nav["x"], nav["width"], nav["y"] + nav["height"]) == (0, 390, 844)
    expect(link).to_have_attribute("aria-current", "page")


def test_at_the_bottom_of_a_narrow_page_nothing_is_under_the_bar(visitor: Visitor):
    page = visitor.open("/", size="narrow")
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<p>line</p>'.repeat(100))")
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    last = page.locator("main p").last.bounding_box()
    assert last
    assert last["y"] + last["height"] <= box(page, ".nav")["y"]


def test_a_question_mark_shows_the_shortcuts_and_escape_closes_them(visitor: Visitor):
    page = visitor.open("/")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("row", name="g o Go to Overview")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_g_and_a_letter_go_to_a_place(visitor: Visitor):
    page = visitor.open(NO_SUCH_PAGE)
    visitor.forgive("404")
    page.keyboard.press("g")
    page.keyboard.press("o")
    page.wait_for_url(f"{visitor.site.address}/")


def test_letters_typed_into_a_field_are_no_shortcuts(visitor: Visitor):
    page = visitor.open(NO_SUCH_PAGE)
    visitor.forgive("404")
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<input id=field>')")
    page.locator("#field").press_sequentially("go?")
    assert page.locator("#field").input_value() == "go?"
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert page.url.endswith(NO_SUCH_PAGE)


def test_the_first_tab_stop_skips_to_the_content(visitor: Visitor):
    page = visitor.open("/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    assert box(page, ".skip-link")["y"] >= 0
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_what_has_the_focus_is_outlined(visitor: Visitor):
    page = visitor.open("/")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_escape_closes_the_menu_and_gives_the_focus_back(visitor: Visitor):
    page = visitor.open("/")
    button = page.locator("summary")
    button.focus()
    page.keyboard.press("Enter")
    sign_out = page.get_by_role("button", name="Sign out")
    expect(sign_out).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(sign_out).to_be_hidden()
    expect(button).to_be_focused()


def test_a_user_signs_in_and_out_by_keyboard_alone(visitor: Visitor):
    name = visitor.site.make_user("viewer")
    page = visitor.open("/sign-in/", role=None)
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(visitor.site.passwords[name])
    page.keyboard.press("Enter")
    page.wait_for_url(f"{visitor.site.address}/")
    page.locator("summary").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign out").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign-in/")


def test_without_scripts_one_can_sign_in_read_and_sign_out(visitor: Visitor):
    name = visitor.site.make_user("viewer")
    page = visitor.open("/", role=None, scripts=False)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(visitor.site.passwords[name])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.locator("summary").click()
    expect(page.get_by_role("button", name="Dark")).to_be_hidden()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_htmx_is_there_and_keeps_to_the_policy(visitor: Visitor):
    page = visitor.open("/")
    config = page.evaluate("htmx.config")
    assert config["allowEval"] is False
    assert config["allowScriptTags"] is False
    assert config["selfRequestsOnly"] is True
    assert config["includeIndicatorStyles"] is False


def test_a_fragment_fetched_after_the_session_ended_leads_to_the_form_and_back(visitor: Visitor):
    page = visitor.open("/workers/")
    expect(page.locator("#running-jobs")).to_be_attached()
    page.context.clear_cookies()
    page.evaluate("htmx.ajax('GET', '/jobs/meter/', '#running-jobs')")
    page.wait_for_url("**/sign-in/?next=/workers/")


def test_content_that_the_policy_stops_fails_a_test(visitor: Visitor):
    page = visitor.open("/")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=https://example.org/x.png>')")
    page.wait_for_timeout(200)
    visitor.forgive("Content Security Policy")
    assert visitor.complaints == []


def test_an_error_in_a_script_fails_a_test(visitor: Visitor):
    page = visitor.open("/")
    page.evaluate("setTimeout(() => { throw new Error('on purpose') })")
    page.wait_for_timeout(200)
    visitor.forgive("on purpose")


def test_a_page_that_is_hard_to_read_fails_a_test(visitor: Visitor):
    page = visitor.open("/")
    page.evaluate("document.querySelector('h1').style.color = '#cccccc'")
    with pytest.raises(AssertionError, match="color-contrast"):
        assert_accessible(page)


def test_a_page_that_is_too_wide_fails_a_test(visitor: Visitor):
    page = visitor.open("/", size="narrow")
    page.evaluate("document.querySelector('h1').style.minWidth = '2000px'")
    with pytest.raises(AssertionError, match="in a window of 390 px"):
        assert_no_sideways_scroll(page)


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_without_chromium_ci_fails_and_others_skip(monkeypatch, ci, outcome):
    monkeypatch.setattr("shutil.which", lambda _name: None)
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="apt-get install chromium"):
        helpers.chromium_path()
