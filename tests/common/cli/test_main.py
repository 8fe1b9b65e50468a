"""The entry point: help, version, errors and exit codes, without any server."""

import importlib
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from common.cli.main import COMMANDS
from tests.fixtures.letuin import letuin, letuin_here

_HEAVY = ("sqlalchemy", "socketio", "langchain", "alembic", "pydantic", "httpx2", "asyncpg", "aiohttp")


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_help_names_every_command_and_exit_code(tmp_path: Path) -> None:
    answer = letuin("--help", folder=tmp_path)

    assert answer.returncode == 0
    for name, command in COMMANDS.items():
        assert re.search(rf"{name} +{re.escape(command.summary)}", answer.stdout)
    for code in ("0", "1", "2", "3", "4", "130"):
        assert re.search(rf"(^|\s){code} \w", answer.stdout)


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    script = f"""
import sys
from common.cli.main import app
try:
    app(["--help"])
except SystemExit:
    pass
print([name for name in {_HEAVY} if name in sys.modules], file=sys.stderr)
"""
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path
    )

    assert answer.stderr.strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_as_the_list_does(name: str, tmp_path: Path) -> None:
    run = letuin if name == "bench" else letuin_here  # it becomes another program

    answer = run(name, "--help", folder=tmp_path)

    assert answer.returncode == 0, answer.stderr
    assert COMMANDS[name].summary in " ".join(answer.stdout.split())


def test_every_answer_can_be_json() -> None:
    """But for commands that run on, each takes --json."""
    runs_on = {"up", "api", "worker", "bench"}
    missing = []
    for name in COMMANDS.keys() - runs_on:
        command: Any = typer.main.get_command(importlib.import_module(COMMANDS[name].module).app)
        for part, leaf in getattr(command, "commands", {"": command}).items():
            if not any("--json" in option.opts for option in leaf.params):
                missing.append(f"{name} {part}")
    assert missing == []


@pytest.mark.parametrize(("words", "completed"), [("letuin jo", "jobs"), ("letuin jobs wh", "why")])
def test_the_shell_completes_commands_at_every_depth(words: str, completed: str, tmp_path: Path) -> None:
    variables = {"_LETUIN_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    assert letuin_here(folder=tmp_path, env=variables).stdout.split() == [completed]


def test_version(tmp_path: Path) -> None:
    assert re.fullmatch(r"letuin \d+\.\d+\.\d+\n", letuin("--version", folder=tmp_path).stdout)


def test_completion_knows_the_commands_and_their_options(tmp_path: Path) -> None:
    words = {"_LETUIN_COMPLETE": "complete_bash", "COMP_WORDS": "letuin jobs c", "COMP_CWORD": "2"}

    assert letuin(folder=tmp_path, env=words).stdout.split() == ["cancel", "cancel-many"]


def test_a_wrong_command_is_usage(tmp_path: Path) -> None:
    answer = letuin_here("submitt", folder=tmp_path)

    assert answer.returncode == 2
    assert "Did you mean 'submit'?" in answer.stderr


@pytest.mark.parametrize(
    "arguments",
    [["jobs", "list"], ["submit", "system.echo", "-p", "message=x"], ["submit", "system.echo", "--payload", "{}"]],
)
def test_without_an_api_it_says_how_to_start_one(arguments: list[str], tmp_path: Path, closed_port: int) -> None:
    url = f"http://127.0.0.1:{closed_port}"

    answer = letuin_here(*arguments, "--url", url, folder=tmp_path)

    assert answer.returncode == 3
    assert answer.stderr == f"Error: No Letuin api answers at {url}. Start one with `letuin up`.\n"


@pytest.mark.parametrize(
    ("command", "variables", "line"),
    [
        ("up", {"ENVIRONMENT": "prodd"}, "ENVIRONMENT: "),
        ("api", {"LOG_LEVEL": "LOUD"}, "LOG_LEVEL: "),
        ("worker", {"LEASE_DURATION": "1"}, "LEASE_DURATION must be at least three times HEARTBEAT_INTERVAL"),
        ("migrate", {"DATABASE_POOL_SIZE": "0"}, "DATABASE_POOL_SIZE: "),
    ],
)
def test_a_wrong_setting_is_named(command: str, variables: dict[str, str], line: str, tmp_path: Path) -> None:
    answer = letuin(command, folder=tmp_path, env=variables)

    assert answer.returncode == 2
    assert line in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_wrong_setting_in_the_env_file_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DATABASE_POOL_SIZE=many\n")

    answer = letuin("migrate", folder=tmp_path)

    assert answer.returncode == 2
    assert "DATABASE_POOL_SIZE: " in answer.stderr


def test_a_worker_for_an_unknown_queue_is_refused(tmp_path: Path) -> None:
    answer = letuin("worker", "--queues", "default,lllm", folder=tmp_path)

    assert answer.returncode == 2
    assert (
        answer.stderr
        == "Error: No job kind uses the queue 'lllm'; the queues are default, llm, email, agent, documents.\n"
    )
