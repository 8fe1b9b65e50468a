"""The console without a mouse."""

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import EMAIL, PASSWORD
from tests.console.operator import Operator

pytestmark = pytest.mark.e2e

_FOCUSED = """
(() => {
  const at = document.activeElement
  const label = at.labels?.[0]?.innerText || at.getAttribute('aria-label')
  return (label || at.innerText || at.placeholder || at.tagName).trim().split('\\n')[0]
})()
"""


def tab_to(page: Page, name: str, *, most: int = 80) -> None:
    """Press Tab until what is called so has the focus, and can be seen to have it."""
    seen = []
    for _ in range(most):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(_FOCUSED))
        if seen[-1] == name:
            break
    assert seen[-1] == name, seen
    assert page.evaluate("document.activeElement.matches(':focus-visible')"), f"{name}: nobody sees where the focus is"


def test_a_job_is_submitted_and_found_with_the_keyboard_alone(operator: Operator) -> None:
    page, keys = operator.page, operator.page.keyboard
    page.reload()
    operator.wait_live()
    page.locator("a.brand").focus()
    keys.press("Shift+Tab")
    assert page.evaluate(_FOCUSED) == "Skip to content"
    keys.press("Enter")
    tab_to(page, "Submit a job", most=3)
    keys.press("Enter")
    dialog = page.get_by_role("dialog", name="Submit a job")
    expect(dialog).to_be_visible()
    keys.press("Escape")
    expect(dialog).to_have_count(0)
    assert page.evaluate(_FOCUSED) == "Submit a job", "the focus comes back"
    keys.press("Enter")
    tab_to(page, "Kind")
    keys.type("system.echo")
    expect(dialog.get_by_label("Kind")).to_have_value("system.echo")
    tab_to(page, "message")
    keys.type("typed")
    tab_to(page, "Submit")
    keys.press("Enter")
    expect(operator.status("succeeded")).to_be_visible()
    expect(page.get_by_role("region", name="Result")).to_contain_text("typed")

    tab_to(page, "Sign out")
    keys.press("Enter")
    expect(page.get_by_label("E-mail")).to_be_focused()
    keys.type(EMAIL)
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    operator.wait_live()
