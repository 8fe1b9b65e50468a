"""What clients hear while everything breaks: the stored log byte for byte, or an announced reset."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import pytest
from redis import RedisError
from redis.asyncio import Redis
from sqlalchemy import text

from common.client import AsyncLetuinClient, JobEvent, JobReset, Place
from common.database.model import Job
from common.events import Event
from common.repository.job import Owner
from common.repository.user import DEFAULT_TENANT_ID, LOCAL_USER
from tests.faults.api_fleet import ApiFleet
from tests.faults.arena import Arena, eventually
from tests.faults.kinds.stream import StreamPayload, stream

pytestmark = pytest.mark.faults

DOORS = (("socketio", "sse", "poll"), ("socketio",), ("sse",), ("poll",), ("poll", "sse"))


@dataclass
class Transcript:
    """What one client heard of one job, over all of its connections."""

    job: Job
    items: list[JobEvent | JobReset] = field(default_factory=list)
    log: Sequence[Event] = ()

    @property
    def place(self) -> Place:
        return Place(self.items[-1].seq, self.items[-1].epoch) if self.items else Place()

    @property
    def has_ended(self) -> bool:
        return bool(self.items) and isinstance(self.items[-1], JobEvent) and self.items[-1].is_terminal

    def check(self) -> bool:
        """Contiguous between resets; what came after the last one is what the log holds, byte for byte.

        False when the log was lost between the last event and the look at it.
        """
        seq, epoch = 0, None
        for item in self.items:
            if isinstance(item, JobEvent):
                assert item.first == seq + 1, f"{item.type} {item.first} after {seq}"
                assert epoch in (None, item.epoch), "another log without a reset"
            seq, epoch = item.seq, item.epoch
        last = max((index for index, item in enumerate(self.items) if isinstance(item, JobReset)), default=-1)
        heard = [item for item in self.items[last + 1 :] if isinstance(item, JobEvent)]
        start = self.items[last].seq if last >= 0 else 0
        if not self.log or self.log[0].epoch != epoch:
            return False
        assert _bytes(heard) == _bytes([event for event in self.log if event.seq > start])
        return True


def _bytes(events: Sequence[JobEvent | Event]) -> list[str]:
    """Streamed text may have come in larger pieces; everything else is compared as it is."""
    lines: list[str] = []
    joined: list[Any] = []
    for event in events:
        data = event.public() if isinstance(event, Event) else event.model_dump(mode="json", exclude={"first_seq"})
        shown = JobEvent.model_validate(data)
        if shown.type == "llm.delta":
            joined.append((shown.attempt, shown.data["text"]))
            continue
        lines += [repr(joined), shown.model_dump_json()] if joined else [shown.model_dump_json()]
        joined = []
    return lines


class Client:
    """Follows one job with changing doors and addresses, and goes on at its place whenever it is cut off."""

    def __init__(self, arena: Arena, seed: int, urls: Sequence[str], job: Job) -> None:
        self._arena = arena
        self._random = random.Random(seed)
        self._urls = urls
        self.transcript = Transcript(job)

    async def run(self) -> None:
        while not self.transcript.has_ended:
            async with AsyncLetuinClient(
                self._random.choice(self._urls), doors=self._random.choice(DOORS), patience=45
            ) as client:
                most = self._random.randint(1, 40)
                events = client.events(str(self.transcript.job.id), self.transcript.place)
                async with aclosing(events):
                    async for item in events:
                        self.transcript.items.append(item)
                        most -= 1
                        if most == 0:
                            break
        self.transcript.log = await _stored(self._arena, self.transcript.job)


class Chaos:
    """What may happen at any time."""

    def __init__(self, arena: Arena, apis: ApiFleet, seed: int) -> None:
        self._arena = arena
        self._apis = apis
        self._random = random.Random(seed)
        self.happened: list[str] = []

    async def run(self, count: int, pause: float) -> None:
        kinds: list[Callable[[], Awaitable[None]]] = [
            self.cut_clients,
            self.cut_listeners,
            self.cut_clients,
            self.empty_redis,
            self.kill_api,
            self.kill_redis,
            self.kill_worker,
        ]
        self._random.shuffle(kinds)
        for number in range(count):
            await asyncio.sleep(pause * self._random.uniform(0.5, 1.5))
            chosen = kinds[number % len(kinds)]
            self.happened.append(chosen.__name__)
            await chosen()

    async def cut_clients(self) -> None:
        self._random.choice(self._apis.proxies).reset()

    async def cut_listeners(self) -> None:
        async with self._redis() as redis:
            await redis.client_kill_filter(_type="pubsub")

    async def empty_redis(self) -> None:
        async with self._redis() as redis:
            await redis.flushall()

    def _redis(self) -> Redis:
        """A client more patient than those of the processes."""
        client: Redis = Redis.from_url(self._arena.stack.environment()["REDIS_URL"], socket_timeout=30)
        return client

    async def kill_api(self) -> None:
        api = self._random.choice(self._apis.apis)
        await api.kill()
        await api.start()

    async def kill_redis(self) -> None:
        await self._arena.kill_server("redis")

    async def kill_worker(self) -> None:
        worker = self._random.choice([each for each in self._arena.fleet.workers if each.is_alive])
        await worker.kill()
        await self._arena.fleet.start(1)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("seed", "faults"),
    [
        pytest.param(7, 7, id="short"),
        *(pytest.param(seed, 40, id=f"long_{seed}", marks=pytest.mark.soak) for seed in range(1, 6)),
    ],
)
async def test_transcripts_are_the_log_whatever_breaks(arena: Arena, seed: int, faults: int) -> None:
    """Windows: between replay and live, between two doors, between two processes, between two logs."""
    owner = Owner(DEFAULT_TENANT_ID, LOCAL_USER.id)
    payload = StreamPayload(words=80 * faults, per_second=60)
    async with ApiFleet(arena.environment, 2) as apis:
        await arena.fleet.start(2)
        jobs = [await arena.container.queue().submit(stream, payload, owner=owner) for _ in range(3)]
        clients = [Client(arena, seed * 100 + index, apis.urls, jobs[index % 3]) for index in range(6)]
        chaos = Chaos(arena, apis, seed)
        async with asyncio.timeout(240 + faults * 30), asyncio.TaskGroup() as tasks:
            for client in clients:
                tasks.create_task(client.run())
            tasks.create_task(chaos.run(faults, 0.7))
        compared = [client.transcript.check() for client in clients]
        assert any(compared)
        for client in clients:
            text_heard, result = _text(client.transcript), await _result(arena, client.transcript.job)
            assert result is not None or getattr(client.transcript.items[-1], "type", None) == "job.failed"
            assert None in (text_heard, result) or text_heard == result


def _text(transcript: Transcript) -> str | None:
    """What was streamed by the last attempt; None when a reset took a part of it."""
    pieces: list[str] | None = []
    for item in transcript.items:
        if isinstance(item, JobReset):
            pieces = None
        elif item.type == "llm.reset":
            pieces = []
        elif item.type == "llm.delta" and pieces is not None:
            pieces.append(item.data["text"])
    return None if pieces is None else "".join(pieces)


async def _stored(arena: Arena, job: Job) -> Sequence[Event]:
    """The log, once Redis answers."""
    found: list[Event] = []

    async def is_read() -> bool:
        try:
            found[:] = (await arena.container.events().read(job.id)).events
        except (RedisError, OSError):
            return False
        return True

    await eventually(is_read)
    return found


async def _result(arena: Arena, job: Job) -> str | None:
    """None for a job whose workers were killed so often that it was given up."""
    async with arena.container.sessions()() as db:
        found = await db.execute(text("SELECT result ->> 'text' FROM jobs WHERE id = :id"), {"id": job.id})
        result: str | None = found.scalar_one()
        return result
