"""A reader of event streams over a real connection."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2


@dataclass(frozen=True)
class Frame:
    """One event as it came."""

    name: str
    id: str | None
    data: Any


class Reader:
    """The frames of one open answer."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()
        self.comments = 0
        self.last_id: str | None = None

    async def next(self) -> Frame | None:
        """The next event; None at the end of the answer."""
        fields: dict[str, str] = {}
        async for line in self._lines:
            if line.startswith(":"):
                self.comments += 1
            elif line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                self.last_id = fields.get("id", self.last_id)
                return Frame(fields.get("event", "message"), fields.get("id"), json.loads(fields["data"]))
        return None

    async def all(self) -> list[Frame]:
        """Everything until the end."""
        found = []
        while (frame := await self.next()) is not None:
            found.append(frame)
        return found


@asynccontextmanager
async def open_stream(url: str, token: str | None, last_id: str | None = None) -> AsyncIterator[Reader]:
    """Open `url` as an EventSource does."""
    headers = {"Accept": "text/event-stream"}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    headers |= {"Last-Event-ID": last_id} if last_id else {}
    async with (
        httpx2.AsyncClient(timeout=60, trust_env=False) as client,
        client.stream("GET", url, headers=headers) as response,
    ):
        yield Reader(response)
