"""PostgreSQL on a disk without room: nothing that was answered is lost, and all goes on when there is room again."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from api.exception_handlers import is_database_away
from common.database.outage import DATABASE_ERRORS
from tests.faults.arena import Arena, arena, outcomes
from tests.faults.kinds.mark import MarkPayload, mark

pytestmark = pytest.mark.faults

_SIZE = "size=240m"
_BLOCK = bytes(2**20)


@pytest.fixture
def small_disk(pristine_data: Path, tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own, with servers' files in it. Only root may mount, and not everywhere."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", _SIZE, "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be made here: {mounted.stderr.decode().strip()}")
    try:
        tmp_path.chmod(0o755)
        subprocess.run(["cp", "-a", str(pristine_data), f"{disk}/data"], check=True)
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Leave no byte."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(_BLOCK):
                pass
        except OSError:
            return ballast
    raise AssertionError("the disk has no end")


async def submit_until_refused(servers: Arena, runs: Path) -> Exception:
    """Submit until PostgreSQL says that it has no room."""
    payload = MarkPayload(path=str(runs) + "x" * 20_000)
    for _ in range(2000):
        try:
            await servers.submit(mark, payload)
        except DATABASE_ERRORS as error:
            return error
    raise AssertionError("2,000 large jobs fitted on a full disk")


@pytest.mark.soak
async def test_a_full_disk_refuses_and_loses_nothing(small_disk: Path, tmp_path: Path) -> None:
    """Window: there is no room for the end of an attempt, for a heartbeat, for a new job."""
    runs = tmp_path / "runs"
    async with arena(small_disk / "data") as servers:
        workers = await servers.fleet.start(2)
        await servers.submit_many(mark, MarkPayload(path=str(runs), seconds=1.5), 20)
        await servers.until("status = 'running'", 20)
        ballast = fill(small_disk)
        error = await submit_until_refused(servers, runs)
        assert is_database_away(error), f"the api would answer 500 to {error!r}"
        await asyncio.sleep(2)
        ballast.unlink()
        await servers.container.engine().dispose()
        await servers.until_ended(90, jobs=servers.accepted[:20])
        for _ in range(20):
            try:
                await servers.submit(mark, MarkPayload(path=str(runs)))
            except (SQLAlchemyError, OSError):
                await asyncio.sleep(0.2)
        rest = [job for job in servers.accepted if job not in servers.accepted[:20]]
        await servers.until_ended(90, jobs=rest)
        stories = await servers.check(whole_events=False, max_crashes=3)
        assert set(outcomes(stories)) <= {"succeeded", "failed"}
        assert all(worker.is_alive for worker in workers)
