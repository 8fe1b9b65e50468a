"""Errors that belong to no feature: their shape, stores that are away, bodies that are too large, request ids."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from loguru import logger

from api.exception_handlers import add_exception_handlers
from api.main import create_app
from api.middleware.tracking import TrackingMiddleware
from common.errors import RateLimitedError
from tests.api.conftest import ACCESS_TOKEN, ECHO, PRODUCTION, BuildSettings, Connect, running
from tests.fixtures.stores import Stores

NOWHERE = "postgresql://letuin:secret-password@127.0.0.1:1/letuin"


async def test_problem_has_every_member(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/no/such/path")

    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:letuin:problem:not_found",
        "title": "Not Found",
        "status": 404,
        "detail": "Not Found",
        "instance": "/no/such/path",
        "code": "not_found",
        "request_id": answer.headers["X-Request-ID"],
    }


async def test_wrong_method_names_the_right_ones(client: httpx2.AsyncClient) -> None:
    answer = await client.delete("/live")

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("given", ["abc-123", "x" * 128, "~!@#$%^&*()"])
async def test_request_id_is_kept(client: httpx2.AsyncClient, given: str) -> None:
    assert (await client.get("/live", headers={"X-Request-ID": given})).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "two words", "tab\there", "ünïcode"])
async def test_unclean_request_id_is_replaced(client: httpx2.AsyncClient, given: str) -> None:
    headers = {b"X-Request-ID": given.encode()}
    assert len((await client.get("/live", headers=headers)).headers["X-Request-ID"]) == 36


@pytest.mark.parametrize("path", ["/api/v1/jobs", "/api/v1/users/me"])
async def test_postgres_away_is_503(connect: Connect, path: str) -> None:
    async with connect(database_url=NOWHERE) as client:
        answers = [await client.get(path), await client.post("/api/v1/jobs", json=ECHO)]

    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["Retry-After"] == "5"
        assert "secret-password" not in answer.text


async def test_postgres_away_at_the_gate_of_production(connect: Connect) -> None:
    async with connect(**PRODUCTION, database_url=NOWHERE) as client:
        answer = await client.get("/api/v1/jobs", headers={"Authorization": f"Bearer {ACCESS_TOKEN}"})
    assert answer.status_code == 503


async def test_database_without_tables_is_503(connect: Connect, stores: Stores) -> None:
    empty = stores.database_url.rpartition("/")[0] + "/postgres"
    async with connect(database_url=empty) as client:
        answer = await client.get("/api/v1/jobs")
        ready = await client.get("/ready")

    assert (answer.status_code, answer.json()["detail"]) == (503, "The database is not migrated yet.")
    assert ready.status_code == 503


async def _pieces(count: int, sent: list[int]) -> AsyncIterator[bytes]:
    for number in range(count):
        sent.append(number)
        yield b"x" * 1000
        await asyncio.sleep(0)


async def test_body_over_the_limit_is_413(connect: Connect) -> None:
    async with connect(max_body_bytes=2000) as client:
        announced = await client.post("/api/v1/jobs", content=b"x" * 2001)
        sent: list[int] = []
        chunked = await client.post(
            "/api/v1/jobs", content=_pieces(1000, sent), headers={"Content-Type": "application/json"}
        )
        fitting = await client.post("/api/v1/jobs", json={**ECHO, "payload": {"message": "x" * 1500}})

    for answer in (announced, chunked):
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert "MAX_BODY_BYTES allows 2000 bytes" in answer.json()["detail"]
        assert answer.headers["Connection"] == "close"
    assert len(sent) < 50  # a little more than the limit is read, so that the answer arrives
    assert fitting.status_code == 202


async def test_json_needs_its_content_type(client: httpx2.AsyncClient) -> None:
    body = b'{"kind": "system.echo", "payload": {"message": "x"}}'
    answer = await client.post("/api/v1/jobs", content=body, headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.fixture
async def broken() -> AsyncIterator[httpx2.AsyncClient]:
    """An app with routes that fail, behind our handlers."""
    app = FastAPI()
    app.add_middleware(TrackingMiddleware)
    add_exception_handlers(app)

    @app.get("/bug")
    async def bug() -> None:
        raise LookupError("the password is hunter2")

    @app.get("/limited")
    async def limited() -> None:
        raise RateLimitedError("slow down", retry_after=timedelta(seconds=1.5))

    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


async def test_unforeseen_error_tells_nothing_and_is_logged(broken: httpx2.AsyncClient) -> None:
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(str(message.record)))
    answer = await broken.get("/bug", headers={"X-Request-ID": "bug-1"})
    logger.remove(sink)

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.json()["detail"] == "Something went wrong on our side."
    assert "hunter2" not in answer.text
    assert any("LookupError" in line and "bug-1" in line for line in lines)


async def test_rate_limit_says_when_to_come_back(broken: httpx2.AsyncClient) -> None:
    answer = await broken.get("/limited")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")


async def test_one_log_line_a_request(client: httpx2.AsyncClient) -> None:
    job = (await client.post("/api/v1/jobs", json=ECHO)).json()
    records: list[dict[str, Any]] = []
    sink = logger.add(lambda message: records.append(dict(message.record)), level="DEBUG")
    await client.get(f"/api/v1/jobs/{job['id']}?secret=1", headers={"X-Request-ID": "line-1"})
    await client.get("/no/such/path")
    logger.remove(sink)

    lines = [record["extra"] for record in records if record["message"] == "Request answered"]
    assert [line["route"] for line in lines] == ["/api/v1/jobs/{job_id}", "unmatched"]
    assert (lines[0]["method"], lines[0]["status"], lines[0]["request_id"]) == ("GET", 200, "line-1")
    assert lines[0]["duration_ms"] > 0


async def test_cross_origin_pages_need_to_be_named(connect: Connect) -> None:
    preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    async with connect(**PRODUCTION, cors_origins="https://app.example, https://b.example") as client:
        named = await client.options("/api/v1/jobs", headers=preflight)
        other = await client.options("/api/v1/jobs", headers={**preflight, "Origin": "https://evil.example"})

    assert named.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "Access-Control-Allow-Origin" not in other.headers


async def test_two_apps_share_the_secret_of_the_data_folder(build_settings: BuildSettings, tmp_path: Path) -> None:
    for _ in range(2):
        async with running(create_app(build_settings(jwt_secret=None))):
            pass
    kept = tmp_path / "data" / "jwt-secret"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert len(kept.read_bytes()) >= 32
    assert [path.name for path in kept.parent.iterdir()] == ["jwt-secret"]
