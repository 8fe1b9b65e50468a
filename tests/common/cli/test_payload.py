"""`-p key=value` and --payload become what the kind's schema asks for."""

from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from common.cli.exits import CommandError
from common.cli.payload import read_pairs, read_payload


class _Colour(StrEnum):
    RED = "red"


class _Inner(BaseModel):
    size: int


class _Payload(BaseModel):
    text: str
    maybe: str | None = None
    count: int = 0
    share: float | None = None
    flag: bool = False
    colour: _Colour = _Colour.RED
    inner: _Inner | None = None
    many: list[int] = []
    either: int | str = 0
    anything: Any = None


def _read(*pairs: str) -> dict[str, Any]:
    return read_pairs(pairs, "test.kind", _Payload.model_json_schema())


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("text=12", "12"),
        ("text=a=b", "a=b"),
        ("text=", ""),
        ("text=null", "null"),
        ("text=안녕", "안녕"),
        ("maybe=null", None),
        ("maybe=true", "true"),
        ("count=-3", -3),
        ("share=1", 1),
        ("share=0.5", 0.5),
        ("share=null", None),
        ("flag=true", True),
        ("colour=red", "red"),
        ('inner={"size": 2}', {"size": 2}),
        ("many=[1, 2]", [1, 2]),
        ("either=7", 7),
        ("either=seven", "seven"),
        ("anything={}", {}),
        ("anything=word", "word"),
    ],
)
def test_values_are_read_by_their_type(pair: str, value: object) -> None:
    assert _read(pair) == {pair.partition("=")[0]: value}


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("count=three", "count must be integer, and 'three' is not."),
        ("count=1.5", "count must be integer, and '1.5' is not."),
        ("count=true", "count must be integer, and 'true' is not."),
        ("share=NaN", "share must be number, and 'NaN' is not."),
        ("flag=yes", "flag must be boolean, and 'yes' is not."),
        ("inner=[]", "inner must be object, and '[]' is not."),
        ("colr=red", "test.kind has no field 'colr'; its fields are text, maybe, count,"),
        ("count", "-p 'count' must read key=value."),
        ("=1", "-p '=1' must read key=value."),
        ("text=\udcff", "-p text: the value is not valid UTF-8."),
    ],
)
def test_what_does_not_fit_is_named(pair: str, message: str) -> None:
    with pytest.raises(CommandError) as caught:
        _read(pair)

    assert caught.value.message.startswith(message)


def test_a_payload_comes_from_text_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "payload.json").write_text('{"a": [1]}')

    assert read_payload('{"a": [1]}') == read_payload(f"@{tmp_path / 'payload.json'}") == {"a": [1]}


@pytest.mark.parametrize("text", ["{", "[1]", '"a"', '{"a": NaN}', "@/no/such/file", "[" * 100_000])
def test_a_payload_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="--payload"):
        read_payload(text)
