"""What operators do at the console: budgets, people, the audit log, and the way from a waiting job to its remedy."""

import pytest
from playwright.sync_api import expect

from tests.console.operator import Operator

pytestmark = pytest.mark.e2e


def test_a_job_that_waits_for_a_budget_leads_to_it(operator: Operator) -> None:
    page = operator.page
    # What was used already fills the budget; one more call alone would fit.
    operator.submit("llm.chat", wait=60, prompt="Tell me about the sea.", max_tokens=30)
    total = operator.api.get("/api/v1/usage").json()["total"]
    used = str(total["input_tokens"] + total["output_tokens"])
    operator.go("Budgets")
    operator.press("New budget")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("For", exact=True).select_option("Each day")
    dialog.get_by_label("Most tokens").fill(used)
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_role("progressbar", name="Tokens")).to_be_visible()

    job_id = operator.submit("llm.chat", prompt="Say hello.", max_tokens=5)
    operator.go("Jobs")
    expect(operator.row(job_id).locator("[data-wait='budget']")).to_be_visible()
    operator.row(job_id).get_by_role("link", name="llm.chat").click()
    expect(page.get_by_text("A budget is used up.")).to_be_visible()
    page.get_by_role("link", name="Open budgets").click()
    page.get_by_role("button", name="Change All models · Each day").click()
    dialog.get_by_label("Most tokens").fill("1000000")
    dialog.get_by_role("button", name="Save").click()
    page.goto(f"{operator.url}/jobs/{job_id}")
    expect(operator.status("succeeded")).to_be_visible()

    operator.go("Usage")
    expect(page.get_by_role("img", name="Output tokens")).to_be_visible()
    expect(page.get_by_role("table", name="Usage").get_by_role("row")).not_to_have_count(1)
    operator.go("Budgets")
    page.get_by_role("button", name="Delete All models · Each day").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No budgets")).to_be_visible()


def test_people_are_managed_and_the_audit_log_tells_of_it(operator: Operator) -> None:
    page = operator.page
    operator.go("People")
    operator.press("Add")
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Service account").click()
    dialog.get_by_label("Name").fill("console importer")
    dialog.get_by_role("button", name="Add").click()
    row = page.locator("[data-user='console importer']")
    row.get_by_role("link", name="Keys of console importer").click()
    expect(page.get_by_text("Of console importer")).to_be_visible()
    operator.press("New key")
    dialog.get_by_label("Name").fill("its key")
    dialog.get_by_role("button", name="Create").click()
    page.get_by_role("dialog", name="its key").get_by_role("button", name="Close").last.click()
    expect(page.get_by_role("row", name="its key")).to_be_visible()

    operator.go("People")
    operator.press("Disable console importer")
    expect(row.locator("[data-status='disabled']")).to_be_visible()
    operator.press("Remove console importer")
    dialog.get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)

    operator.go("Audit log")
    page.get_by_label("Event").fill("key.create")
    page.get_by_label("Event").press("Enter")
    made = page.locator("[data-audit='key.create']").first
    expect(made.locator("[data-status='success']")).to_be_visible()
    made.get_by_role("link").last.click()
    expect(page.get_by_role("heading", name="Requests")).to_be_visible()
    operator.go("Organisations")
    page.get_by_role("row", name="yours").get_by_role("link").click()
    expect(page.get_by_role("table", name="Members").get_by_text("grace@example.com")).to_be_visible()


def test_a_queue_that_is_waited_for_is_shown_with_its_workers(operator: Operator) -> None:
    page = operator.page
    operator.api.post("/api/v1/ops/queues/email/pause")
    job_id = operator.submit("email.send", to="ada@example.com", subject="Later", text="Later.")
    page.goto(f"{operator.url}/jobs/{job_id}")
    page.get_by_role("link", name="Show the queue").click()
    expect(page.get_by_role("heading", name="Workers of email")).to_be_visible()
    expect(page.locator("[data-worker]")).to_have_count(1)
    operator.press("Resume queue email")
    page.go_back()
    expect(operator.status("succeeded")).to_be_visible()
