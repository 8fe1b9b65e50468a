"""Webhooks at the console: made, tried out, changed, given another secret, told again, removed."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import expect
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.console.operator import Operator

pytestmark = pytest.mark.e2e

type Call = tuple[bytes, dict[str, str]]


class _Hook(BaseHTTPRequestHandler):
    """Takes every call and keeps it."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        calls: list[Call] = self.server.calls  # type: ignore[attr-defined]
        calls.append((body, {name.lower(): value for name, value in self.headers.items()}))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def hook() -> Iterator[tuple[str, list[Call]]]:
    """The address of a server that is called, and its calls."""
    calls: list[Call] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hook) as server:
        server.calls = calls  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/letuin", calls
        server.shutdown()


def test_a_webhook_from_its_making_to_its_end(operator: Operator, hook: tuple[str, list[Call]]) -> None:
    page, (url, calls) = operator.page, hook
    operator.go("Webhooks")
    operator.press("New webhook")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("URL").fill(url)
    dialog.get_by_label("job.succeeded").uncheck()
    dialog.get_by_role("button", name="Create").click()
    first = _take_secret(operator)
    page.get_by_role("link", name=url).click()
    expect(page.get_by_role("heading", name=url)).to_be_visible()
    expect(page.locator(".facts")).not_to_contain_text("job.succeeded")

    operator.press("Ping")
    pings = page.locator("[data-delivery='webhook.ping']")
    expect(pings.locator("[data-status='delivered']")).to_be_visible()
    Webhook(first).verify(*calls[0])
    page.get_by_role("button", name="Replay: webhook.ping").click()
    expect(pings.locator("[data-status='delivered']")).to_have_count(2)
    assert [headers["webhook-id"] for _, headers in calls] == [calls[0][1]["webhook-id"]] * 2
    page.get_by_role("button", name="Details: webhook.ping").first.click()
    expect(page.get_by_text(f"webhook-id: {calls[0][1]['webhook-id']}")).to_be_visible()

    operator.press("Edit")
    dialog.get_by_label("job.succeeded").check()
    dialog.get_by_label("job.failed").uncheck()
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator(".facts")).to_contain_text("job.succeeded")
    job_id = operator.submit("system.echo", wait=30, message="told")
    told = page.locator("[data-delivery='job.succeeded']").filter(has=page.get_by_role("link", name=job_id[-8:]))
    expect(told.locator("[data-status='delivered']")).to_be_visible()

    operator.press("Rotate secret")
    dialog.get_by_label("Sign with both for").select_option("not at all")
    dialog.get_by_role("button", name="Rotate secret").click()
    second = _take_secret(operator)
    operator.press("Ping")
    expect(pings.locator("[data-status='delivered']")).to_have_count(3)
    Webhook(second).verify(*calls[-1])
    with pytest.raises(WebhookVerificationError):
        Webhook(first).verify(*calls[-1])

    operator.press("Disable")
    expect(page.locator(".job-sub [data-status='disabled']")).to_be_visible()
    operator.press("Delete")
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Webhooks", level=1)).to_be_visible()
    expect(page.get_by_role("link", name=url)).to_have_count(0)


def _take_secret(operator: Operator) -> str:
    """What is shown this once; it is gone when the dialog is closed."""
    dialog = operator.page.get_by_role("dialog", name="Its secret, shown this once")
    secret = dialog.locator("code").inner_text()
    dialog.get_by_role("button", name="Close").last.click()
    expect(operator.page.get_by_text(secret)).to_have_count(0)
    return secret
