"""Every view under axe-core, in both colours and both languages."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import SCREENSHOTS
from tests.console.operator import Operator

pytestmark = pytest.mark.e2e

_AXE = Path(__file__).parents[2] / "console" / "node_modules" / "axe-core" / "axe.min.js"
_VIEWS = (
    *("jobs", "dead-letters", "schedules", "threads", "collections", "mails", "queues", "requests", "usage"),
    *("budgets", "audit", "people", "tenants", "keys", "webhooks", "account"),
)
_EVERYTHING = {"type": "tag", "values": ["wcag2a", "wcag2aa", "best-practice"]}
_COLOURS = {"type": "rule", "values": ["color-contrast"]}
_RUN = """
async (rules) => {
  const { violations } = await axe.run(document, { resultTypes: ['violations'], runOnly: rules })
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).slice(0, 3)}`)
}
"""


@pytest.fixture
def checked(page: Page) -> Page:
    """A page that can say what of it is hard to use."""
    if not _AXE.exists():
        pytest.skip("needs axe-core: npm ci --prefix console")
    return page


def complaints(page: Page, rules: dict[str, Any]) -> list[str]:
    """What axe-core finds wrong with the page as it is now."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE.read_text("utf-8"))
    found: list[str] = page.evaluate(_RUN, rules)
    return found


@pytest.mark.usefixtures("checked")
def test_every_view_is_accessible_in_both_colours_and_languages(operator: Operator) -> None:
    page = operator.page
    for view in _VIEWS:
        page.locator(f"a.nav-link[href$='/{view}']").click()
        expect(page.locator(f"a.nav-link[href$='/{view}']")).to_have_attribute("aria-current", "page")
        expect(page.locator(".loading")).to_have_count(0)
        assert complaints(page, _EVERYTHING) == [], view
        page.get_by_text("Dark", exact=True).click()
        assert complaints(page, _COLOURS) == [], f"{view}, dark"
        page.screenshot(path=SCREENSHOTS / f"{view}-dark.png")
        page.get_by_text("Light", exact=True).click()
    page.get_by_text("한국어").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("내 계정")
    assert page.locator("html").get_attribute("lang") == "ko"
    assert complaints(page, _EVERYTHING) == []


def test_the_door_and_a_dialog_are_accessible_on_a_telephone(operator: Operator, checked: Page) -> None:
    checked.set_viewport_size({"width": 390, "height": 844})
    operator.press("Submit a job")
    expect(checked.get_by_role("dialog")).to_be_visible()
    assert complaints(checked, _EVERYTHING) == []
    checked.keyboard.press("Escape")
    operator.press("Menu")
    operator.press("Sign out")
    for link in ("Create an account", "Forgot your password?"):
        checked.get_by_role("link", name=link).click()
        assert complaints(checked, _EVERYTHING) == [], link
        width = checked.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, f"{link}: nobody scrolls sideways"
        checked.get_by_role("link", name="Back to sign in").click()
