"""An account at the console: made, verified, minded, lost and found; and the keys of its owner."""

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.console.mailbox import Mailbox
from tests.console.operator import Operator
from tests.fixtures.up import UpProcess

pytestmark = pytest.mark.e2e

EMAIL = "ida.of.the.console@example.com"
FIRST, SECOND, THIRD = "a horse by the sea", "a battery in the hill", "a staple under the sky"


def test_somebody_makes_an_account_minds_it_and_finds_it_again(
    system: UpProcess, api: httpx2.Client, page: Page
) -> None:
    ida, mailbox = Operator(system, api, page), Mailbox(system.folder / "data" / "mails")
    page.goto(ida.url)
    page.get_by_role("link", name="Create an account").click()
    page.get_by_label("Name").fill("Ida")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("New password").fill(FIRST)
    ida.press("Create account")
    expect(page.get_by_role("heading", name="Verify your e-mail address")).to_be_visible()
    page.goto(f"{ida.url}/{mailbox.next_link(EMAIL)}")
    ida.press("Confirm")
    expect(page.get_by_text("Your address is verified.")).to_be_visible()
    ida.sign_in(EMAIL, FIRST)

    ida.go("My account")
    page.get_by_label("Name").fill("Ida R.")
    ida.press("Save")
    expect(page.get_by_role("link", name="Ida R.")).to_be_visible()
    page.get_by_label("Current password").first.fill(FIRST)
    page.get_by_label("New password").fill(SECOND)
    ida.press("Change password")
    expect(page.get_by_text("Password changed")).to_be_visible()

    _sign_in_elsewhere(system, SECOND)
    page.reload()
    sessions = page.get_by_role("table", name="Where you are signed in").locator("[data-session]")
    expect(sessions).to_have_count(2)
    page.get_by_role("button", name="End the session of python-httpx2").click()
    expect(sessions).to_have_count(1)
    ida.press("Sign out everywhere")
    page.get_by_role("dialog").get_by_role("button", name="Sign out everywhere").click()
    expect(page.get_by_role("heading", name="Sign in to Letuin")).to_be_visible()

    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("E-mail").fill(EMAIL)
    ida.press("Send the code")
    expect(page.get_by_role("heading", name="Choose a new password")).to_be_visible()
    page.goto(f"{ida.url}/{mailbox.next_link(EMAIL)}")
    expect(page).to_have_url(f"{ida.url}/reset-password")  # the code stays in no history
    page.get_by_label("New password").fill(THIRD)
    ida.press("Change password")
    expect(page.get_by_text("Your password is changed.")).to_be_visible()
    ida.sign_in(EMAIL, THIRD)


def test_a_key_is_shown_once_does_what_its_scopes_allow_and_is_revoked(operator: Operator) -> None:
    page = operator.page
    operator.go("API keys")
    operator.press("New key")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("console test")
    dialog.get_by_label("jobs:write").uncheck()
    dialog.get_by_role("button", name="Create").click()
    shown = page.get_by_role("dialog", name="console test")
    key = shown.locator("code").inner_text()
    shown.get_by_role("button", name="Close").last.click()
    expect(page.get_by_text(key)).to_have_count(0)

    with httpx2.Client(base_url=operator.system.state.api_url, timeout=60, trust_env=False) as program:
        program.headers["Authorization"] = f"Bearer {key}"
        assert program.get("/api/v1/jobs").status_code == 200
        refused = program.post("/api/v1/jobs", json={"kind": "system.echo", "payload": {"message": "no"}})
        assert refused.status_code == 403
        page.get_by_role("button", name="Revoke console test").click()
        dialog.get_by_role("button", name="Revoke").click()
        expect(page.get_by_role("row", name="console test").locator("[data-status='revoked']")).to_be_visible()
        assert program.get("/api/v1/jobs").status_code == 401


def _sign_in_elsewhere(system: UpProcess, password: str) -> None:
    body = {"email": EMAIL, "password": password}
    with httpx2.Client(base_url=system.state.api_url, timeout=60, trust_env=False) as program:
        assert program.post("/api/v1/auth/login", json=body).status_code == 200
