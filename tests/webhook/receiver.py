"""A real HTTP server that is called, and what it keeps of that."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks.webhooks import Webhook

_PATIENCE = 60.0


@dataclass
class Received:
    """One call."""

    body: bytes
    headers: dict[str, str]
    path: str

    def verify(self, secret: str) -> Any:
        """What it says, once the reference library has checked its signature and time."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """Answers with what `answers` holds, one after the other, then with 204."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: "deque[web.Response | Callable[[], web.StreamResponse]]" = field(default_factory=deque)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        async with self.changed:
            self.received.append(Received(await request.read(), headers, request.path))
            self.changed.notify_all()
        answer = self.answers.popleft() if self.answers else web.Response(status=204)
        return answer() if callable(answer) else answer

    async def until(self, count: int) -> list[Received]:
        """Wait for so many calls."""
        async with asyncio.timeout(_PATIENCE), self.changed:
            await self.changed.wait_for(lambda: len(self.received) >= count)
        return self.received


@asynccontextmanager
async def running_receiver() -> AsyncIterator[Receiver]:
    """A receiver on a free port of this machine."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # aiohttp has no other way to ask
    receiver.url = f"http://localhost:{port}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()
