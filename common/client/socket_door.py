"""The Socket.IO door: one connection for all jobs that a client follows."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import suppress
from time import monotonic
from typing import Any

import aiohttp
import socketio  # type: ignore[import-untyped]

from common.client.errors import ApiError, DoorClosedError
from common.client.http import Http
from common.client.models import Item, JobEvent, Place, read_reset

_CONNECT_LIMIT, _ANSWER_LIMIT = 5, 10
_MAX_PENDING = 20_000
_STATUS = {"not_found": 404, "forbidden": 403, "unauthorized": 401, "invalid": 422}

type _Heard = dict[str, Any] | None


class SocketDoor:
    """Connects when the first job is followed; a connection that is lost ends every `follow`."""

    name = "socketio"

    def __init__(self, http: Http) -> None:
        self._http = http
        self._client: Any = None
        self._session: aiohttp.ClientSession | None = None
        self._connecting = asyncio.Lock()
        self._queues: dict[str, set[asyncio.Queue[_Heard]]] = defaultdict(set)

    async def follow(self, job_id: str, place: Place) -> AsyncGenerator[Item]:
        """See `Door.follow`."""
        client = await self._connect()
        queue: asyncio.Queue[_Heard] = asyncio.Queue()
        self._queues[job_id].add(queue)
        try:
            answer = await self._subscribe(client, job_id, place)
            opened = monotonic()
            if not answer["recovered"]:
                yield read_reset({**answer, "job_id": job_id})
            while (heard := await queue.get()) is not None:
                yield read_reset(heard) if "type" not in heard else JobEvent.model_validate(heard)
            raise DoorClosedError("the connection was lost", open_for=monotonic() - opened)
        finally:
            await self._leave(client, job_id, queue)

    async def aclose(self) -> None:
        """Disconnect; every `follow` ends."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(client.shutdown(), _CONNECT_LIMIT)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _connect(self) -> Any:
        async with self._connecting:
            if self._client is not None and self._client.connected:
                return self._client
            await self.aclose()
            # A session of our own: the library leaves its one open when it cannot connect.
            self._session = aiohttp.ClientSession()
            client = socketio.AsyncClient(reconnection=False, handle_sigint=False, http_session=self._session)
            client.on("job:event", self._receive)
            client.on("job:reset", self._receive)
            client.on("disconnect", self._lost)
            token = self._http.token()
            try:
                await client.connect(
                    self._http.url,
                    auth={"token": token} if token else None,
                    transports=["websocket"],
                    wait_timeout=_CONNECT_LIMIT,
                )
            except (socketio.exceptions.ConnectionError, aiohttp.ClientError, OSError) as error:
                raise DoorClosedError(f"no connection: {error}") from error
            self._client = client
            return client

    async def _subscribe(self, client: Any, job_id: str, place: Place) -> dict[str, Any]:
        request: dict[str, Any] = {"job_id": job_id}
        request |= {"after_seq": place.seq} if place.seq or place.epoch else {}
        request |= {"epoch": place.epoch} if place.epoch else {}
        try:
            answer: dict[str, Any] = await client.call("job:subscribe", request, timeout=_ANSWER_LIMIT)
        except socketio.exceptions.SocketIOError as error:
            raise DoorClosedError(f"no answer: {type(error).__name__}") from error
        if not answer["ok"]:
            refusal = answer["error"]
            if (status := _STATUS.get(refusal["code"])) is None:
                raise DoorClosedError(refusal["message"])
            raise ApiError(status, refusal["code"], refusal["message"])
        return answer

    async def _leave(self, client: Any, job_id: str, queue: "asyncio.Queue[_Heard]") -> None:
        self._queues[job_id].discard(queue)
        if self._queues[job_id]:
            return
        del self._queues[job_id]
        if client.connected:
            with suppress(socketio.exceptions.SocketIOError):
                await client.emit("job:unsubscribe", {"job_id": job_id})

    async def _receive(self, heard: dict[str, Any]) -> None:
        for queue in self._queues.get(heard["job_id"], ()):
            if queue.qsize() < _MAX_PENDING:
                queue.put_nowait(heard)
            else:  # a reader this slow goes on from the log
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(None)

    async def _lost(self, *_: object) -> None:
        for queues in self._queues.values():
            for queue in queues:
                queue.put_nowait(None)


def create_door(http: Http) -> SocketDoor:
    """The door, for who imports this module only when it is wanted."""
    return SocketDoor(http)
