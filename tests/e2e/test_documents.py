"""What the pages tell people to do is done here, and what they name exists."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.fixtures.documents import (
    PAGES,
    ROOT,
    Block,
    find_anchors,
    find_blocks,
    find_code,
    find_links,
    find_settings,
    write_shown,
)
from tests.fixtures.up import UpProcess

_SHOWN_URL = "http://127.0.0.1:8000"
_PROGRAMS = ("uv", "curl", "node", "npm")
_ignore = shutil.ignore_patterns("node_modules")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpProcess]:
    """`letuin up` of a copy of the sources in which everything that the pages show was done.

    Their bytecode comes along: nothing but what the pages change is compiled anew.
    """
    folder = tmp_path_factory.mktemp("documents")
    for package in ("api", "worker", "common", "migration"):
        shutil.copytree(ROOT / package, folder / "source" / package, ignore=_ignore)
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=_ignore)
    write_shown(folder / "source")
    started = UpProcess.launch(folder, env={"PYTHONPATH": str(folder / "source")})
    try:
        started.wait_running()
        yield started
    finally:
        started.stop()


def without_comments(code: str) -> str:
    """Its commands alone."""
    return re.sub(r" +# .*", "", code)


@cache
def names_of_tests() -> set[str]:
    """Every function of the tests whose name begins as a test's."""
    sources = (path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    return {name for source in sources for name in re.findall(r"def (test_\w+)\(", source)}


def path_of_programs() -> str:
    """PATH, with the uv that runs these tests in front."""
    return os.pathsep.join([*([str(Path(os.environ["UV"]).parent)] if "UV" in os.environ else []), os.environ["PATH"]])


def run(block: Block, up: UpProcess) -> str:
    """Run a block's commands as they stand there, but for the port. They must succeed."""
    inherited = {name: value for name, value in os.environ.items() if name not in find_settings()}
    variables = {
        "PATH": path_of_programs(),
        "XDG_CONFIG_HOME": str(up.folder / "config"),
        "LETUIN_URL": up.state.api_url,
        "UV_PROJECT": str(ROOT),
        "UV_PROJECT_ENVIRONMENT": sys.prefix,
        "UV_NO_SYNC": "1",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text.replace(_SHOWN_URL, up.state.api_url)],
        cwd=up.folder,
        env={**inherited, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, f"{block.text}\n{done.stdout}\n{up.output}"
    return done.stdout


@pytest.mark.e2e
@pytest.mark.timeout(1200)
def test_commands_work_as_they_are_shown(up: UpProcess, subtests: pytest.Subtests) -> None:
    # A translation has the same commands; another test compares them.
    distinct = {without_comments(block.text): block for block in reversed(find_blocks("run"))}
    for number, block in enumerate(reversed(distinct.values()), 1):
        with subtests.test(f"{block.page.name}, command block {number}"):
            needed = [name for name in _PROGRAMS if re.search(rf"\b{name} ", block.text)]
            if missing := [name for name in needed if not shutil.which(name, path=path_of_programs())]:
                pytest.skip(f"not installed: {', '.join(missing)}")
            assert block.argument in run(block, up)


@pytest.mark.e2e
def test_shown_kind_is_one_file_and_streams(up: UpProcess) -> None:
    kinds = {kind["name"]: kind for kind in json.loads(up.letuin("jobs", "kinds", "--json"))}
    text = "The ferry was late because of the storm."
    arguments = ("submit", "text.summarize", "-p", f"text={text}", "--follow", "--json")
    *events, job = [json.loads(line) for line in up.letuin(*arguments).splitlines()]

    told = "".join(event["data"]["text"] for event in events if event["type"] == "llm.delta")
    assert kinds["text.summarize"]["description"].startswith("Say in one sentence")
    assert job["status"] == "succeeded"
    assert job["result"] == {"summary": told.strip()}


def test_shown_code_keeps_the_project_s_style() -> None:
    for block in find_blocks("file"):
        ruff = str(Path(sys.executable).with_name("ruff"))
        command = [ruff, "check", "--stdin-filename", str(ROOT / block.argument), "-"]
        found = subprocess.run(command, input=block.text, capture_output=True, text=True, cwd=ROOT, check=False)
        assert found.returncode == 0, found.stdout


def test_excerpts_are_in_their_files() -> None:
    for block in find_blocks("part"):
        lines = {line.strip() for line in (ROOT / block.argument).read_text("utf-8").splitlines()}
        assert {line.strip() for line in block.text.splitlines()} - lines == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for path, anchor in find_links(page):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        assert not anchor or anchor in find_anchors(target), f"{path}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_named_exists(page: Path) -> None:
    text = page.read_text("utf-8")

    assert set(re.findall(r"`(test_\w+)`", text)) - names_of_tests() == set()
    assert {name for name in re.findall(r"`([A-Z]+_[A-Z_]+)(?:=[^`]*)?`", text) if name not in find_settings()} == set()


def test_korean_quick_start_has_the_same_commands() -> None:
    def commands(name: str) -> list[str]:
        return [without_comments(code) for code in find_code(ROOT / "docs" / name)]

    assert commands("quickstart.ko.md") == commands("quickstart.md")
