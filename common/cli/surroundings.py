"""What a command works with: the environment, `.env`, and what a running `letuin up` published."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError

from common.cli.exits import CommandError
from common.config import CommonSettings, settings_error_lines
from common.embedded.state import read_run_state

_DATA_DIR = "data"


def read_environment() -> dict[str, str]:
    """The process's variables over those of `.env` in the working folder."""
    from_file = {name: value for name, value in dotenv_values(".env").items() if value is not None}
    return {**from_file, **os.environ}


def data_dir_of(environ: Mapping[str, str]) -> Path:
    """The data folder that `environ` names."""
    return Path(environ.get("DATA_DIR") or _DATA_DIR)


def read_surroundings() -> dict[str, str]:
    """`read_environment`, and below it the variables of the `letuin up` that runs in this folder, if one does."""
    environ = read_environment()
    state = read_run_state(data_dir_of(environ))
    return {**state.environment, **environ} if state else environ


def load_settings(environ: Mapping[str, str]) -> CommonSettings:
    """The shared settings in `environ`. Raises CommandError with a line for each wrong one."""
    values: dict[str, Any] = {
        name: environ[name.upper()] for name in CommonSettings.model_fields if name.upper() in environ
    }
    try:
        return CommonSettings(_env_file=None, **values)
    except ValidationError as error:
        raise CommandError("These settings cannot be used:", details=settings_error_lines(error)) from None


def python_module(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module of this installation; a folder of the same name here is not taken for it."""
    return [sys.executable, "-P", "-m", module, *arguments]


def command_name() -> str:
    """How the person types this command: `uv run` does not leave it on the shell's PATH."""
    return "uv run letuin" if "UV_RUN_RECURSION_DEPTH" in os.environ else "letuin"
