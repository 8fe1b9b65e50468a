"""`letuin api`: becomes the api process."""

import os
from typing import Annotated

import typer

from common.cli.surroundings import load_settings, python_module, read_surroundings

app = typer.Typer(add_completion=False)


@app.command()
def api(
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Default: API_PORT, or 8000.")] = None,
    host: Annotated[str | None, typer.Option(help="Default: API_HOST, or 127.0.0.1.")] = None,
) -> None:
    """Run the api process.

    Uses the servers that the environment, `.env` or the running `letuin up` names.
    """
    environ = read_surroundings()
    load_settings(environ)
    chosen = {"API_PORT": None if port is None else str(port), "API_HOST": host}
    argv = python_module("api.main")
    os.execve(argv[0], argv, {**environ, **{name: value for name, value in chosen.items() if value is not None}})
