"""What somebody does at the console, in the words of the page."""

from typing import Any

import httpx2
from playwright.sync_api import Locator, Page, expect

from tests.fixtures.up import UpProcess

JOBS = "/api/v1/jobs"


class Operator:
    """A person at a page of a running system; `api` is the same person's program."""

    def __init__(self, system: UpProcess, api: httpx2.Client, page: Page) -> None:
        self.system = system
        self.api = api
        self.page = page

    @property
    def url(self) -> str:
        return f"{self.system.state.api_url}/console"

    def sign_in(self, email: str, password: str) -> None:
        self.page.goto(self.url)
        self.page.get_by_label("E-mail").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
        self.wait_live()

    def wait_live(self) -> None:
        expect(self.page.locator("[data-connection]")).to_have_attribute("data-connection", "live")

    def go(self, view: str) -> None:
        """By the menu."""
        self.page.get_by_role("navigation", name="Main").get_by_role("link", name=view, exact=True).click()
        expect(self.page.get_by_role("heading", name=view, level=1)).to_be_visible()

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def row(self, job_id: str) -> Locator:
        return self.page.locator(f"[data-job='{job_id}']")

    def status(self, name: str) -> Locator:
        """The status below the head of one job's page."""
        return self.page.locator(f".job-sub [data-status='{name}']")

    def submit(self, kind: str, *, wait: int = 0, **payload: Any) -> str:
        """A job of the same person. Returns its id."""
        headers = {"Prefer": f"wait={wait}"} if wait else {}
        answer = self.api.post(JOBS, json={"kind": kind, "payload": payload}, headers=headers)
        assert answer.is_success, answer.text
        return str(answer.json()["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"{JOBS}/{job_id}").json()
        return found
