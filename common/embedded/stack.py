"""All servers of one data folder as one thing: which are needed, where they listen, when they are ready."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from common.embedded.chroma import build_chroma
from common.embedded.errors import EmbeddedServerError
from common.embedded.files import prepare_data_folder
from common.embedded.model import build_model
from common.embedded.mongo import build_mongo
from common.embedded.ports import PortBook
from common.embedded.postgres import build_postgres
from common.embedded.process import Sink
from common.embedded.server import EmbeddedServer, ServerBuilder
from common.embedded.smtp import build_smtp
from common.embedded.supervisor import Supervisor, discard
from common.embedded.valkey import build_valkey

_PORT_TRIES = 3


@dataclass(frozen=True)
class _Kind:
    variable: str
    build: ServerBuilder
    first: bool = False
    """Nothing works without it: `start` waits for it."""
    replaced_by: tuple[str, ...] = ()
    """Other variables that make it needless."""


_KINDS = {
    "postgres": _Kind("DATABASE_URL", build_postgres, first=True),
    "redis": _Kind("REDIS_URL", build_valkey, first=True),
    "mongo": _Kind("MONGODB_URL", build_mongo),
    "chroma": _Kind("CHROMA_URL", build_chroma),
    "model": _Kind("LOCAL_MODEL_URL", build_model, replaced_by=("OPENAI_API_KEY", "OPENAI_BASE_URL")),
    "smtp": _Kind("SMTP_URL", build_smtp),
}
SERVER_NAMES = frozenset(_KINDS)


class EmbeddedStack:
    """The servers that `environ` does not already name by URL, with their files under `data_dir`.

    `sink` receives every line they print; `only` limits the stack to some of SERVER_NAMES.
    """

    def __init__(
        self,
        data_dir: Path,
        environ: Mapping[str, str],
        *,
        sink: Sink = discard,
        only: Collection[str] | None = None,
    ) -> None:
        if unknown := set(only or ()) - SERVER_NAMES:
            raise ValueError(f"unknown servers {sorted(unknown)}; known are {sorted(SERVER_NAMES)}")
        self.supervisor = Supervisor(sink)
        self._sink = sink
        self._data_dir = data_dir
        self._urls = {kind.variable: environ[kind.variable] for kind in _KINDS.values() if environ.get(kind.variable)}
        self._wanted = tuple(name for name in _KINDS if self._is_wanted(name, environ, only))
        self._starting: dict[str, asyncio.Task[None]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The servers that this stack runs itself."""
        return self._wanted

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Returns when PostgreSQL and Valkey are ready; the others go on starting (see `wait_ready`).

        Raises DataFolderError, ServerNotInstalledError or EmbeddedServerError; call `stop` also then.
        """
        folder = prepare_data_folder(self._data_dir)
        ports = PortBook(folder)
        servers = {name: self._build(name, folder, ports) for name in self._wanted}
        # The rest comes after these two, not beside them: on a small machine it would only hold them up.
        for first in (True, False):
            for name, server in servers.items():
                if _KINDS[name].first == first:
                    starting = self._start(name, server, folder, ports)
                    self._starting[name] = asyncio.create_task(starting, name=f"start {name}")
            if first:
                await asyncio.gather(*self._starting.values())

    async def wait_ready(self, *names: str) -> None:
        """Returns when the named servers (none named: all) are ready; a server that is not ours is.

        Raises the error with which one could not be started.
        """
        chosen = [self._starting[name] for name in names or self._wanted if name in self._starting]
        await asyncio.gather(*(asyncio.shield(task) for task in chosen))

    def environment(self) -> dict[str, str]:
        """The URL variables for processes that use these servers, given and own ones. Complete after `start`."""
        return dict(self._urls)

    async def stop(self) -> None:
        """Stop every server of this stack. Safe at any time, any number of times."""
        for task in self._starting.values():
            task.cancel()
        await asyncio.gather(*self._starting.values(), return_exceptions=True)
        await self.supervisor.stop()

    @staticmethod
    def _is_wanted(name: str, environ: Mapping[str, str], only: Collection[str] | None) -> bool:
        kind = _KINDS[name]
        given = any(environ.get(variable) for variable in (kind.variable, *kind.replaced_by))
        return not given and (only is None or name in only)

    def _build(self, name: str, folder: Path, ports: PortBook) -> EmbeddedServer:
        kind = _KINDS[name]
        server = kind.build(folder, ports.assign(name))
        self._urls[kind.variable] = server.url
        return server

    async def _start(self, name: str, server: EmbeddedServer, folder: Path, ports: PortBook) -> None:
        """Start one server; when another program took its port in the meantime, on another port."""
        for _ in range(_PORT_TRIES):
            try:
                return await self.supervisor.start(server.spec)
            except EmbeddedServerError as error:
                self._sink(name, error.message)
                if ports.is_kept(name):
                    raise
            server = self._build(name, folder, ports)
        raise EmbeddedServerError(f"{name} lost its port to other programs {_PORT_TRIES} times; start again.")
