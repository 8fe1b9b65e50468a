"""What is exported, what is documented, and what the dashboard and the alerts ask for are the same names."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.metrics.exported import exported

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "deploy" / "grafana" / "letuin.json"
RULES = ROOT / "deploy" / "prometheus" / "letuin.rules.yml"
_NAME = re.compile(r"\bletuin_\w+")
_FORBIDDEN = {"tenant", "tenant_id", "user", "user_id", "owner", "owner_id", "job", "job_id", "request_id", "path"}


def named_in(text: str) -> set[str]:
    """Names of metrics, histograms by the name of the family."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in _NAME.findall(text)}


def expressions() -> Iterator[str]:
    panels: list[dict[str, Any]] = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    for panel in panels:
        yield from (target["expr"] for target in panel.get("targets", ()))


@pytest.fixture
async def known(tmp_path: Path) -> set[str]:
    return set(exported(tmp_path))  # some parts want a loop when they are built


def test_every_figure_is_in_the_tables_once(known: set[str]) -> None:
    rows = re.findall(r"^\| `(letuin_\w+)` \|", (ROOT / "docs" / "metrics.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(known)


def test_the_dashboard_asks_for_what_is_there(known: set[str]) -> None:
    asked = {name for expression in expressions() for name in named_in(expression)}
    assert asked - known == set()
    assert known - asked == set(), "every figure has its place on the dashboard"


def test_the_alerts_ask_for_what_is_there(known: set[str]) -> None:
    text = RULES.read_text("utf-8")
    asked = named_in(text.partition("groups:")[2]) - {"letuin_api", "letuin_worker"}
    assert asked - known == set()
    documented = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    alerts = re.findall(r"alert: (\w+)", text)
    assert [name for name in alerts if f"`{name}`" not in documented and name != "LetuinApiDown"] == []


async def test_no_label_names_whose_it_is(tmp_path: Path) -> None:
    found = exported(tmp_path)
    assert [name for name, each in found.items() if set(each.labels) & _FORBIDDEN] == []


def test_panels_have_their_own_places() -> None:
    panels: list[dict[str, Any]] = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed")
@pytest.mark.parametrize("arguments", [("check", "rules", RULES.name), ("test", "rules", "letuin.test.yml")])
def test_promtool_agrees(arguments: tuple[str, ...]) -> None:
    found = subprocess.run(
        ["promtool", *arguments], cwd=RULES.parent, capture_output=True, text=True, timeout=60, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr
