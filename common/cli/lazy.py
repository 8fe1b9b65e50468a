"""Commands whose modules are imported when they run, so that help and completion stay fast."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperGroup


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """Where a command lives (a module with an `app`) and what the list of commands says about it."""

    module: str
    summary: str


def lazy_group(commands: Mapping[str, LazyCommand]) -> type[TyperGroup]:
    """A group class for typer that knows `commands` by name and loads one only when it is called or completed."""

    class LazyGroup(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            for name, command in commands.items():
                self.add_command(_stand_in(name, command), name)

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            name, command, rest = super().resolve_command(ctx, args)
            if name is not None and name in commands:
                command = _load(name, commands[name])
            return name, command, rest

    return LazyGroup


def _stand_in(name: str, command: LazyCommand) -> Any:
    app = typer.Typer(add_completion=False)
    app.command(name, help=command.summary)(lambda: None)
    return typer.main.get_command(app)


def _load(name: str, command: LazyCommand) -> Any:
    app = importlib.import_module(command.module).app
    loaded = typer.main.get_command(app)
    loaded.name = name
    return loaded
