"""What a worker does to the log, and how to read what was heard."""

import asyncio
from typing import Any

from redis import RedisError
from sqlalchemy import text

from api.container import ApiContainer
from common.database.model import Job
from common.events import NewEvent
from tests.api.realtime.conftest import delta, succeeded
from tests.api.realtime.listener import Listener

WORDS = [f"word{number} " for number in range(500)]


def said(events: list[dict[str, Any]]) -> str:
    return "".join(event["data"]["text"] for event in events if event["type"] == "llm.delta")


def numbers(events: list[dict[str, Any]]) -> list[int]:
    return [event["seq"] for event in events]


async def stream(container: ApiContainer, job: Job, words: list[str] = WORDS) -> None:
    """What a worker that streams does, one event at a time and as fast as it goes."""
    for word in words:
        await tell(container, delta(job, word))
    await tell(container, succeeded(job))


async def tell(container: ApiContainer, event: NewEvent) -> None:
    """As patient as a worker: on a busy machine Redis may take longer than REDIS_TIMEOUT."""
    is_retry = False
    while True:
        try:
            await container.events().append([event], is_retry=is_retry)
            return
        except (RedisError, OSError, TimeoutError):
            is_retry = True
            await asyncio.sleep(0.05)


async def noticed(listener: Listener) -> None:
    await listener.until(lambda _: bool(listener.named("notice")))


async def end(container: ApiContainer, job: Job) -> None:
    """The job was cancelled long ago, and nobody published it."""
    change = "status = 'cancelled', error = :error, finished_at = now() - interval '2 hours'"
    values = {"id": job.id, "error": '{"code": "cancelled", "message": "cancelled"}'}
    async with container.sessions().begin() as db:
        await db.execute(text(f"UPDATE jobs SET {change} WHERE id = :id"), values)
