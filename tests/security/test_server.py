"""What reaches the process before it is a request: heads without end, smuggling, other protocols (N24, R02, T05)."""

import asyncio
import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.api.conftest import ECHO
from tests.api.test_process import serving
from tests.fixtures.stores import Stores

HOST = b"Host: 127.0.0.1\r\n"
JSON = b"Content-Type: application/json\r\n"
BODY = b'{"kind": "system.echo", "payload": {"message": "x"}}'
POST = b"POST /api/v1/jobs HTTP/1.1\r\n" + HOST + JSON

# What is sent, and the status; the connection is closed after it. 0: nothing is answered.
RAW: dict[str, tuple[bytes, int]] = {
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "no method": (b"/ HTTP/1.1\r\n\r\n", 400),
    "T05 unknown method": (b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "N24 two lengths": (POST + b"Content-Length: 52\r\nContent-Length: 5\r\n\r\n" + BODY, 400),
    "N24 length and chunks": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "N24 chunks and length": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    "N24 chunked twice over": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    "N24 hidden chunks": (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    "N24 negative length": (POST + b"Content-Length: -1\r\n\r\n", 400),
    "N24 length in hexadecimal": (POST + b"Content-Length: 0x34\r\n\r\n" + BODY, 400),
    "N24 chunk size that is none": (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    "N24 folded header": (POST + b"X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n", 400),
    "N24 NUL in a header": (POST + b"X-A: a\0b\r\n\r\n", 400),
    "N24 CR in a header": (POST + b"X-A: a\rb\r\n\r\n", 400),
    "T04 no host": (b"GET /live HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
    "T04 two hosts": (b"GET /live HTTP/1.1\r\nConnection: close\r\nHost: evil.example\r\n" + HOST + b"\r\n", 400),
    "T04 absolute URL, our host": (
        b"GET http://evil.example/live HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n",
        200,
    ),
    "T04 absolute URL, other host": (
        b"GET http://127.0.0.1/live HTTP/1.1\r\nConnection: close\r\nHost: x\r\n\r\n",
        400,
    ),
    "T05 CONNECT": (b"CONNECT 127.0.0.1:22 HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 400),
    "a head without end": (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 1_500_000, 431),
    "a URL without end": (b"GET /" + b"a" * 1_500_000, 431),
    "R02 half a head": (b"GET / HTTP/1.1\r\n" + HOST, 408),
    "R02 nothing at all": (b"", 0),
}


async def send_raw(url: str, raw: bytes) -> bytes:
    """Everything that came back until the server closed the connection."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    received = b""
    try:
        async with asyncio.timeout(60):
            try:
                writer.write(raw)
                await writer.drain()
                while piece := await reader.read(65536):
                    received += piece
            except ConnectionError:
                pass
    finally:
        writer.close()
    return received


@pytest.mark.e2e
async def test_what_is_no_request_gets_a_clear_end(stores: Stores, tmp_path: Path) -> None:
    """N24, R02, T01, T04, T05: one problem at most, and the connection closes; the server goes on."""
    limits = {"REQUEST_TIMEOUT": "1", "ALLOWED_HOSTS": "127.0.0.1"}
    async with serving(stores, tmp_path, limits) as (_, url):
        answers = await asyncio.gather(*(send_raw(url, raw) for raw, _ in RAW.values()))
        async with httpx2.AsyncClient(base_url=url, timeout=60) as client:
            assert (await client.post("/api/v1/jobs", json=ECHO)).status_code == 202
            served = await client.get("/live", headers={"X-Forwarded-For": "192.0.2.1"})
            jobs = (await client.get("/api/v1/jobs")).json()["items"]

    for name, answer in zip(RAW, answers, strict=True):
        statuses = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", answer)]
        assert statuses == [RAW[name][1]][: RAW[name][1]], (name, answer[:500])
        head = answer.lower().partition(b"\r\n\r\n")[0]
        assert b"\r\nserver:" not in head, name
        if statuses and statuses[0] != 200:
            assert b"content-type: application/problem+json" in head, (name, answer[:500])
            assert b"x-request-id: " in head, name
            assert b"x-content-type-options: nosniff" in head, name
    assert len(jobs) == 1
    assert "Server" not in served.headers
