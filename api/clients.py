"""The connected Socket.IO clients of this process: rooms, ordered sending, and an end for those who do not read."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from loguru import logger

from api.socketio_server import EngineIoPacket, socketio

_NAMESPACE = "/"
_EVENT, _MESSAGE = 2, 4  # of the Socket.IO and of the Engine.IO protocol
_LAG_SHARE = 4


class Clients:
    """The `Audience` of the Socket.IO server.

    `max_backlog` packets may wait for a client; with a quarter of that it lags. One that takes nothing for
    `patience` is disconnected.
    """

    def __init__(self, server: socketio.AsyncServer, *, max_backlog: int, patience: timedelta) -> None:
        self._server = server
        self._max_backlog = max_backlog
        self._patience = patience.total_seconds()
        self._drops: dict[str, asyncio.Task[None]] = {}
        self.dropped_slow = 0

    def is_connected(self, sid: str) -> bool:
        return bool(self._server.manager.is_connected(sid, _NAMESPACE))

    async def send(self, to: str | None, event: str, data: dict[str, Any]) -> None:
        """Queue an event for a client or a room (encoded once), or for everybody.

        Straight into the queues: the library's own way makes a task for each client and event. Whoever reads none of
        its pings is noticed by the library's service task.
        """
        encoded = self._server.packet_class(_EVENT, namespace=_NAMESPACE, data=[event, data]).encode()
        packet = EngineIoPacket(_MESSAGE, encoded)
        sockets = self._server.eio.sockets
        for _, eio_sid in self._server.manager.get_participants(_NAMESPACE, to):
            if (socket := sockets.get(eio_sid)) is not None and not socket.closed:
                socket.queue.put_nowait(packet)
        await asyncio.sleep(0)  # the writers take turns with us

    def members(self, room: str) -> list[str]:
        """The clients of this process that hear the room."""
        return [sid for sid, _ in self._server.manager.get_participants(_NAMESPACE, room)]

    async def admit(self, sid: str, room: str) -> None:
        """Let a client that is still in its handshake hear the room."""
        await self._server.enter_room(sid, room, namespace=_NAMESPACE)

    async def enter_room(self, sid: str, room: str) -> None:
        """Let the client hear the room, if it is still there."""
        if self.is_connected(sid):
            await self._server.enter_room(sid, room, namespace=_NAMESPACE)

    async def leave_room(self, sid: str, room: str) -> None:
        if self.is_connected(sid):
            await self._server.leave_room(sid, room, namespace=_NAMESPACE)

    async def disconnect(self, sid: str, code: str, message: str) -> None:
        """Tell the client why, then close its connection."""
        await self.send(sid, "server:disconnect", {"code": code, "message": message})
        eio_sid = self._server.manager.eio_sid_from_sid(sid, _NAMESPACE)
        await self._server.disconnect(sid, namespace=_NAMESPACE, ignore_queue=True)
        if (socket := self._server.eio.sockets.get(eio_sid)) is not None:
            await socket.close(wait=False, reason=self._server.reason.SERVER_DISCONNECT)
            await socket.queue.put(None)  # lets the writer end, which closes the transport

    async def drain(self, sid: str) -> bool:
        """Wait until the client has taken what was sent so far."""
        if (socket := self._socket(sid)) is None:
            return False
        try:
            await asyncio.wait_for(socket.queue.join(), self._patience)
        except TimeoutError:
            self._drop(sid, socket)
            return False
        return self.is_connected(sid)

    def lagging(self, sids: Iterable[str]) -> list[str]:
        """Those of `sids` with more than a quarter of MAX_CLIENT_BACKLOG packets waiting."""
        return [sid for sid in sids if self._backlog(sid) > self._max_backlog // _LAG_SHARE]

    def drop_slow(self, sids: Iterable[str]) -> None:
        """Disconnect those of `sids` who have more than MAX_CLIENT_BACKLOG packets waiting."""
        for sid in list(sids):
            if self._backlog(sid) > self._max_backlog:
                self._drop(sid, self._socket(sid))

    def _drop(self, sid: str, socket: Any) -> None:
        """In a task of its own: disconnecting cancels the deliveries that notice a slow client."""
        if sid not in self._drops:
            self._drops[sid] = asyncio.create_task(self._disconnect_slow(sid, socket), name="drop-slow-client")

    async def _disconnect_slow(self, sid: str, socket: Any) -> None:
        self.dropped_slow += 1
        logger.warning("Disconnected a client that does not read what it is sent")
        try:
            while not socket.queue.empty():
                socket.queue.get_nowait()
                socket.queue.task_done()
            await self.disconnect(sid, "slow_client", "too many events wait; connect again and continue after_seq")
        finally:
            del self._drops[sid]

    def _backlog(self, sid: str) -> int:
        socket = self._socket(sid)
        return 0 if socket is None else socket.queue.qsize()

    def _socket(self, sid: str) -> Any:
        """The Engine.IO connection, whose queue of packets is not bounded by the library."""
        eio_sid = self._server.manager.eio_sid_from_sid(sid, _NAMESPACE)
        return self._server.eio.sockets.get(eio_sid) if eio_sid else None
