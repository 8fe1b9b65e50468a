"""Documents at the console, on the system that anybody may use who sits at this machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.conftest import open_browser, page  # noqa: F401  a fixture
from tests.fixtures.up import UpProcess

pytestmark = pytest.mark.e2e

_HANDBOOK = Path(__file__).parents[2] / "examples" / "documents" / "library-handbook.en.pdf"
# Bars come and go between two looks of a test, so the page notes them itself.
_NOTE_BARS = """
window.bars = new Set()
new MutationObserver(() => {
  for (const bar of document.querySelectorAll('progress')) window.bars.add(bar.getAttribute('aria-label'))
}).observe(document.body, { childList: true, subtree: true })
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


def test_files_are_taken_searched_and_removed(up: UpProcess, page: Page, tmp_path: Path) -> None:  # noqa: F811
    note = tmp_path / "holidays.txt"
    note.write_text("Every employee of the harbour has thirty days of paid holiday a year.\n" * 40)
    page.goto(f"{up.state.api_url}/console/collections")
    _press(page, "New collection")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("console files")
    dialog.get_by_role("button", name="Create").click()
    page.evaluate(_NOTE_BARS)
    page.get_by_label("Drop a file here, or choose one").set_input_files([note, _HANDBOOK])
    for name in (note.name, _HANDBOOK.name):
        expect(page.locator(f"[data-document='{name}'] [data-status='ready']")).to_be_visible()
    assert {f"{name} is leaving" for name in (note.name, _HANDBOOK.name)} <= set(page.evaluate("[...window.bars]"))

    page.get_by_role("textbox", name="Search by meaning").fill("How many days of holiday are paid?")
    _press(page, "Search")
    expect(page.get_by_role("region", name="Found").get_by_text(note.name).first).to_be_visible()
    with page.expect_download() as kept:
        _press(page, f"Download {_HANDBOOK.name}")
    assert kept.value.path().read_bytes() == _HANDBOOK.read_bytes()
    _press(page, f"Delete {note.name}")
    dialog.get_by_role("button", name="Delete").click()
    expect(page.locator(f"[data-document='{note.name}']")).to_have_count(0)
    _press(page, "Search")
    expect(page.get_by_role("region", name="Found").get_by_text(_HANDBOOK.name).first).to_be_visible()
    expect(page.get_by_role("region", name="Found").get_by_text(note.name)).to_have_count(0)


def _press(page: Page, name: str) -> None:  # noqa: F811
    page.get_by_role("button", name=name, exact=True).click()
