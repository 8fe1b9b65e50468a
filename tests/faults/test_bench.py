"""`letuin bench faults` as a person runs it: a short storm, its tables and its file."""

import json
from pathlib import Path

import pytest

from tests.fixtures.letuin import letuin

pytestmark = pytest.mark.faults


@pytest.mark.parametrize(
    ("minutes", "lease"),
    [pytest.param("0.05", "1.5", id="3 s"), pytest.param("10", "15", id="10 min", marks=[pytest.mark.soak])],
)
def test_a_storm_breaks_no_promise(tmp_path: Path, minutes: str, lease: str) -> None:
    """Windows: all of them, by chance."""
    options = ("--minutes", minutes, "--lease", lease, "--json", "--output", str(tmp_path / "out"))
    done = letuin("bench", "faults", *options, folder=tmp_path, timeout=float(minutes) * 60 + 500)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    [path] = (tmp_path / "out").glob("faults-*.json")
    assert json.loads(path.read_text("utf-8")) == told
    assert told["whole"]
    assert set(told["violations"].values()) == {0}
    assert told["jobs"]["accepted"] > 50
    assert told["recovery"] or minutes == "0.05"
    assert all(figures["max"] > 0 for figures in told["recovery"].values())


def test_wrong_options_are_refused(tmp_path: Path) -> None:
    done = letuin("bench", "faults", "--minutes", "0", folder=tmp_path)
    assert done.returncode == 2
    assert "--minutes" in done.stderr
