"""A `text/event-stream` answer that ends with its stream, or at once when the client is gone."""

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.streams import Stream

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_RETRY = b"retry: 1000\n\n"


class EventStreamResponse(Response):
    """Sends what `opening` gives, with a comment every `heartbeat` of silence."""

    media_type = "text/event-stream"

    def __init__(self, opening: AbstractAsyncContextManager[Stream], heartbeat: timedelta) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._opening = opening
        self._heartbeat = heartbeat

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open the stream before the answer begins, so that a refusal is an answer of its own."""
        async with self._opening as stream:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            gone = asyncio.create_task(_wait_gone(receive), name="sse-gone")
            writer = asyncio.create_task(self._write(stream, send), name="sse-writer")
            try:
                await asyncio.wait([gone, writer], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (gone, writer):
                    task.cancel()
                await asyncio.wait([gone, writer])
            if not writer.cancelled() and (error := writer.exception()) is not None:
                raise error

    async def _write(self, stream: Stream, send: Send) -> None:
        await _send(send, _RETRY)
        while (chunk := await stream.next(self._heartbeat)) is not None:
            await _send(send, chunk)
        await send({"type": "http.response.body", "body": b""})


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _wait_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
