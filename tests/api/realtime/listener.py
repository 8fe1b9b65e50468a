"""A real Socket.IO client that keeps what it hears and can wait for it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self

import socketio  # type: ignore[import-untyped]

_EVENTS = (
    *("job:event", "job:reset", "job:update", "job:resync", "tenant:update", "server:disconnect", "notice"),
    *("thread:event", "thread:reset", "thread:closed"),
)
_PATIENCE = 60.0
type Heard = tuple[str, dict[str, Any]]


class Listener:
    """Use as `async with Listener(url, token) as listener`."""

    def __init__(self, url: str, token: str | None = None, *, auth: object = None) -> None:
        self._url = url
        self._auth = auth if auth is not None else ({"token": token} if token else None)
        self._changed = asyncio.Condition()
        self.heard: list[Heard] = []
        self.disconnected = asyncio.Event()
        self.client = socketio.AsyncClient(reconnection=False)
        for event in _EVENTS:
            self.client.on(event, self._keeper(event))
        self.client.on("disconnect", self._on_disconnect)

    async def __aenter__(self) -> Self:
        await self.client.connect(self._url, auth=self._auth, transports=["websocket"], wait_timeout=60)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.disconnect()
        await self.client.shutdown()

    async def ask(self, event: str, data: object) -> dict[str, Any]:
        """Send an event and return its acknowledgement."""
        answer: dict[str, Any] = await self.client.call(event, data, timeout=60)
        return answer

    async def subscribe(self, job_id: object, **where: object) -> dict[str, Any]:
        return await self.ask("job:subscribe", {"job_id": str(job_id), **where})

    async def until(self, is_enough: Callable[[list[Heard]], bool]) -> list[Heard]:
        """Wait until what was heard is enough."""
        async with asyncio.timeout(_PATIENCE), self._changed:
            await self._changed.wait_for(lambda: is_enough(self.heard))
        return self.heard

    async def until_type(self, event_type: str) -> list[dict[str, Any]]:
        """Wait for a `job:event` of this type; returns all `job:event`s so far."""
        await self.until(lambda _: any(event["type"] == event_type for event in self.events))
        return self.events

    @property
    def events(self) -> list[dict[str, Any]]:
        return self.named("job:event")

    def named(self, name: str) -> list[dict[str, Any]]:
        return [data for event, data in self.heard if event == name]

    def _keeper(self, event: str) -> Callable[[dict[str, Any]], Any]:
        async def keep(data: dict[str, Any]) -> None:
            async with self._changed:
                self.heard.append((event, data))
                self._changed.notify_all()

        return keep

    async def _on_disconnect(self, *_: object) -> None:
        self.disconnected.set()


async def eventually(is_so: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait for something that nobody announces."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            answer = is_so()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.01)
