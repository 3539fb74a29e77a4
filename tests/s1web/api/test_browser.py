"""The pages of the API in a real browser: a token made, copied and revoked; the documentation read."""

import json
import urllib.request
from urllib.error import HTTPError

import pytest
from playwright.sync_api import expect

from tests.browser import (
    SIZES,
    THEMES,
    Visitor,
    assert_accessible,
    assert_no_sideways_scroll,
    browser,
    live_site,
    visitor,
)

# fixtures
__all__ = ["browser", "live_site", "visitor"]


def ask(visitor: Visitor, token: str, path: str = "/api/v1/pool") -> tuple[int, str]:
    """Status and body of a request by a program."""
    request = urllib.request.Request(visitor.site.address + path, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def test_a_token_is_made_shown_once_copied_used_and_revoked(visitor: Visitor) -> None:
    page = visitor.open("/api/tokens/", role="curator")
    page.get_by_label("Name").fill("nightly report")
    page.get_by_label("jobs:read").check()
    page.get_by_role("button", name="Make token").click()
    text = page.locator("#token").inner_text()
    assert text.startswith("s1w_")
    assert len(text) == 4 + 8 + 1 + 64
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == text
    assert_accessible(page)
    status, body = ask(visitor, text)
    assert status == 200
    assert json.loads(body)["questions"] == 0
    assert ask(visitor, text, "/api/v1/runs")[0] == 403
    page.goto("/api/tokens/")
    assert text not in page.content()
    assert "used now" in page.locator(".tokens__list").inner_text()
    page.get_by_label("Revoke nightly report").click()
    page.get_by_role("button", name="Revoke 1 token").click()
    expect(page.get_by_text("Token nightly report was revoked")).to_be_visible()
    assert page.locator(".tokens__list").count() == 0
    status, body = ask(visitor, text)
    assert status == 401
    assert "revoked" in json.loads(body)["detail"]


def test_a_form_that_says_too_little_keeps_what_was_typed(visitor: Visitor) -> None:
    page = visitor.open("/api/tokens/", role="viewer")
    page.get_by_label("Name").fill("no scope")
    page.get_by_label("pool:read").uncheck()
    page.get_by_role("button", name="Make token").click()
    expect(page.get_by_text("Choose at least one scope")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("no scope")
    # an exports token would be refused all the same: it is not offered to a viewer
    assert page.get_by_label("exports").count() == 0
    assert_accessible(page)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", ["/api/", "/api/tokens/"])
def test_the_pages_are_accessible_and_fit(visitor: Visitor, path: str, size: str, theme) -> None:
    page = visitor.open(path, role="admin", size=size, theme=theme)
    for operation in page.locator("details.operation").all()[:3]:
        operation.locator("summary").click()
    assert_accessible(page)
    assert_no_sideways_scroll(page)


def test_the_documentation_names_every_operation_and_asks_no_other_host(visitor: Visitor) -> None:
    page = visitor.open("about:blank", role="viewer")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/api/")
    schema = page.request.get("/api/v1/openapi.json").json()
    names = {found["operationId"] for methods in schema["paths"].values() for found in methods.values()}
    shown = {operation.get_attribute("id") for operation in page.locator("details.operation").all()}
    assert shown == names
    assert all(url.startswith(visitor.site.address) for url in asked)
