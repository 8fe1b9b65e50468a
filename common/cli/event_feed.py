"""The events of one job as they happen, by whichever door of the api is open, and over every break."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import Any

from common.cli.api_client import ApiClient, Job
from common.cli.exits import CommandError, ExitCode, UnreachableError
from common.client.errors import ApiError
from common.client.errors import UnreachableError as NoDoorError
from common.client.following import DOORS, Follower
from common.client.http import Http
from common.client.models import Item, JobEvent, Place
from common.event_type import is_terminal
from common.queue.status import TERMINAL

SNAPSHOT = "job.snapshot"
"""Our own event: the job as it is, where its earlier events are not to be had."""

_FIRST_LOOK, _LOOK_EVERY, _LAST_CHANCE, _PATIENCE = 1.0, 5.0, 4.0, 30.0
_UNAUTHORIZED = 401
Event = dict[str, Any]


async def follow(client: ApiClient, job_id: str) -> AsyncGenerator[Event]:
    """The job's events from its first, `{type, attempt, data, …}`; the last one is terminal.

    Raises what ApiClient raises. An api that restarts meanwhile is waited for, about half a minute.
    """
    http = Http(client.target.url, client.target.token, _PATIENCE)
    follower = Follower(http, DOORS)
    try:
        async with aclosing(_items(follower, job_id)) as items, aclosing(_patient(client, job_id, items)) as events:
            async for event in events:
                yield event
                if is_terminal(event["type"]):
                    return
    finally:
        await follower.aclose()
        await http.aclose()


async def _items(follower: Follower, job_id: str) -> AsyncGenerator[Item]:
    try:
        async with aclosing(follower.follow(job_id, Place())) as items:
            async for item in items:
                yield item
    except ApiError as error:
        hint = ". Sign in with `letuin login`, or set LETUIN_TOKEN" if error.status == _UNAUTHORIZED else ""
        raise CommandError(f"{str(error).rstrip('.')}{hint}.", ExitCode.USAGE) from None
    except NoDoorError as error:
        raise UnreachableError(f"No Letuin api answers at {error}.") from None


async def _patient(client: ApiClient, job_id: str, items: AsyncIterator[Item]) -> AsyncGenerator[Event]:
    """Items as events. In a silence the row tells whether the end was missed: it is there while Redis is away."""
    wait, coming = _FIRST_LOOK, asyncio.ensure_future(_next(items))
    try:
        while True:
            done, _ = await asyncio.wait([coming], timeout=wait)
            if not done:
                wait = _LOOK_EVERY
                with suppress(UnreachableError):  # who waits for the api gives up when its time is over
                    if (job := await client.job(job_id))["status"] in TERMINAL and not await _comes(coming):
                        yield _snapshot(job)
                        yield _terminal(job)
                        return
                continue
            if (item := coming.result()) is None:
                return
            coming = asyncio.ensure_future(_next(items))
            if isinstance(item, JobEvent):
                yield item.model_dump(mode="json", exclude_none=True)
            elif item.job is not None:
                yield _snapshot(item.job.model_dump(mode="json"))
    finally:
        coming.cancel()
        await asyncio.wait([coming])


async def _comes(coming: "asyncio.Future[Item | None]") -> bool:
    """Whether the next item comes soon: on a busy machine a door may open after a short job has ended."""
    done, _ = await asyncio.wait([coming], timeout=_LAST_CHANCE)
    return bool(done)


async def _next(items: AsyncIterator[Item]) -> Item | None:
    return await anext(items, None)


def _snapshot(job: Job) -> Event:
    return {"type": SNAPSHOT, "job_id": job["id"], "data": job}


def _terminal(job: Job) -> Event:
    data = {"result": job.get("result"), "error": job.get("error")}
    return {"type": f"job.{job['status']}", "job_id": job["id"], "attempt": job["attempt"], "data": data}
