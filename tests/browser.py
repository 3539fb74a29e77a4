"""A real site and a real browser: the server in a process of its own, headless Chromium before it.

Import the fixtures that a test folder needs into its conftest.py.
"""

import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, sync_playwright

from tests.processes import ROOT, Project

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 390, "height": 844}
SIZES = {"wide": WIDE, "narrow": NARROW}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_START_SECONDS = 60.0
# the rules of WCAG 2.0 to 2.2, A and AA
_AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@dataclass
class Site:
    """A running web server on a project's database."""

    project: Project
    address: str
    secret_key: str
    log_path: Path
    process: subprocess.Popen[bytes]
    passwords: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, Any] = field(default_factory=dict)  # of each role, once signed in

    def make_user(self, role: str) -> str:
        """A user of this role, named after it; its password is kept here."""
        if role not in self.passwords:
            self.passwords[role] = self.project.json("create_user", role, "--role", role)["password"]
        return role

    def log(self) -> str:
        """What the server printed so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")


@contextmanager
def running_site(project: Project, folder: Path, *, code: Path = ROOT, **settings: str) -> Iterator[Site]:
    """`uvicorn s1web.asgi:application` on a free port, ready to answer.

    Args:
        folder: where its log goes.
        code: the folder it is started in.
        settings: environment variables.
    """
    key = secrets.token_urlsafe(50)
    log_path = folder / f"web-{secrets.token_hex(4)}.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            # port 0: the system chooses a free one, and the log says which
            [sys.executable, "-m", "uvicorn", "s1web.asgi:application", "--port", "0"],
            cwd=code,
            env=project.environment | {"SECRET_KEY": key} | settings,
            stdout=log,
            stderr=log,
        )
        site = Site(project, "", key, log_path, process)
        try:
            site.address = _wait_for_address(site)
            yield site
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for_address(site: Site) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and site.process.poll() is None:
        # it says so once it listens
        said = re.search(r"running on (http://[\d.]+:\d+) ", site.log())
        if said:
            return said[1]
        time.sleep(0.05)
    raise AssertionError(f"the web server did not come up:\n{site.log()}")


def chromium_path() -> str:
    """The browser; where it is missing, CI fails and others skip."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found:
        return found
    if os.environ.get("CI") == "true":
        pytest.fail(
            "chromium is not installed, and CI runs the browser tests: apt-get install chromium", pytrace=False
        )
    pytest.skip("chromium is not installed: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One headless Chromium for the tests of a module.

    Not of the session: while Playwright is on, its event loop runs in the tests' thread, and Django refuses to use
    a database there.
    """
    path = chromium_path()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def live_site(make_project: Callable[[str], Project], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site on an empty SQLite database, for the tests of one module."""
    project = make_project("sqlite")
    migrated = project.run("migrate", "--verbosity", "0")
    assert migrated.returncode == 0, migrated.stderr
    with running_site(project, tmp_path_factory.mktemp("site")) as site:
        yield site


class Visitor:
    """Someone at a browser; what the page complains about is collected, and fails the test in the end."""

    def __init__(self, browser: Browser, site: Site) -> None:
        self.site = site
        self.complaints: list[str] = []
        self.pages: list[Page] = []
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    def open(
        self,
        path: str = "/",
        *,
        role: str | None = "viewer",
        size: str = "wide",
        theme: Literal["light", "dark"] = "light",
        scripts: bool = True,
        touch: bool = False,
    ) -> Page:
        """A page of the site in a fresh browser window, signed in as a user of the role; None is nobody."""
        context = self._browser.new_context(
            base_url=self.site.address,
            viewport=SIZES[size],  # type: ignore[arg-type]
            color_scheme=theme,
            java_script_enabled=scripts,
            has_touch=touch,
            is_mobile=touch,
            storage_state=self._signed_in(role) if role else None,
        )
        self._contexts.append(context)
        page = self._watched(context.new_page())
        page.goto(path)
        return page

    def forgive(self, text: str) -> None:
        """Complaints that hold this text were expected."""
        assert any(text in line for line in self.complaints), f"nothing complained about {text!r}: {self.complaints}"
        self.complaints = [line for line in self.complaints if text not in line]

    def close(self) -> None:
        for context in self._contexts:
            context.close()

    def _signed_in(self, role: str) -> Any:
        """The cookies of a user who typed name and password, once a site."""
        if role not in self.site.cookies:
            name = self.site.make_user(role)
            context = self._browser.new_context(base_url=self.site.address)
            page = self._watched(context.new_page())
            page.goto("/sign-in/")
            page.get_by_label("Name").fill(name)
            page.get_by_label("Password").fill(self.site.passwords[name])
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url(f"{self.site.address}/")
            self.site.cookies[role] = context.storage_state()
            context.close()
        return self.site.cookies[role]

    def _watched(self, page: Page) -> Page:
        # Chromium reports what the content security policy stopped as console errors too
        page.on(
            "console", lambda message: message.type == "error" and self.complaints.append(f"console: {message.text}")
        )
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on("response", self._check)
        self.pages.append(page)
        return page

    def _check(self, response: Response) -> None:
        if response.status >= 500:
            self.complaints.append(f"{response.status}: {response.url}")


@pytest.fixture
def visitor(browser: Browser, live_site: Site) -> Iterator[Visitor]:
    """Opens pages of `live_site`; errors on the console and stopped content fail the test."""
    someone = Visitor(browser, live_site)
    yield someone
    someone.close()
    assert not someone.complaints, "\n".join(someone.complaints)


def assert_accessible(page: Page) -> None:
    """No rule of WCAG A or AA that axe-core can check is broken, contrast included.

    Raises:
        AssertionError: with each broken rule and the elements that break it.
    """
    assert AXE.is_file(), f"{AXE} is missing; run: make setup"
    # evaluated from outside the page, so that the content security policy needs no hole
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", _AXE_TAGS)
    assert found["passes"], "axe-core checked nothing"
    broken = [
        f"{violation['id']}: {violation['help']}\n    {node['html'][:200]}\n    {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
    assert not broken, f"{page.url}\n" + "\n".join(broken)


def assert_no_sideways_scroll(page: Page) -> None:
    """The page itself never scrolls sideways; wide tables and logs do so in boxes of their own."""
    width, wanted = page.evaluate("[document.documentElement.clientWidth, document.documentElement.scrollWidth]")
    assert wanted <= width, f"{page.url} is {wanted} px wide in a window of {width} px"
