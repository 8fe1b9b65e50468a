"""Wall clocks that are wrong or jump while jobs run: nobody but PostgreSQL's clock decides anything."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest

from common.queue.client import SubmitOptions
from common.queue.status import JobStatus
from tests.faults.arena import Arena
from tests.faults.kinds.mark import MarkPayload, mark

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="libfaketime is loaded as Linux does"),
]

CALM = {"WORKER_CONCURRENCY": "4", "LEASE_DURATION": "10", "HEARTBEAT_INTERVAL": "2"}
DELAY = timedelta(seconds=1.5)


class Clock:
    """The wall clock of one process, set by a file that it looks at each time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set("+0")

    def set(self, offset: str) -> None:
        """Put it that far from the true time, as libfaketime writes it: `+3600`, `-1h`."""
        self._file.write_text(f"{offset}\n", "ascii")

    def variables(self) -> dict[str, str]:
        """What the process must be started with. The monotonic clock stays true."""
        spec = find_spec("libfaketime")
        assert spec is not None
        assert spec.origin is not None
        library = Path(spec.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


@pytest.mark.soak
async def test_a_worker_whose_clock_jumps_by_an_hour_robs_nobody_and_starts_nothing_early(
    arena: Arena, tmp_path: Path
) -> None:
    """Windows: an early takeover, an early start, a lease or a hint that a wrong clock ends."""
    clock = Clock(tmp_path / "clock")
    clock.set("+10d")
    jumping = await arena.fleet.start_one(**clock.variables(), **CALM)
    true = await arena.fleet.start_one(**CALM)
    believed = datetime.now(UTC) + timedelta(days=10)
    assert f"{believed:%Y-%m-%d}" in await jumping.printed("Worker ready"), "the clock is not wrong at all"
    payload = MarkPayload(path=str(tmp_path / "runs"), seconds=1)
    for offset in ("+1h", "-1h", "+1h", "+0"):
        clock.set(offset)
        await arena.submit_many(mark, payload, 6)
        await arena.submit_many(mark, MarkPayload(path=payload.path), 4, SubmitOptions(delay=DELAY))
        await asyncio.sleep(1)
    await arena.until_ended(90)
    stories = await arena.check()
    assert {(story.status, story.claims) for story in stories} == {(JobStatus.SUCCEEDED, 1)}
    assert {story.endings[0].worker_id for story in stories} == {jumping.id, true.id}
    async with arena.connect() as db:
        assert await db.fetchval("SELECT count(*) FROM jobs WHERE started_at < run_at") == 0
        late = await db.fetchval("SELECT max(started_at - run_at) FROM jobs")
    assert late < timedelta(seconds=6)
