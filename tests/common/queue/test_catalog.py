"""Every job kind keeps the contract, and a new one is one file."""

import importlib
import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest
from pydantic import ValidationError

from common.errors import DuplicateKindError, UnknownKindError
from common.queue.catalog import Catalog
from common.queue.definition import AnyJobKind, QueueName

NEW_KIND = """
from pydantic import BaseModel, ConfigDict

from common.queue.context import JobContext
from common.queue.definition import job


class TextReversePayload(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str


class TextReverseResult(BaseModel):
    text: str


@job("text.reverse")
async def text_reverse(ctx: JobContext, payload: TextReversePayload) -> TextReverseResult:
    \"\"\"Turn a text around.\"\"\"
    return TextReverseResult(text=payload.text[::-1])
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """An empty package for kinds, like `common.jobs`."""
    (tmp_path / "fresh_jobs").mkdir()
    (tmp_path / "fresh_jobs" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("fresh_jobs")
    for name in [name for name in sys.modules if name.partition(".")[0] == "fresh_jobs"]:
        del sys.modules[name]


def write(package: ModuleType, name: str, text: str) -> None:
    (Path(package.__path__[0]) / name).write_text(dedent(text), "utf-8")
    importlib.invalidate_caches()


every_kind = pytest.mark.parametrize("kind", Catalog.load().values(), ids=lambda kind: kind.name)


@every_kind
def test_kind_is_named_and_described(kind: AnyJobKind) -> None:
    assert kind.name.count(".") == 1
    assert kind.handler.__name__ == kind.name.replace(".", "_")
    assert kind.handler.__module__ == f"common.jobs.{kind.name.replace('.', '_')}"
    assert kind.description
    assert kind.queue in set(QueueName)


@every_kind
def test_policy_is_within_bounds(kind: AnyJobKind) -> None:
    assert timedelta(seconds=1) <= kind.timeout <= timedelta(days=1)
    assert 1 <= kind.retry.max_attempts <= 50
    assert timedelta(0) <= kind.retry.base <= kind.retry.cap
    assert kind.retention >= timedelta(hours=1)


@every_kind
def test_payload_refuses_unknown_fields(kind: AnyJobKind) -> None:
    with pytest.raises(ValidationError) as caught:
        kind.payload.model_validate({"no_such_field": 1})
    assert ("no_such_field",) in [error["loc"] for error in caught.value.errors() if error["type"] == "extra_forbidden"]


@every_kind
def test_schemas_survive_json(kind: AnyJobKind) -> None:
    for model in (kind.payload, kind.result):
        schema = model.model_json_schema()
        assert json.loads(json.dumps(schema)) == schema
        assert schema["properties"]


def test_new_kind_is_one_file(package: ModuleType) -> None:
    assert not Catalog.load(package)
    write(package, "text_reverse.py", NEW_KIND)

    catalog = Catalog.load(package)
    assert list(catalog) == ["text.reverse"]
    assert catalog.get_kind("text.reverse").description == "Turn a text around."


def test_same_name_twice_is_refused(package: ModuleType) -> None:
    write(package, "text_reverse.py", NEW_KIND)
    write(package, "text_again.py", NEW_KIND)
    with pytest.raises(DuplicateKindError, match=r"text\.reverse"):
        Catalog.load(package)


def test_broken_file_stops_the_process(package: ModuleType) -> None:
    write(package, "broken.py", "raise RuntimeError('broken on purpose')")
    with pytest.raises(RuntimeError, match="on purpose"):
        Catalog.load(package)


def test_unknown_kind_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownKindError, match=r"system\.echo"):
        Catalog.load().get_kind("no.such")
