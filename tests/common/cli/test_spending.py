"""`letuin budgets` and `letuin usage`, against a running api."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from common.cli import budgets, usage
from tests.common.cli.test_schedules import url  # noqa: F401  a fixture


@pytest.mark.e2e
async def test_budgets_and_usage_from_the_command_line(
    url: str,  # noqa: F811  the fixture
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    async def run(command: Any, *arguments: str) -> str:
        result = await asyncio.to_thread(CliRunner().invoke, command.app, [*arguments, "--url", url])
        assert result.exit_code == 0, (result.output, result.exception)
        return result.stdout.strip()

    made = await run(budgets, "set", "month", "--cost", "12.5", "--model", "gpt-5")
    await run(budgets, "set", "day", "--tokens", "1000")
    changed = json.loads(await run(budgets, "change", made, "--cost", "20", "--json"))
    assert (float(changed["max_cost"]), changed["model"], changed["period"]) == (20, "gpt-5", "month")
    listed = await run(budgets, "list")
    assert made in listed
    assert "gpt-5" in listed
    await run(budgets, "delete", made)
    [left] = json.loads(await run(budgets, "list", "--json"))["items"]
    assert left["max_tokens"] == 1000
    report = json.loads(await run(usage, "--by", "model", "--by", "day", "--since", "2026-01-01", "--json"))
    assert (report["items"], report["total"]["calls"]) == ([], 0)
