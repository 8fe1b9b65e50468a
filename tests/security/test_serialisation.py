"""What is read from Redis is data and never code (D01); numbers and moments come back as they were sent (D09)."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from common.config import CommonSettings
from common.container import CommonContainer
from common.ids import new_id
from tests.api.conftest import ECHO, Connect
from tests.fixtures.workers import running_worker

JOBS = "/api/v1/jobs"


def bomb(path: Path) -> bytes:
    """A pickle that makes a file when somebody loads it, written by hand."""
    return f"cos\nsystem\n(S'touch {path}'\ntR.".encode()


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """Where the file would be and must not come to be; the pickle does what it says when it is loaded."""
    path = tmp_path / "exploded"
    load = "import pickle, sys; pickle.loads(sys.stdin.buffer.read())"
    subprocess.run([sys.executable, "-c", load], input=bomb(path), check=True)
    assert path.exists()
    path.unlink()
    yield path
    assert not path.exists()


async def test_pickles_are_never_loaded(
    connect: Connect, container: CommonContainer, settings: CommonSettings, canary: Path
) -> None:
    """D01: in place of hints, of arq's job bodies and results, of events, and on the bus between servers."""
    redis, keys = container.redis(), container.keys()
    async with connect() as client, running_worker(settings):
        job = (await client.post(JOBS, json={**ECHO, "delay": 1})).json()
        unknown = str(new_id())
        await redis.set(keys.hint(job["id"]), bomb(canary))
        await redis.set(keys.hint(unknown), bomb(canary))
        await redis.set(f"arq:result:{unknown}", bomb(canary))
        await redis.zadd(keys.queue("default"), {unknown: 0, job["id"]: 0, bomb(canary): 0})
        await redis.xadd(keys.events(unknown), {"e": bomb(canary)})
        for channel in (keys.event_channel, keys.socketio_channel, keys.wake_channel("default")):
            await redis.publish(channel, bomb(canary))
        ended = await client.get(f"{JOBS}/{job['id']}", headers={"Prefer": "wait=30"})
        again = await client.post(JOBS, json=ECHO, headers={"Prefer": "wait=30"})

    assert (ended.json()["status"], again.json()["status"]) == ("succeeded", "succeeded")


VALUES: dict[str, str] = {
    "large whole number": "12345678901234567890123456789",
    "negative": "-9223372036854775809",
    "small fraction": "0.1",
    "fraction of many digits": "3.141592653589793",
    "small exponent": "1e-07",
    "zero": "0",
    "false": "false",
    "nothing": "null",
    "empty text": '""',
    "text that looks like a number": '"007"',
    "text that looks like a moment": '"2030-01-31T09:00:00+09:00"',
    "Korean and a picture": '"안녕 😀"',
    "line separators": '"a\\u2028b\\r\\n"',
    "escapes of terminals": '"\\u001b[31m\\u202e"',
    "empty object": "{}",
    "empty list": "[]",
    "keys of other systems": '{"$ne": 1, "lc": 1, "__class__": "x", "a.b": 2, "": 3}',
}


async def test_values_come_back_as_they_were_sent(client: httpx2.AsyncClient) -> None:
    """D05, D09, N19"""
    for name, raw in VALUES.items():
        body = b'{"kind": "system.echo", "payload": {"message": "x"}, "metadata": {"value": ' + raw.encode() + b"}}"
        job = (await client.post(JOBS, content=body, headers={"Content-Type": "application/json"})).json()
        shown = json.loads((await client.get(f"{JOBS}/{job['id']}")).content)["metadata"]["value"]

        assert shown == json.loads(raw), name
        assert type(shown) is type(json.loads(raw)), name
