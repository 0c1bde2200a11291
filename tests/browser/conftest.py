"""A real browser before the real server. Any Chromium or Chrome that is found will do.

Without one these tests are skipped, loudly; with TIEBREAK_REQUIRE_BROWSER=1 (as in CI) a skip is a failure.
"""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright
from sqlalchemy import Engine

from app import db
from app.access import COOKIE, start_session
from app.models import User

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


def any_browser() -> str:
    """The one that TIEBREAK_BROWSER names, else the first on the PATH; empty where there is none."""
    named = os.environ.get("TIEBREAK_BROWSER", "")
    return named or next((path for name in NAMES if (path := shutil.which(name))), "")


def found_browser() -> str:
    if path := any_browser():
        return path
    words = f"no browser: none of {', '.join(NAMES)} is on the PATH, and TIEBREAK_BROWSER names none"
    if os.environ.get("TIEBREAK_REQUIRE_BROWSER") == "1":
        pytest.fail(words)
    pytest.skip(words)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = found_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def serving() -> Iterator[str]:
    """The app on a port of its own, in a thread of this process."""
    from app.main import app  # noqa: PLC0415 -- the settings must be in the environment first

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)


@pytest.fixture
def site(database: Engine) -> Iterator[str]:
    with serving() as address:
        yield address


def session_of(user: User) -> str:
    """Signed in already: the form has a test of its own, and a password is slow on purpose."""
    with db.work_unit() as session:
        return start_session(session, user)


def until(page: Page, expression: str, arg: object = None) -> None:
    """Wait for something that a script can see. Playwright's own way would have the page evaluate text, which its policy forbids."""
    deadline = time.monotonic() + 30
    while not page.evaluate(expression, arg):
        assert time.monotonic() < deadline, f"never became true: {expression}"
        page.wait_for_timeout(20)


def intercept(page: Page, addresses: str, answer: Callable[[Route], object]) -> None:
    """Answer these requests of a page in the server's place. Loaded anew: what a page began with may go past the browser's ear."""
    page.route(addresses, answer)
    page.reload()


def with_its_own_clock(page: Page) -> Page:
    """Loaded anew with a clock that can be set forward. The page takes no key soon after a turn has come: it would be meant for the last one."""
    page.clock.install()
    page.reload()
    return page


def a_moment_later(page: Page) -> None:
    page.clock.fast_forward(400)


Open = Callable[..., Page]


@pytest.fixture
def visit(chromium: Browser, site: str) -> Iterator[Open]:
    """Open a page as somebody: `visit(ben, "/projects/…", java_script_enabled=False)`. Any script error fails the test."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def open_page(user: User | None, path: str, **told: object) -> Page:
        context = chromium.new_context(base_url=site, **told)  # type: ignore[arg-type]  # Playwright's own options
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
        if user is not None:
            context.add_cookies([{"name": COOKIE, "value": session_of(user), "url": site}])
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not errors
