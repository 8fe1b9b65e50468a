"""Both storages keep the same promises; the S3 one against a real server."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest

from common.config import CommonSettings
from common.ids import new_id
from common.storage.base import FileKey, FileStorage
from common.storage.opening import open_storage
from tests.fixtures.letuin import letuin

ONE = "01a2069b-33df-7c32-9068-277112c3e144"

BUCKET = "letuin-test"


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    """An S3 server with one bucket."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, env={"PATH": os.environ["PATH"]}, stdout=quiet, stderr=quiet)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                if httpx2.put(f"{url}/{BUCKET}", timeout=5, trust_env=False).is_success:
                    break
            except httpx2.TransportError:
                assert server.poll() is None, "the S3 server did not start"
        yield url
    finally:
        server.terminate()
        server.wait(60)


def settings_of(kind: str, folder: Path, s3_url: str) -> dict[str, str]:
    if kind == "local":
        return {"DATA_DIR": str(folder / "data")}
    return {
        "STORAGE_URL": f"s3://{BUCKET}/{kind}",
        "S3_ENDPOINT_URL": s3_url,
        "S3_ACCESS_KEY_ID": "key",
        "S3_SECRET_ACCESS_KEY": "secret",
    }


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, s3_url: str) -> FileStorage:
    values = {name.lower(): value for name, value in settings_of(request.param, tmp_path, s3_url).items()}
    return open_storage(CommonSettings.model_validate({"environment": "test", **values}))


async def pieces(*content: bytes) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece


async def broken() -> AsyncIterator[bytes]:
    yield b"half of it"
    raise ConnectionResetError


async def test_a_storage_keeps_whole_files_only(storage: FileStorage) -> None:
    key, other = [FileKey(new_id(), new_id(), new_id()) for _ in range(2)]
    large = [bytes([number]) * 1024 * 1024 for number in range(11)]
    await storage.write(key, pieces(*large))
    assert b"".join([piece async for piece in storage.read(key)]) == b"".join(large)
    await storage.write(key, pieces(b"another ", b"content"))
    assert b"".join([piece async for piece in storage.read(key)]) == b"another content"
    with pytest.raises((OSError, ConnectionResetError)):
        await storage.write(other, broken())
    with pytest.raises(FileNotFoundError):
        await anext(storage.read(other))
    assert [file.key async for file in storage.list()] == [key]
    for _ in range(2):
        await storage.delete(key)
    assert [file async for file in storage.list()] == []
    assert await storage.check()
    assert [file async for file in storage.list()] == []


@pytest.mark.parametrize("path", ["a/b/c", "../x", f"{ONE}/{ONE}", f"{ONE}/{ONE}/{ONE}/x"])
def test_other_paths_are_no_keys(path: str) -> None:
    assert FileKey.parse(path) is None


async def test_the_doctor_tries_the_storage(tmp_path: Path, s3_url: str) -> None:
    environment = {"ENVIRONMENT": "test", **settings_of("doctor", tmp_path, s3_url)}
    good, bad = await asyncio.gather(
        asyncio.to_thread(letuin, "doctor", folder=tmp_path, env=environment),
        asyncio.to_thread(letuin, "doctor", folder=tmp_path, env={**environment, "STORAGE_URL": "s3://no-such-bucket"}),
    )
    assert f"s3://{BUCKET}/doctor" in good.stdout
    assert "s3://no-such-bucket does not work" in bad.stdout
    assert "secret" not in good.stdout + bad.stdout
