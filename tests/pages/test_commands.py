"""Every command, request and setting in the pages is run by a test, or there is at least such a one."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from api.config import ApiSettings
from api.v1.job.request_union import build_request_union
from common.documents.filters import check_filter
from common.queue.catalog import Catalog
from tests.fixtures.documents import PAGES, ROOT, Block, find_blocks, find_code, find_settings
from tests.pages.command_lines import assignments, simple_commands
from tests.pages.programs import PROGRAMS, letuin, request
from worker.config import WorkerSettings

CHECKED = find_blocks("check")
_COMMAND = re.compile(rf"^(?:\.venv/bin/|{'|'.join(PROGRAMS)})\b", re.MULTILINE)
_LETUIN = re.compile(r"`(?:uv run )?letuin ([a-z][^`]*)`")
_REQUEST = re.compile(r"`(GET|POST|PUT|PATCH|DELETE) ([/…][^` ]*)[^`]*`")


def name_of(block: Block) -> str:
    return f"{block.page.name}-{block.text.split(maxsplit=1)[0][:20]}"


def code_of(page: Path, *languages: str) -> list[str]:
    """The blocks of code in these languages, without their fences."""
    fenced = [code.partition("\n") for code in find_code(page)]
    return [code.removesuffix("```") for fence, _, code in fenced if fence.removeprefix("```") in languages]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_block_is_run_or_says_why_not(page: Path) -> None:
    marked = [block.text for block in find_blocks("run", "check") if block.page == page]
    assert [code for code in code_of(page, "sh", "bash") if code not in marked] == []
    assert [code for code in code_of(page, "", "text") if _COMMAND.search(code)] == [], "commands stand in `sh` blocks"


@pytest.mark.parametrize("block", CHECKED, ids=name_of)
def test_what_is_not_run_there_is(block: Block, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    values = assignments(block.text)
    if values is None:
        assert [complaint for words in simple_commands(block.text) for complaint in complaints(words)] == []
        values = dict.fromkeys(re.findall(r"\b([A-Z][A-Z0-9_]+)=", block.text), "")
    else:
        accept(values, monkeypatch, tmp_path)
    elsewhere = (ROOT / "compose.yaml").read_text("utf-8")
    known = find_settings()
    assert [
        name for name in values if name not in known and f"${{{name}" not in elsewhere and name[:5] != "OTEL_"
    ] == []


def complaints(words: list[str]) -> Iterator[str]:
    program, *arguments = words
    if program not in PROGRAMS:
        yield f"{program} is not known to this test"
        return
    yield from PROGRAMS[program](arguments)


def accept(values: dict[str, str], monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Start with these settings; what is wrong with one raises."""
    monkeypatch.chdir(folder)
    for name, value in {"ENVIRONMENT": "development", "HOUSE_KEY": "x", **values}.items():
        monkeypatch.setenv(name, value)
    ApiSettings()
    WorkerSettings()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_sentence_names_there_is(page: Path) -> None:
    text = page.read_text("utf-8")
    lines = [line.split() for mention in _LETUIN.findall(text) for line in alternatives(mention)]
    asked = [complaint for method, path in _REQUEST.findall(text) for complaint in request(method, path)]
    assert [complaint for words in lines for complaint in letuin(words, is_whole=False)] + asked == []


def alternatives(mention: str) -> list[str]:
    """`jobs list|show` are two command lines."""
    several = re.search(r"\S+\|\S+", mention)
    return [mention.replace(several[0], each) for each in several[0].split("|")] if several else [mention]


def test_shown_jobs_and_filters_are_accepted() -> None:
    jobs: TypeAdapter[Any] = TypeAdapter(build_request_union(Catalog.load()))
    for page in PAGES:
        for code in code_of(page, "json"):
            shown = json.loads(code)
            jobs.validate_python(shown) if "kind" in shown else check_filter(shown)


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("letuin jobs why", "job_id is missing"),
        ("letuin workers drane ID", "No such command 'drane'"),
        ("uv run letuin worker --queue llm", "No such option: --queue"),
        (".venv/bin/letuin migrate now", "too many arguments: ['now']"),
        ("curl -s http://127.0.0.1:8000/api/v1/job/$ID", "GET /api/v1/job/$ID is not a route"),
        ("docker compose up --scale worker-lm=2", "compose.yaml has no service worker-lm"),
        ("uv sync --extra otl", "there is no extra otl"),
        ("uv run poe chekc", "there is no task chekc"),
        ("letuinn up", "letuinn is not known to this test"),
    ],
)
def test_mistakes_are_found(code: str, complaint: str) -> None:
    found = [each for words in simple_commands(code) for each in complaints(words)]
    assert any(each.startswith(complaint) for each in found), found
