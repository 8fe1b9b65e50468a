"""Threads at the console: the past of a conversation, and what is said before it has answered."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.console.operator import Operator

pytestmark = pytest.mark.e2e


@pytest.fixture
def paused_agents(api: httpx2.Client) -> Iterator[None]:
    """Nobody answers in threads."""
    api.post("/api/v1/ops/queues/agent/pause").raise_for_status()
    yield
    api.post("/api/v1/ops/queues/agent/resume").raise_for_status()


def test_a_thread_is_resumed_looked_into_and_forked(operator: Operator) -> None:
    page = operator.page
    thread = operator.api.post("/api/v1/threads", json={"title": "The past"}).json()
    turn = {"content": "Say hello in one short sentence.", "pause_before": ["direct"]}
    said = operator.api.post(f"/api/v1/threads/{thread['id']}/messages", json=turn, headers={"Prefer": "wait=60"})
    assert said.status_code == 200, said.text

    operator.go("Threads")
    page.locator(f"[data-thread='{thread['id']}']").click()
    expect(page.get_by_role("region", name="It waits for you")).to_contain_text("It stopped before direct.")
    operator.press("Go on")
    expect(page.locator("[data-role='assistant']")).to_be_visible()

    page.get_by_text("History", exact=True).click()
    steps = page.get_by_role("table", name="History").locator("[data-checkpoint]")
    expect(steps.filter(has_text="end")).not_to_have_count(0)
    steps.filter(has_text="direct").get_by_role("button", name="State at step").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Say hello in one short sentence.").first).to_be_visible()
    dialog.get_by_role("button", name="Close").last.click()
    steps.filter(has_text="direct").get_by_role("button", name="Fork at step").click()
    dialog.get_by_label("Title").fill("The other way")
    dialog.get_by_role("button", name="Fork").click()
    expect(page.get_by_role("heading", name="The other way")).to_contain_text(f"fork of {thread['id'][-8:]}")
    expect(page.get_by_role("log").get_by_text("Say hello in one short sentence.")).to_be_visible()


# What is asked for, what is typed into which field, which button, and what the agent is told.
ASKED: tuple[tuple[dict[str, Any], str, str, str, Any], ...] = (
    ({"expects": "text", "question": "Which one?"}, "Answer", "the blue one", "Answer", "the blue one"),
    (
        {"expects": "approval", "question": "Send it?"},
        *("Why (optional)", "fine", "Approve"),
        {"approved": True, "note": "fine"},
    ),
    (
        {"expects": "value", "question": "Where to?", "details": {"cities": ["Seoul"]}},
        *("Value, as JSON", '{"city": "Seoul"}', "Answer"),
        {"city": "Seoul"},
    ),
)


@pytest.mark.usefixtures("paused_agents")
def test_every_question_is_answered_in_its_way(operator: Operator) -> None:
    url = operator.system.state.environment["DATABASE_URL"].replace("+asyncpg", "")
    for interrupt, field, text, button, reply in ASKED:
        thread = operator.api.post("/api/v1/threads", json={"title": interrupt["question"]}).json()
        with psycopg.connect(url) as db:
            waits = json.dumps({"id": "i", "node": "ask", **interrupt})
            db.execute("UPDATE threads SET interrupt = %s WHERE id = %s", (waits, thread["id"]))
        operator.go("Threads")
        operator.page.locator(f"[data-thread='{thread['id']}']").click()
        form = operator.page.get_by_role("region", name="It waits for you")
        expect(form).to_contain_text(interrupt["question"])
        form.get_by_role("textbox", name=field).fill(text)
        form.get_by_role("button", name=button, exact=True).click()
        expect(form).to_have_count(0)
        shown = operator.api.get(f"/api/v1/threads/{thread['id']}").json()
        given = operator.api.get(f"/api/v1/jobs/{shown['pending'][0]['job_id']}/payload").json()
        assert given["payload"]["resume"] == reply


@pytest.mark.usefixtures("paused_agents")
def test_messages_that_come_while_it_answers_wait_or_replace(operator: Operator) -> None:
    page = operator.page
    operator.go("Threads")
    operator.press("New thread")
    _say(page, "first")
    expect(page.locator("[data-answering]")).to_be_visible()
    _say(page, "second")
    expect(page.locator("[data-waiting]").get_by_text("second")).to_be_visible()
    page.get_by_label("Until it has answered").select_option("stop it and undo what it did")
    _say(page, "third")
    expect(page.locator("[data-waiting]")).to_have_count(0)
    expect(page.get_by_role("log").get_by_text("third")).to_be_visible()
    operator.press("Stop")
    expect(page.locator("[data-answering]")).to_have_count(0)


def _say(page: Page, text: str) -> None:
    box = page.get_by_role("textbox", name="Message")
    box.fill(text)
    box.press("Enter")
    expect(box).to_have_value("")
