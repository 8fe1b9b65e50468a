"""What a collection is called and who may read it, from the command line."""

import json

import pytest

from tests.fixtures.letuin import letuin_here
from tests.fixtures.up import UpProcess

pytestmark = pytest.mark.e2e


def test_a_collection_is_shared_renamed_and_private_again(up: UpProcess) -> None:
    made = up.letuin("collections", "create", "atlas of the team", "--shared", "--description", "maps").strip()

    def look() -> tuple[str, str | None, str]:
        listed = json.loads(up.letuin("collections", "list", "--json"))["items"]
        [found] = [each for each in listed if each["id"] == made]
        return found["name"], found["description"], found["visibility"]

    def row() -> str:
        [line] = [line for line in up.letuin("collections", "list").splitlines() if made in line]
        return line

    assert look() == ("atlas of the team", "maps", "tenant")
    assert " shared " in row()
    up.letuin("collections", "unshare", "atlas of the team")
    assert look()[2] == "private"
    assert " private " in row()
    up.letuin("collections", "update", made, "--name", "atlas", "--description", "")
    assert look() == ("atlas", None, "private")
    changed = json.loads(up.letuin("collections", "share", "atlas", "--json"))
    assert (changed["id"], changed["visibility"], changed["is_owner"]) == (made, "tenant", True)
    for arguments, said in ((("update", "atlas"), "Say what to change"), (("share", "no such"), "no collection")):
        refused = letuin_here("collections", *arguments, folder=up.folder)
        assert (refused.returncode, said in refused.stderr) == (2, True), refused.stderr
    up.letuin("collections", "delete", "atlas")
