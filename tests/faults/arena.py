"""Everything a fault needs: own servers that may be killed, a producer, workers, and the judge at the end."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import asyncpg
from pydantic import BaseModel
from redis import RedisError

from common.config import CommonSettings
from common.container import CommonContainer
from common.database.model import Job
from common.embedded.stack import EmbeddedStack
from common.events import Event, is_terminal
from common.ids import new_id
from common.queue.client import SubmitOptions
from common.queue.definition import JobKind
from common.queue.status import AttemptOutcome, JobStatus
from common.repository.job import Owner
from tests.faults.fleet import Fleet
from tests.faults.history import Ending, Move, Story, read_move, violations

type Connection = asyncpg.Connection[asyncpg.Record]

_ANNOUNCE = 10  # seconds: a busy machine is no outage

_ANNOUNCE = 10  # seconds: a busy machine is no outage
_MOVES = "SELECT * FROM job_history WHERE job_id = ANY($1) ORDER BY number"
_ENDINGS = "SELECT job_id, attempt, worker_id, outcome FROM attempts WHERE job_id = ANY($1)"
_ROWS = """
    SELECT id, status, max_attempts, (result ->> 'attempt')::int AS result_attempt FROM jobs WHERE id = ANY($1)
"""
_STUCK = """
    SELECT id, status, attempt, crashes, waiting, lease_owner, cancel_requested_at, run_at, clock_timestamp() AS now
    FROM jobs WHERE finished_at IS NULL AND id = ANY($1)
"""


@dataclass
class Arena:
    """`accepted` holds every job whose submission was answered: the promises that are checked."""

    stack: EmbeddedStack
    container: CommonContainer
    fleet: Fleet
    owner: Owner
    accepted: list[Job] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a process on the real servers, past every proxy."""
        return {"ENVIRONMENT": "test", **self.stack.environment()}

    async def submit[P: BaseModel, R: BaseModel](
        self, kind: JobKind[P, R], payload: P, options: SubmitOptions | None = None
    ) -> Job:
        """One job, remembered once it is accepted."""
        job = await self.container.queue().submit(kind, payload, owner=self.owner, options=options)
        self.accepted.append(job)
        return job

    async def submit_many[P: BaseModel, R: BaseModel](
        self, kind: JobKind[P, R], payload: P, count: int, options: SubmitOptions | None = None
    ) -> list[Job]:
        return await asyncio.gather(*(self.submit(kind, payload, options) for _ in range(count)))

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        """A connection to PostgreSQL itself."""
        connection = await asyncpg.connect(self.stack.environment()["DATABASE_URL"])
        try:
            yield connection
        finally:
            await connection.close()

    async def count(self, condition: str) -> int:
        """How many job rows fulfil a condition."""
        async with self.connect() as db:
            return int(await db.fetchval(f"SELECT count(*) FROM jobs WHERE {condition}"))

    async def until(self, condition: str, at_least: int = 1, limit: float = 90) -> None:
        """Wait until that many job rows fulfil a condition."""
        async with self.connect() as db:

            async def enough() -> bool:
                return bool(await db.fetchval(f"SELECT count(*) >= {at_least} FROM jobs WHERE {condition}"))

            await eventually(enough, limit)

    async def until_ended(self, limit: float = 90, jobs: Sequence[Job] | None = None) -> None:
        """Wait until the accepted jobs have ended; names the ones that did not."""
        ids = [job.id for job in (self.accepted if jobs is None else jobs)]
        async with self.connect() as db:

            async def none_left() -> bool:
                return not await db.fetchval(
                    "SELECT count(*) FROM jobs WHERE finished_at IS NULL AND id = ANY($1)", ids
                )

            try:
                await eventually(none_left, limit)
            except TimeoutError:
                stuck = [dict(row) for row in await db.fetch(_STUCK, ids)]
                raise AssertionError(f"{len(stuck)} jobs have not ended after {limit} s: {stuck[:3]}") from None

    async def kill_server(self, name: str) -> None:
        """SIGKILL one server and wait until its supervisor has brought it back."""
        before = self.stack.supervisor.pid(name)
        self.stack.supervisor.terminate(name, signal.SIGKILL)

        async def is_back() -> bool:
            return self.stack.supervisor.pid(name) not in (before, None)

        await eventually(is_back, 30)
        await self.stack.supervisor.wait_ready(name)

    async def check(self, *, max_crashes: int = 3, whole_events: bool = True) -> list[Story]:
        """Every accepted job against every invariant. The stories, for what a test wants to count."""
        stories = await self.stories(wait_for_events=whole_events)
        assert len(stories) == len(self.accepted), "accepted jobs are missing from the table"
        found = [
            str(each)
            for story in stories
            for each in violations(story, max_crashes=max_crashes, whole_events=whole_events)
        ]
        assert not found, f"{len(found)} violations:\n" + "\n".join(found[:20])
        return stories

    async def stories(self, *, wait_for_events: bool = False) -> list[Story]:
        """The whole way of every accepted job."""
        ids = [job.id for job in self.accepted]
        async with self.connect() as db:
            rows = await db.fetch(_ROWS, ids)
            moves: dict[UUID, list[Move]] = {row["id"]: [] for row in rows}
            endings: dict[UUID, list[Ending]] = {row["id"]: [] for row in rows}
            for row in await db.fetch(_MOVES, ids):
                moves[row["job_id"]].append(read_move(row))
            for row in await db.fetch(_ENDINGS, ids):
                ending = Ending(row["attempt"], row["worker_id"], AttemptOutcome(row["outcome"]))
                endings[row["job_id"]].append(ending)
        events = await self._events([row["id"] for row in rows], wait=wait_for_events)
        return [
            Story(
                row["id"],
                JobStatus(row["status"]),
                row["max_attempts"],
                row["result_attempt"],
                moves[row["id"]],
                endings[row["id"]],
                events[row["id"]],
            )
            for row in rows
        ]

    async def _events(self, ids: Sequence[UUID], *, wait: bool) -> dict[UUID, Sequence[Event]]:
        """The events of each job; with `wait`, after giving the last ones 30 s to arrive behind their rows."""
        found: dict[UUID, Sequence[Event]] = {}
        deadline = asyncio.get_running_loop().time() + 30
        for job_id in ids:
            events = found[job_id] = await self._read_events(job_id)
            while wait and not _has_end(events) and asyncio.get_running_loop().time() < deadline:
                await asyncio.sleep(0.05)
                events = found[job_id] = await self._read_events(job_id)
        return found

    async def _read_events(self, job_id: UUID) -> Sequence[Event]:
        try:
            return (await self.container.events().read(job_id)).events
        except (RedisError, OSError):
            return ()


