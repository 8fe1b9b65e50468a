"""T08: whichever layer fails, the answer has one shape and the request's id; T12: where Chroma is reached from."""

import ast
from pathlib import Path
from typing import Any

import httpx2
import pytest

from common.embedded.chroma import build_chroma
from tests.api.conftest import ACCESS_TOKEN, ECHO, PRODUCTION, Connect

ROOT = Path(__file__).parents[2]
NOWHERE = "postgresql://letuin:hidden-password@127.0.0.1:1/letuin"
DEAF = "redis://127.0.0.1:1/0"
JOB = "/api/v1/jobs/0193f1c5-0000-7000-8000-000000000000"
BEARER = {"Authorization": f"Bearer {ACCESS_TOKEN}"}

FAULTS: dict[str, tuple[dict[str, Any], tuple[str, str, dict[str, Any]], int]] = {
    "middleware: size": ({"max_body_bytes": 1024}, ("POST", "/api/v1/jobs", {"content": b"x" * 5000}), 413),
    "middleware: head": ({}, ("GET", "/live", {"headers": {"X": "x" * 40_000}}), 431),
    "middleware: limits": (
        {"redis_url": DEAF, "rate_limit_without_redis": "closed"},
        ("GET", "/api/v1/jobs", {}),
        503,
    ),
    "middleware: the gate": (PRODUCTION, ("GET", "/api/v1/jobs", {}), 401),
    "the gate's store": ({**PRODUCTION, "database_url": NOWHERE}, ("GET", "/api/v1/jobs", {"headers": BEARER}), 503),
    "parser": ({}, ("POST", "/api/v1/jobs", {"content": b"{", "headers": {"Content-Type": "application/json"}}), 422),
    "dependency": ({}, ("GET", f"{JOB[:-3]}zzz", {}), 404),
    "service": ({"database_url": NOWHERE}, ("POST", "/api/v1/jobs", {"json": ECHO}), 503),
    "stream": ({"database_url": NOWHERE}, ("GET", f"{JOB}/events", {"headers": {"Accept": "text/event-stream"}}), 503),
    "page of a stream": ({"database_url": NOWHERE}, ("GET", f"{JOB}/events", {}), 503),
    "routing": ({}, ("GET", "/api/v1/nothing", {}), 404),
    "method": ({}, ("PUT", "/api/v1/jobs", {}), 405),
}


@pytest.mark.parametrize(("settings", "request_", "status"), FAULTS.values(), ids=FAULTS)
async def test_t08_every_layer_fails_in_one_shape(
    connect: Connect, settings: dict[str, Any], request_: tuple[str, str, dict[str, Any]], status: int
) -> None:
    method, path, options = request_
    async with connect(**settings) as client:
        answer = await client.request(method, path, **options)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert {"type", "title", "status", "detail", "instance", "code", "request_id"} <= set(problem)
    assert problem["request_id"] == answer.headers["X-Request-ID"]
    for word in ("hidden-password", "Traceback", "asyncpg", "127.0.0.1:1"):
        assert word not in answer.text


async def test_t08_what_goes_on_in_the_background_fails_no_request(connect: Connect) -> None:
    """Audit rows, lists of known users and limits have no store here; a request that needs none is answered."""
    async with connect(database_url=NOWHERE, redis_url=DEAF) as client:
        answers = [await client.get("/live", headers={"X-Request-ID": "calm"}) for _ in range(3)]
        login: httpx2.Response = await client.post(
            "/api/v1/auth/login", json={"email": "ada@example.com", "password": "correct horse"}
        )
    assert [(each.status_code, each.headers["X-Request-ID"]) for each in answers] == [(200, "calm")] * 3
    assert (login.status_code, login.json()["code"]) == (503, "unavailable")


def test_t12_chroma_is_a_server_of_this_machine_and_never_the_one_in_python(tmp_path: Path) -> None:
    command = build_chroma(tmp_path, 4711).spec.argv
    assert isinstance(command, list)
    assert command[command.index("run") :][3:5] == ["--host", "127.0.0.1"]
    for package in ("api", "common", "worker"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not [name for name in names if name.startswith("chromadb.server")], path
    compose = (ROOT / "compose.yaml").read_text("utf-8")
    service = compose.partition("\n  chroma:\n")[2].partition("\n\n")[0]
    assert "image: chromadb/chroma" in service
    assert "ports:" not in service
