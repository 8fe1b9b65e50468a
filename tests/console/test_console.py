"""The console as an operator uses it who never saw the project: in Chromium, against everything."""

import re
import signal

import pytest
from playwright.sync_api import APIResponse, Route, expect

from tests.console.conftest import SCREENSHOTS
from tests.console.operator import Operator

pytestmark = pytest.mark.e2e


def test_an_operator_finds_out_why_a_job_is_stuck_and_mends_it(operator: Operator) -> None:
    page = operator.page
    operator.api.post("/api/v1/ops/queues/default/pause")
    job_id = operator.submit("system.echo", message="hello")

    expect(operator.row(job_id).locator("[data-status='queued']")).to_be_visible()  # it came by itself
    operator.row(job_id).get_by_role("link").click()
    expect(page.get_by_text("The queue default is paused.")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "why.png")
    operator.press("Resume queue default")

    expect(operator.status("succeeded")).to_be_visible()
    expect(page.locator("[data-event='job.succeeded']")).to_be_visible()
    expect(page.get_by_role("region", name="Result")).to_contain_text('"hello"')

    # … and finds the request that started it.
    page.get_by_role("definition").get_by_role("link").last.click()
    expect(page.get_by_role("heading", name="Requests")).to_be_visible()
    expect(page.get_by_text("POST /api/v1/jobs")).to_be_visible()
    page.get_by_role("link", name="system.echo").click()
    expect(page.get_by_role("heading", name="system.echo")).to_be_visible()


def test_dead_letters_are_retried_and_watched_over_the_death_of_the_api(operator: Operator) -> None:
    page = operator.page
    ids = [operator.submit("llm.chat", prompt="Tell me about the sea.", model="nothing") for _ in range(2)]
    operator.go("Dead letters")
    for job_id in ids:
        page.get_by_label(f"Select {job_id[-8:]}").check()
    page.get_by_role("button", name="Retry selected (2)").click()
    expect(page.get_by_text("2 queued again")).to_be_visible()

    operator.row(ids[0]).get_by_role("link").click()  # it has failed again
    operator.press("Retry with another payload")
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("JSON", exact=True).click()
    dialog.get_by_role("textbox").fill('{"prompt": "Tell me about the sea.", "max_tokens": 150}')
    dialog.get_by_role("button", name="Retry", exact=True).click()

    output = page.get_by_role("log", name="Output")
    expect(output).to_contain_text(" ")
    operator.system.descendant("api.main").send_signal(signal.SIGKILL)
    expect(page.locator("[data-connection]")).not_to_have_attribute("data-connection", "live")
    operator.wait_live()
    expect(operator.status("succeeded")).to_be_visible()
    assert output.text_content() == operator.job(ids[0])["result"]["text"]


def test_somebody_submits_a_job_and_talks_with_the_agent(operator: Operator) -> None:
    page = operator.page
    operator.press("Submit a job")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Kind").select_option("system.echo")
    dialog.get_by_role("textbox", name="message").fill("from a form")
    dialog.get_by_role("button", name="Submit", exact=True).click()
    expect(operator.status("succeeded")).to_be_visible()
    expect(page.get_by_role("region", name="Result")).to_contain_text("from a form")

    operator.go("Threads")
    operator.press("New thread")
    page.get_by_role("textbox", name="Message").fill("Say hello in one short sentence.")
    operator.press("Send")
    expect(page.locator("[data-role='assistant']")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "thread.png")


def test_mails_are_read_and_schedules_steered(operator: Operator) -> None:
    page = operator.page
    operator.submit("email.send", wait=30, to="ada@example.com", subject="안녕", text="Hi Ada")
    operator.go("Mails")
    page.get_by_role("navigation", name="Mails, newest first").get_by_role("link").first.click()
    mail = page.get_by_role("article", name="안녕")
    expect(mail.get_by_role("region", name="Text")).to_have_text("Hi Ada")
    expect(mail.locator("[data-status='sent']")).to_be_visible()

    operator.go("Schedules")
    operator.press("New schedule")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("nightly")
    dialog.get_by_label("Cron").last.fill("0 3 * * *")
    dialog.get_by_label("Kind").select_option("system.echo")
    dialog.get_by_label("message").fill("tick")
    dialog.get_by_role("button", name="Create").click()
    page.get_by_role("button", name="Run now: nightly").click()
    page.get_by_role("link", name="nightly").click()
    expect(page.get_by_role("table", name="Firings").locator("[data-status='succeeded']")).to_be_visible()
    page.get_by_role("button", name="Pause: nightly").click()
    expect(page.locator("[data-schedule='nightly'] [data-status='paused']")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "schedules.png")


def test_what_was_read_late_hides_no_event_that_came_before(operator: Operator) -> None:
    page = operator.page
    held: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        held.append((route, route.fetch()))

    job_id = operator.submit("system.sleep", seconds=3)
    shown = operator.row(job_id).locator("[data-status]")
    expect(shown).to_have_attribute("data-status", "running")
    page.route(re.compile(r"/api/v1/jobs\?"), hold)
    operator.press("Refresh")
    while not held:
        page.wait_for_timeout(20)
    expect(shown).to_have_attribute("data-status", "succeeded")
    for route, answer in held:
        route.fulfill(response=answer)
    page.wait_for_timeout(500)
    expect(shown).to_have_attribute("data-status", "succeeded")
