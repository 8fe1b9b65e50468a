"""Collections that a tenant shares, at the console: one's own, and those of others."""

import pytest
from playwright.sync_api import expect

from tests.console.operator import Operator

pytestmark = pytest.mark.e2e

API = "/api/v1"
SWITCH = "Let my organisation read and search it"


def test_collections_are_shared_and_withdrawn(operator: Operator) -> None:
    page, api = operator.page, operator.api
    robot = api.post(f"{API}/users", json={"name": "librarian", "is_service": True}).json()
    scopes = ["collections:read", "collections:write"]
    made = api.post(f"{API}/api-keys", json={"name": "books", "scopes": scopes, "user_id": robot["id"]})
    robots = {"Authorization": f"Bearer {made.json()['key']}"}
    handbook = {"name": "handbook of the robot", "visibility": "tenant"}
    collection = api.post(f"{API}/collections", json=handbook, headers=robots)
    assert collection.status_code == 201, collection.text

    operator.go("Documents")
    theirs = page.get_by_role("link", name=handbook["name"])
    expect(theirs).to_contain_text("of others")
    theirs.click()
    expect(page.get_by_text("only its owner uploads, changes and deletes")).to_be_visible()
    expect(page.get_by_label("Drop a file here, or choose one")).to_have_count(0)
    expect(page.get_by_role("button", name=f"Delete {handbook['name']}")).to_have_count(0)
    switch = page.get_by_role("switch", name=SWITCH)
    switch.click()
    expect(theirs).to_have_count(0)
    left = api.get(f"{API}/collections/{collection.json()['id']}", headers=robots)
    assert left.json()["visibility"] == "private"

    operator.press("New collection")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("notes of the office")
    dialog.get_by_label(SWITCH).check()
    dialog.get_by_role("button", name="Create").click()
    mine = page.get_by_role("link", name="notes of the office")
    expect(mine.locator(".tag")).to_have_text("shared")
    expect(switch).to_be_checked()
    assert [each["name"] for each in api.get(f"{API}/collections", headers=robots).json()["items"]] == [
        "notes of the office",
        handbook["name"],
    ]
    switch.click()
    expect(mine.locator(".tag")).to_have_count(0)
    expect(switch).not_to_be_checked()
    expect(page.get_by_label("Drop a file here, or choose one")).to_be_attached()
