"""Runs the command as a person does: a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_INHERITED = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH")


def command(*arguments: str) -> list[str]:
    """The command line of `letuin ARGUMENTS`."""
    return [sys.executable, "-P", "-m", "common.cli.main", *arguments]


def environment(folder: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Few variables, so that nothing of the machine decides a test; tokens are kept under `folder`."""
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**kept, "XDG_CONFIG_HOME": str(folder / "config"), "COLUMNS": "200", **(extra or {})}


def letuin(
    *arguments: str, folder: Path, env: Mapping[str, str] | None = None, stdin: str = "", timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command in `folder` to its end."""
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(folder, env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
