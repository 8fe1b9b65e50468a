"""The description of the interface: committed, complete, and the same as what is served."""

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx2

from api.access import is_public
from api.export_openapi import describe
from api.interface import Interface
from common.queue.catalog import Catalog

ROOT = Path(__file__).parents[2]
SNAPSHOT = ROOT / "docs" / "openapi.json"


@cache
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(describe())
    return found


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, found in document()["paths"].items():
        for method, operation in found.items():
            yield method.upper(), path, operation


def test_snapshot_is_what_the_source_says() -> None:
    """A change of the interface is seen in review; `poe openapi` writes the file anew."""
    kept = json.loads(SNAPSHOT.read_text("utf-8"))
    changed = sorted(_differences(kept, document()))
    assert changed == [], "run `uv run poe openapi` and look at what changed in docs/openapi.json"


def _differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in one.keys() | other.keys():
            yield from _differences(one.get(name), other.get(name), f"{path} > {name}" if path else name)
    elif one != other:
        yield path


async def test_it_is_what_is_served(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/openapi.json")).json() == document()


def test_what_the_layers_know_of_the_routes_is_what_it_says() -> None:
    table = Interface.of(Catalog.load()).table
    assert table.paths == sorted(document()["paths"])
    for method, path, operation in operations():
        assert method in table.methods(path)
        assert table.media_types(method, path) == operation.get("requestBody", {}).get("content", {}).keys()


def test_every_operation_is_told_apart_and_explained() -> None:
    ids = Counter(operation["operationId"] for _, _, operation in operations())
    assert [name for name, count in ids.items() if count > 1] == []
    for method, path, operation in operations():
        assert operation["summary"], (method, path)
        assert operation["description"].strip(), (method, path)
        assert operation["tags"], (method, path)


def test_every_operation_names_its_errors_as_problems() -> None:
    for method, path, operation in operations():
        errors = {int(status): answer for status, answer in operation["responses"].items() if int(status) >= 400}
        needed = {400, 414, 429, 431, 500, 503}
        needed |= {401, 403, 404, 422} if path.startswith("/api/") else set()
        needed |= {408, 413, 415} if "requestBody" in operation else set()
        assert needed <= set(errors), (method, path)
        for status, answer in errors.items():
            shown = document()["components"]["responses"][f"Problem{status}"] if "$ref" in answer else answer
            assert "application/problem+json" in str(shown) or path in ("/health", "/ready"), (method, path, status)


def test_every_operation_says_whether_it_needs_a_token() -> None:
    for method, path, operation in operations():
        assert operation["security"] == ([] if is_public(method, path) else [{"bearer": []}]), (method, path)
    assert document()["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_every_body_refuses_unknown_fields() -> None:
    """N01, Z12: what is not named is not taken, in no body of no route."""
    for method, path, operation in operations():
        for content in operation.get("requestBody", {}).get("content", {}).values():
            for schema in _resolve(content["schema"]):
                assert schema.get("additionalProperties") is False, (method, path, schema.get("title"))


def _resolve(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The objects that a body may be."""
    if "$ref" in schema:
        yield from _resolve(document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    elif any(name in schema for name in ("oneOf", "anyOf", "allOf")):
        for name in ("oneOf", "anyOf", "allOf"):
            for each in schema.get(name, []):
                yield from _resolve(each)
    elif schema.get("type") == "object":
        yield schema


def test_links_lead_on() -> None:
    ids = {operation["operationId"] for _, _, operation in operations()}
    links = document()["paths"]["/api/v1/jobs"]["post"]["responses"]["202"]["links"]
    assert {"get_job", "cancel_job", "list_attempts"} <= set(links) <= ids
    assert links["get_job"]["parameters"] == {"job_id": "$response.body#/id"}
