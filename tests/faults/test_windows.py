"""Every moment that docs/reliability.md names has a test, and the test is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "reliability.md").read_text("utf-8")
ROWS = re.findall(r"^\| (\d+) \|.*\| `(tests/[^`]+)::(test_\w+)` \|$", TEXT, re.MULTILINE)


def test_the_moments_are_numbered() -> None:
    assert [int(number) for number, _, _ in ROWS] == list(range(1, 37))


@pytest.mark.parametrize(("path", "name"), sorted({(path, name) for _, path, name in ROWS}))
def test_the_named_test_is_there(path: str, name: str) -> None:
    assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text("utf-8"), re.MULTILINE)
