"""The benchmark itself runs: a small measurement from the command to the file."""

import json
from pathlib import Path

import pytest

from tests.fixtures.letuin import letuin


@pytest.mark.timeout(900)
def test_small_measurement_ends_in_a_table_and_a_file(tmp_path: Path) -> None:
    options = ("--quick", "--cases", "bulk,drain,latency", "--engines", "letuin,arq-tuned", "--output", str(tmp_path))
    done = letuin("bench", *options, folder=tmp_path, timeout=800)
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = tmp_path.glob("*.json")
    found = json.loads(path.read_text("utf-8"))
    assert found["failures"] == {}
    for case, figure in (("bulk", "rate"), ("drain", "rate"), ("latency", "result p50")):
        assert set(found["cases"][case]["runs"]) == {"letuin", "arq-tuned"}
        assert all(engine[figure] > 0 for engine in found["cases"][case]["medians"].values())
    assert "to the best" in done.stdout


def test_unknown_case_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    done = letuin("bench", "--cases", "nope", folder=tmp_path)
    assert done.returncode == 2
    assert "drain" in done.stderr
