"""What programs take, by their own declarations: one complaint a mistake."""

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import typer
import yaml

from common.cli.main import app
from tests.benchmark.__main__ import app as benchmark
from tests.faults.bench.__main__ import app as faults

ROOT = Path(__file__).parents[2]
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def letuin(words: list[str], *, is_whole: bool = True) -> Iterator[str]:
    """A command line of `letuin`. One that `is_whole` also has to have every argument that is required."""
    try:
        command, words = _find_command(words)
        given, rest, _ = command.make_parser(command.context_class(command)).parse_args(args=words)
    except Exception as error:
        if is_whole or "requires an argument" not in str(error):
            yield f"{error} ({' '.join(words)})"
        return
    if rest:
        yield f"too many arguments: {rest}"
    if is_whole:
        yield from (f"{each.name} is missing" for each in command.params if each.required and not given.get(each.name))


def _find_command(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the first words name, and the other words. `bench` hands its own to other programs."""
    if words[0] == "bench":
        is_faults = words[1:2] == ["faults"]
        return typer.main.get_command(faults if is_faults else benchmark), words[2 if is_faults else 1 :]
    command: Any = typer.main.get_command(app)
    while hasattr(command, "resolve_command") and words and not words[0].startswith("-"):
        _, command, words = command.resolve_command(command.context_class(command, info_name="letuin"), words)
    return command, words


def curl(words: list[str]) -> Iterator[str]:
    """The method and the path of a request."""
    (url,) = (word for word in words if word.startswith("http"))
    has_body = any(word in ("-d", "--data", "-F") for word in words)
    method = words[words.index("-X") + 1] if "-X" in words else "POST" if has_body else "GET"
    yield from request(method, urlsplit(url).path)


def request(method: str, path: str) -> Iterator[str]:
    """One route of the api; `{id}` and `$ID` stand for any part, `…` for any beginning."""
    asked = re.sub(r"\{\w+\}|\$\w+", "{}", path.partition("?")[0])
    if not any(_is_meant(asked, known) for known in _routes()[method]):
        yield f"{method} {path} is not a route"


def _is_meant(asked: str, known: str) -> bool:
    if asked.startswith("…"):
        return known.endswith(asked[1:])
    return asked.rstrip("…") in (known, known.removeprefix("/api/v1")) or (
        asked.endswith("…") and known.startswith(asked[:-1])
    )


def _routes() -> dict[str, list[str]]:
    paths: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))["paths"]
    found: dict[str, list[str]] = {method: [] for method in ("GET", "POST", "PUT", "PATCH", "DELETE")}
    for path, methods in paths.items():
        for method in methods:
            found[method.upper()].append(re.sub(r"\{\w+\}", "{}", path))
    return found


def uv(words: list[str]) -> Iterator[str]:
    """`uv sync` with extras that there are."""
    if words[0] != "sync":
        yield f"uv {words[0]}: only `uv sync` and `uv run` are known here"
    extras = _PROJECT["project"]["optional-dependencies"]
    wanted = [words[at + 1] for at, word in enumerate(words) if word == "--extra"]
    yield from (f"there is no extra {name}" for name in wanted if name not in extras)


def docker(words: list[str]) -> Iterator[str]:
    """The process that `docker run` starts in our image, the services that Compose scales."""
    if words[0] == "run" and "letuin" in words[:-1]:
        yield from letuin(words[words.index("letuin") + 1 :])
    services = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]
    scaled = [words[at + 1].partition("=")[0] for at, word in enumerate(words) if word == "--scale"]
    yield from (f"compose.yaml has no service {name}" for name in scaled if name not in services)


def poe(words: list[str]) -> Iterator[str]:
    """A task of this project."""
    if words[0] not in _PROJECT["tool"]["poe"]["tasks"]:
        yield f"there is no task {words[0]}"


def look_for_tests(words: list[str]) -> Iterator[str]:
    """Files or folders of tests that there are."""
    yield from (f"there is no {word}" for word in words if "/" in word and not (ROOT / word).exists())


def let_pass(_words: list[str]) -> Iterator[str]:
    """Nothing of ours."""
    return iter(())


PROGRAMS: dict[str, Callable[[list[str]], Iterator[str]]] = {
    "letuin": letuin,
    "curl": curl,
    "uv": uv,
    "docker": docker,
    "poe": poe,
    "pytest": look_for_tests,
    "printf": let_pass,
}
