"""Many updates at once, and how soon the page is there."""

import sys
import time
from statistics import median

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.conftest import SCREENSHOTS
from tests.console.operator import Operator

pytestmark = pytest.mark.e2e

_LOADS = 5
_PATIENCE = 60.0
_MOST_ANSWER = 2000.0
# Frames, tasks that hold the page up, and the time from a click to the frame that shows what it did.
_WATCH = """() => {
  const seen = window.seen = { frames: 0, longest: 0, tasks: [], answers: [], last: performance.now() }
  const frame = (now) => {
    seen.frames += 1
    seen.longest = Math.max(seen.longest, now - seen.last)
    seen.last = now
    requestAnimationFrame(frame)
  }
  requestAnimationFrame(frame)
  const note = (list) => seen.tasks.push(...list.getEntries().map((each) => each.duration))
  new PerformanceObserver(note).observe({ type: 'longtask' })
  const answered = (event) => () => seen.answers.push(performance.now() - event.timeStamp)
  addEventListener('click', (event) => requestAnimationFrame(() => setTimeout(answered(event))), true)
}"""
# Every row of the list by its id, read while scrolling from its beginning to its end.
_READ_ROWS = """async () => {
  const box = document.querySelector('.table-body'), rows = {}
  for (let top = 0; top <= box.scrollHeight; top += box.clientHeight) {
    box.scrollTop = top
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
    for (const row of box.querySelectorAll('[data-job]'))
      rows[row.dataset.job] = row.querySelector('[data-status]').dataset.status
  }
  return rows
}"""
_NOTE_FIRST = """
new MutationObserver((_, watch) => {
  if (!document.querySelector('%s')) return
  window.firstSeen = performance.now()
  watch.disconnect()
}).observe(document, { childList: true, subtree: true })
"""


def flood(operator: Operator, batches: int) -> tuple[list[str], float]:
    """Thousands of jobs, with a click while their updates come. Returns their ids and the seconds until all ended."""
    page = operator.page
    page.evaluate(_WATCH)
    started, ids = time.monotonic(), []
    for batch in range(batches):
        jobs = [{"kind": "system.echo", "payload": {"message": f"{batch} {number}"}} for number in range(1000)]
        answer = operator.api.post("/api/v1/jobs/batch", json={"jobs": jobs})
        ids += [item["job"]["id"] for item in answer.json()["items"]]
        operator.press("Submit a job")
        page.keyboard.press("Escape")
    expect(operator.row(max(ids))).to_be_visible()
    for unfinished in ("queued", "running"):
        expect(page.locator(f"[data-job] [data-status='{unfinished}']")).to_have_count(0)
    while any(
        operator.api.get("/api/v1/jobs", params={"status": status, "kind": "system.echo", "limit": 1}).json()["items"]
        for status in ("queued", "running")
    ):
        time.sleep(0.1)
    return ids, time.monotonic() - started


def shown(page: Page, ids: list[str]) -> set[str | None]:
    """The states of these jobs in the page; the last updates may still be on their way for a minute."""
    end = time.monotonic() + _PATIENCE
    while True:
        rows = page.evaluate(_READ_ROWS)
        states = {rows.get(job_id) for job_id in ids}
        if states == {"succeeded"} or time.monotonic() > end:
            return states


def report(page: Page, updates: int, seconds: float) -> str:
    """What the page saw of a flood, in words."""
    seen = page.evaluate("window.seen")
    assert seen["frames"] > 20, seen
    tasks, answers = seen["tasks"], seen["answers"]
    return (
        f"{updates:,} updates in {seconds:.1f} s ({updates / seconds:,.0f} a second): {seen['frames']} frames, longest "
        f"pause {seen['longest']:.0f} ms; {len(tasks)} long tasks, longest {max(tasks, default=0):.0f} ms; "
        f"clicks answered within {max(answers):.0f} ms"
    )


def test_a_flood_of_updates_keeps_frames_coming(operator: Operator) -> None:
    page = operator.page
    ids, seconds = flood(operator, 1)
    assert page.locator("[role=row]").count() < 60, "only what can be seen is in the page"
    (SCREENSHOTS / "flood.txt").write_text(report(page, 3 * len(ids), seconds))
    assert shown(page, ids) == {"succeeded"}, "no update was lost"


@pytest.mark.soak
def test_a_thousand_updates_a_second_for_seconds_freeze_nothing(operator: Operator) -> None:
    page = operator.page
    ids, seconds = flood(operator, 4)
    told = report(page, 3 * len(ids), seconds)
    sys.stdout.write(f"{told}\n")
    (SCREENSHOTS / "flood-long.txt").write_text(told)
    assert max(page.evaluate("window.seen.answers")) < _MOST_ANSWER, told
    assert shown(page, ids) == {"succeeded"}, "no update was lost"


@pytest.mark.soak
def test_how_soon_the_page_is_there(browser: Browser, operator: Operator) -> None:
    made = operator.api.post("/api/v1/api-keys", json={"name": "first load", "scopes": ["jobs:read", "users:read"]})
    operator.submit("system.echo", wait=30, message="a row to see")
    keep = f"sessionStorage.setItem('letuin.key', '{made.json()['key']}')"
    told = "\n".join(
        f"{name}: {median(_load(browser, operator, script, first) for _ in range(_LOADS)):.0f} ms"
        for name, script, first in (("sign in", "", "h1"), ("the list of jobs", keep, "[data-job]"))
    )
    sys.stdout.write(f"{told}\n")
    (SCREENSHOTS / "loads.txt").write_text(told)


def _load(browser: Browser, operator: Operator, script: str, first: str) -> float:
    """Milliseconds from the start of the navigation, nothing kept from before, until `first` is in the page."""
    context = browser.new_context()
    try:
        page = context.new_page()
        page.add_init_script(script + _NOTE_FIRST % first)
        page.goto(operator.url)
        page.locator(first).first.wait_for()
        return float(page.evaluate("window.firstSeen"))
    finally:
        context.close()
