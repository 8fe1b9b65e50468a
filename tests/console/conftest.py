"""A running system that wants people to sign in, a real Chromium, and pages that note what they complain about."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.console.operator import Operator
from tests.fixtures.letuin import letuin
from tests.fixtures.up import UpProcess

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
INSTALL = "apt-get install -y --no-install-recommends chromium"
SCREENSHOTS = Path(__file__).parents[2] / "data" / "screenshots"
EMAIL, PASSWORD = "grace@example.com", "correct horse battery"
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_PATIENCE = 60_000  # as much as a test that waits for a process on a busy machine
_SYSTEM = {
    "ENVIRONMENT": "staging",
    "CHROMA_URL": "http://127.0.0.1:9",
    "REGISTRATION_ENABLED": "true",
    "ACCOUNT_URL": "http://console.example/console",
    "WEBHOOK_PRIVATE_NETWORKS": "127.0.0.0/8",
}
_TELLS_OF_A_DEAD_API = re.compile("net::ERR_CONNECTION_(REFUSED|RESET)|WebSocket connection to")
# Said by the page itself: a blocked file, style or script never goes unnoticed.
_WATCH = """
window.violations = [];
addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
  violations.push(`${violatedDirective} ${blockedURI}`)
});
"""


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Chromium: while it runs, this thread runs no other event loop."""
    if CHROMIUM is None:
        pytest.skip(f"needs Chromium: {INSTALL}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One for all of these tests; none of them has a loop of its own."""
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="package")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpProcess]:
    """Everything but vectors, where nobody gets in without signing in; one admin has an account."""
    started = UpProcess.launch(tmp_path_factory.mktemp("console"), env=_SYSTEM)
    try:
        started.wait_running()
        made = ("users", "create", EMAIL, "--role", "admin", "--password-stdin")
        letuin(*made, folder=started.folder, stdin=PASSWORD)
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="package")
def api(system: UpProcess) -> Iterator[httpx2.Client]:
    """What the admin's programs do beside the console."""
    with httpx2.Client(base_url=system.state.api_url, timeout=60, trust_env=False) as client:
        answer = client.post("/api/v1/auth/login", json={"email": EMAIL, "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of a fresh browser profile. Fails the test when it complained, or asked anybody but its own origin."""
    context = browser.new_context(viewport={"width": 1360, "height": 860}, locale="en-US", reduced_motion="reduce")
    context.add_init_script(_WATCH)
    page = context.new_page()
    page.set_default_timeout(_PATIENCE)
    expect.set_options(timeout=_PATIENCE)
    wrong: list[str] = []
    hosts: set[str] = set()
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda asked: hosts.add(asked.url.split("/")[2]))
    page.on("websocket", lambda opened: hosts.add(opened.url.split("/")[2]))
    try:
        yield page
        wrong += page.evaluate("window.violations")
    finally:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{request.node.name}.png")
        context.close()
    assert [line for line in wrong if not _TELLS_OF_A_DEAD_API.search(line)] == []
    assert len(hosts) <= 1, hosts


@pytest.fixture
def operator(system: UpProcess, api: httpx2.Client, page: Page) -> Operator:
    """Somebody at the console, signed in."""
    person = Operator(system, api, page)
    person.sign_in(EMAIL, PASSWORD)
    return person
