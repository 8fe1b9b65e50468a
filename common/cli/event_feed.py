"""The events of one job as they happen: pushed over Socket.IO, or found by asking again when there is no socket."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import aiohttp
import socketio  # type: ignore[import-untyped]

from common.cli.api_client import ApiClient, Job
from common.cli.exits import UnreachableError
from common.events import EventType, is_terminal
from common.queue.status import TERMINAL

SNAPSHOT = "job.snapshot"
"""Our own event: the job as it is, where its earlier events are not to be had."""

_CONNECT_LIMIT, _SUBSCRIBE_LIMIT = 5, 5
_POLL_PAUSE, _FIRST_PATIENCE, _PATIENCE, _TRIES = 0.5, 1.0, 5.0, 6
Event = dict[str, Any]


async def follow(client: ApiClient, job_id: str) -> AsyncGenerator[Event]:
    """The job's events from its first, `{type, attempt, data, …}`; the last one is terminal.

    Raises what ApiClient raises. An api that restarts meanwhile is waited for, about half a minute.
    """
    live = _LiveEvents(client, job_id)
    try:
        events = _pushed(client, job_id, live) if await live.connect() else _polled(client, job_id)
        async for event in events:
            yield event
            if is_terminal(event["type"]):
                return
    finally:
        await live.close()


class _LiveEvents:
    """The Socket.IO side: fills `queue`, and takes up where it was after a broken connection."""

    def __init__(self, client: ApiClient, job_id: str) -> None:
        self.queue: asyncio.Queue[Event] = asyncio.Queue()
        self._target = client.target
        self._job_id = job_id
        self._epoch: str | None = None
        self._seq = 0
        # A session of our own: the library leaves its one open when it cannot connect.
        self._session = aiohttp.ClientSession()
        self._socket = socketio.AsyncClient(handle_sigint=False, http_session=self._session)
        self._socket.on("connect", self._subscribe)
        self._socket.on("job:event", self._receive)
        self._socket.on("job:reset", self._restart)

    async def connect(self) -> bool:
        """Whether events will come."""
        auth = {"token": self._target.token} if self._target.token else None
        try:
            await self._socket.connect(
                self._target.url, auth=auth, transports=["websocket"], wait_timeout=_CONNECT_LIMIT
            )
        except socketio.exceptions.ConnectionError:
            return False
        return True

    async def close(self) -> None:
        """Leave. The socket's own tasks are given the time to end."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._socket.shutdown(), _CONNECT_LIMIT)
        await self._session.close()

    async def _subscribe(self) -> None:
        place = {"job_id": self._job_id, "after_seq": self._seq}
        if self._epoch is not None:
            place["epoch"] = self._epoch
        try:
            answer = await self._socket.call("job:subscribe", place, timeout=_SUBSCRIBE_LIMIT)
        except socketio.exceptions.SocketIOError:
            return  # the next connection, or the look at the row, makes up for it
        if isinstance(answer, dict) and answer.get("snapshot"):
            self.queue.put_nowait(_snapshot(answer["snapshot"]))

    async def _receive(self, event: Event) -> None:
        if event.get("job_id") != self._job_id:
            return
        if event["epoch"] != self._epoch:
            self._epoch, self._seq = event["epoch"], 0
        if event["seq"] > self._seq:
            self._seq = event["seq"]
            self.queue.put_nowait(event)

    async def _restart(self, reset: Event) -> None:
        """The server lost earlier events: the snapshot stands for them."""
        if reset.get("job_id") != self._job_id:
            return
        self._epoch, self._seq = reset["epoch"], reset["seq"]
        if reset.get("snapshot"):
            self.queue.put_nowait(_snapshot(reset["snapshot"]))


async def _pushed(client: ApiClient, job_id: str, live: _LiveEvents) -> AsyncGenerator[Event]:
    patience, failures = _FIRST_PATIENCE, 0
    while True:
        try:
            event = await asyncio.wait_for(live.queue.get(), patience)
        except TimeoutError:
            # Silence: the row knows whether the end was missed.
            patience = _PATIENCE
            try:
                event, failures = _snapshot(await client.job(job_id)), 0
            except UnreachableError:
                failures += 1
                if failures > _TRIES:
                    raise
                continue
            if event["data"]["status"] not in TERMINAL:
                continue
        yield event
        if event["type"] == SNAPSHOT and event["data"]["status"] in TERMINAL:
            yield _terminal(event["data"])


async def _polled(client: ApiClient, job_id: str) -> AsyncGenerator[Event]:
    seen: object = None
    while (job := await client.job(job_id))["status"] not in TERMINAL:
        if job.get("progress") and job["progress"] != seen:
            seen = job["progress"]
            yield {"type": EventType.PROGRESS, "job_id": job_id, "attempt": job["attempt"], "data": seen}
        await asyncio.sleep(_POLL_PAUSE)
    yield _terminal(job)


def _snapshot(job: Job) -> Event:
    return {"type": SNAPSHOT, "job_id": job["id"], "data": job}


def _terminal(job: Job) -> Event:
    data = {"result": job.get("result"), "error": job.get("error")}
    return {"type": f"job.{job['status']}", "job_id": job["id"], "attempt": job["attempt"], "data": data}