async def eventually(holds: Callable[[], Awaitable[bool]], limit: float = 90) -> None:
    """Ask again and again, because nobody announces it, until it holds. Raises `TimeoutError`."""
    async with asyncio.timeout(limit):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.02)


def outcomes(stories: Sequence[Story]) -> Counter[str]:
    """How many jobs ended in which status."""
    return Counter(str(story.status) for story in stories)


@asynccontextmanager
async def arena(folder: Path, *, redis_url: str | None = None) -> AsyncIterator[Arena]:
    """Servers on the files in `folder`, and an owner; everything is gone afterwards."""
    async with EmbeddedStack(folder, {}, only={"postgres", "redis"}) as stack:
        urls = stack.environment()
        settings = CommonSettings.model_validate(
            {
                "environment": "test",
                "database_url": urls["DATABASE_URL"],
                "redis_url": redis_url or urls["REDIS_URL"],
                "redis_announce_timeout": _ANNOUNCE,
            }
        )
        container = CommonContainer(settings=settings)
        async with Fleet({"ENVIRONMENT": "test", "REDIS_ANNOUNCE_TIMEOUT": str(_ANNOUNCE), **urls}) as fleet:
            yield Arena(stack, container, fleet, Owner(new_id(), new_id()))
        await container.redis().aclose()
        await container.listener_redis().aclose()
        await container.direct().close()
        await container.engine().dispose()


def _has_end(events: Sequence[Event]) -> bool:
    return bool(events) and is_terminal(events[-1].type)
