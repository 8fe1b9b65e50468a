"""Api processes that a test may kill and start again at the same address, behind proxies that it may cut."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import httpx2

from tests.faults.arena import eventually
from tests.faults.proxy import TcpProxy

_ROOT = Path(__file__).parents[2]
_LIMITS = {"MAX_ADDRESS_HANDSHAKES": "1000", "RATE_LIMIT_PER_ADDRESS": "0", "RATE_LIMIT_PER_USER": "0"}


class ApiProcess:
    """One api at one port, whatever incarnation of it runs."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port: int = listener.getsockname()[1]
        self._environment = {**environment, "API_PORT": str(self.port), "DATA_DIR": str(folder), **_LIMITS}
        self._log = folder / f"api-{self.port}.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "api.main"),
                env=self._environment,
                stdout=log,
                stderr=log,
                cwd=_ROOT,
                start_new_session=True,
            )
        await eventually(self._answers, 60)

    async def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()

    async def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, self._log.read_text()[-3000:]
        try:
            async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
                return (await client.get(f"http://127.0.0.1:{self.port}/live")).is_success
        except httpx2.TransportError:
            return False


class ApiFleet:
    """`count` api processes, each behind a proxy of its own."""

    def __init__(self, environment: Mapping[str, str], count: int) -> None:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        self._environment = {**inherited, **environment}
        self._count = count
        self._stack = AsyncExitStack()
        self.apis: list[ApiProcess] = []
        self.proxies: list[TcpProxy] = []

    async def __aenter__(self) -> Self:
        folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="letuin-apis-")))
        for _ in range(self._count):
            api = ApiProcess(self._environment, folder)
            self._stack.push_async_callback(api.kill)
            self.apis.append(api)
            self.proxies.append(await self._stack.enter_async_context(TcpProxy(api.port)))
        await asyncio.gather(*(api.start() for api in self.apis))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def urls(self) -> list[str]:
        """Where clients connect: the proxies."""
        return [f"http://127.0.0.1:{proxy.port}" for proxy in self.proxies]
