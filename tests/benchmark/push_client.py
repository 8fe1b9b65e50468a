"""Socket.IO clients that cost little, so that the server is what is measured."""

import asyncio
import json
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import aiohttp

type Heard = Callable[[str], None]

_CLOSING = aiohttp.ClientWSTimeout(ws_close=1)


class PushClients:
    """Many clients of one api, in one session."""

    def __init__(self, port: int, token: str) -> None:
        self._url = f"http://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket"
        self._token = token
        self._tasks: list[asyncio.Task[None]] = []
        self.sockets: list[aiohttp.ClientWebSocketResponse] = []

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(ws.close() for ws in self.sockets), return_exceptions=True)
        await self._session.close()

    async def connect(self, count: int, *, at_once: int = 50) -> None:
        """Let so many more in."""
        turns = asyncio.Semaphore(at_once)

        async def one() -> None:
            async with turns:
                ws = await self._session.ws_connect(self._url, autoping=False, max_msg_size=0, timeout=_CLOSING)
                await ws.receive_str()
                await ws.send_str("40" + json.dumps({"token": self._token}))
                answer = await ws.receive_str()
                if not answer.startswith("40"):
                    raise RuntimeError(f"refused: {answer}")
                self.sockets.append(ws)

        await asyncio.gather(*(one() for _ in range(count)))

    async def subscribe(self, index: int, job_id: UUID) -> None:
        """Let one client follow a job; everything behind the acknowledgement is for `listen`."""
        ws = self.sockets[index]
        await ws.send_str("420" + json.dumps(["job:subscribe", {"job_id": str(job_id)}]))
        while not (packet := await ws.receive_str()).startswith("430"):
            pass
        if '"ok":true' not in packet.replace(" ", ""):
            raise RuntimeError(f"refused: {packet}")

    def listen(self, heard: Heard) -> None:
        """Give every event packet of every client to `heard`, until the end."""
        self._tasks += [asyncio.create_task(_listen(ws, heard)) for ws in self.sockets]


async def _listen(ws: aiohttp.ClientWebSocketResponse, heard: Heard) -> None:
    async for message in ws:
        packet: Any = message.data
        if packet == "2":
            await ws.send_str("3")
        else:
            heard(packet)
