"""Connections to providers: kept when an answer was read to its end, made anew when there is none."""

import asyncio
import socket
from functools import partial
from ssl import SSLContext
from typing import Any, NamedTuple

import httpx2
from aiohappyeyeballs import start_connection

from worker.llm.connection import Connection

_NAME_LIFETIME = 10.0
_NEXT_ADDRESS_AFTER = 0.25
type _Addresses = list[tuple[Any, Any, Any, Any, Any]]


class Origin(NamedTuple):
    """Where to connect to."""

    is_secure: bool
    host: str
    port: int

    @classmethod
    def of(cls, url: httpx2.URL) -> "Origin":
        """The origin of an address."""
        is_secure = url.scheme == "https"
        return cls(is_secure, url.host, url.port or (443 if is_secure else 80))


class ConnectionPool:
    """Any number of connections at a time; one that nobody uses is closed after `lifetime` seconds."""

    def __init__(self, ssl: SSLContext, *, lifetime: float) -> None:
        self._ssl, self._lifetime = ssl, lifetime
        self._open: dict[Connection, Origin] = {}
        self._kept: dict[Origin, dict[Connection, float]] = {}
        self._names: dict[Origin, tuple[float, asyncio.Future[_Addresses]]] = {}
        self._sweeping: asyncio.TimerHandle | None = None

    async def ask(self, origin: Origin, question: bytes, connect_timeout: float | None) -> Connection:
        """A connection whose answer has begun; `release` it. Raises `httpx2.TransportError`."""
        connection = self._take(origin) or await self._connect(origin, connect_timeout)
        try:
            await connection.ask(question)
        except BaseException:
            connection.close()
            self.forget(connection)
            raise
        return connection

    def keep(self, connection: Connection) -> None:
        """See `Home.keep`."""
        loop = asyncio.get_running_loop()
        self._kept.setdefault(self._open[connection], {})[connection] = loop.time() + self._lifetime
        if self._sweeping is None:
            self._sweeping = loop.call_later(self._lifetime, self._sweep)

    def forget(self, connection: Connection) -> None:
        """See `Home.forget`."""
        if (origin := self._open.pop(connection, None)) is not None:
            self._kept.get(origin, {}).pop(connection, None)

    def close(self) -> None:
        """Hang up everywhere; what is still read fails."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        for connection in list(self._open):
            connection.close()

    def _take(self, origin: Origin) -> Connection | None:
        """The one that was used last; the others may come of age."""
        kept = self._kept.get(origin, {})
        while kept:
            connection, _ = kept.popitem()
            if connection.is_usable():
                return connection
            connection.close()
        return None

    async def _connect(self, origin: Origin, patience: float | None) -> Connection:
        secure: dict[str, Any] = {"ssl": self._ssl, "server_hostname": origin.host} if origin.is_secure else {}
        try:
            async with asyncio.timeout(patience):
                place = await self._place(origin)
                connecting = asyncio.get_running_loop().create_connection
                _, connection = await connecting(partial(Connection, self), **place, **secure)
        except TimeoutError as error:
            raise httpx2.ConnectTimeout(f"no connection to {origin.host} in time") from error
        except OSError as error:
            raise httpx2.ConnectError(str(error)) from error
        self._open[connection] = origin
        return connection

    async def _place(self, origin: Origin) -> dict[str, Any]:
        """What to connect to: the only address, or a socket to whichever of several answers first."""
        addresses = await self._resolve(origin)
        if len(addresses) == 1:
            return {"host": addresses[0][4][0], "port": origin.port}
        return {"sock": await start_connection(addresses, happy_eyeballs_delay=_NEXT_ADDRESS_AFTER, interleave=1)}

    async def _resolve(self, origin: Origin) -> _Addresses:
        """The addresses of a name: many calls at a time ask once."""
        loop = asyncio.get_running_loop()
        until, found = self._names.get(origin, (0.0, None))
        if found is None or until < loop.time():
            looking: Any = loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
            found = asyncio.ensure_future(looking)
            self._names[origin] = (loop.time() + _NAME_LIFETIME, found)
        if not found.done():
            await asyncio.wait([found])
        if found.exception() is not None:
            self._names.pop(origin, None)
        return found.result()

    def _sweep(self) -> None:
        """Close what nobody has used for too long."""
        now, self._sweeping = asyncio.get_running_loop().time(), None
        for connection in [each for kept in self._kept.values() for each, until in kept.items() if until <= now]:
            connection.close()
        left = [until for kept in self._kept.values() for until in kept.values() if until > now]
        if left:
            self._sweeping = asyncio.get_running_loop().call_at(min(left), self._sweep)
