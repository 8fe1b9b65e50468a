"""The worker's lease: one row, renewed from a thread and connection of its own, so that no handler can starve it."""

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from uuid import UUID

from loguru import logger
from sqlalchemy.ext.asyncio import AsyncEngine

from common.config import CommonSettings
from common.database.outage import DATABASE_ERRORS
from common.database.session import create_engine
from common.ids import new_id
from common.repository.worker import Heartbeat, Incarnation, WorkerRepository
from worker.metrics import WorkerMetrics

_LONGEST_MARGIN = 2.0
_MARGIN_SHARE = 2 / 15
_RETRY = 0.5


def this_boot() -> str:
    """Changes with every start of the machine."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else "unknown"


class LeaseKeeper:
    """Registers this process as a worker and keeps its lease alive.

    `on_beat` and `on_lost` are called in the loop that called `start`. A lease is lost when the database was told
    that this incarnation is dead; the keeper then registers a new one under a new id.
    """

    def __init__(
        self,
        settings: CommonSettings,
        workers: WorkerRepository,
        *,
        worker_id: UUID,
        queues: Sequence[str],
        concurrency: int,
        on_beat: Callable[[Heartbeat], None],
        on_lost: Callable[[], None],
        metrics: WorkerMetrics,
    ) -> None:
        self._settings = settings
        self._workers = workers
        self._queues = tuple(queues)
        self._concurrency = concurrency
        self._on_beat = on_beat
        self._on_lost = on_lost
        self._renewals = metrics.lease_renewals
        self._lease = settings.lease_duration
        self._interval = settings.heartbeat_interval.total_seconds()
        self._valid_until = 0.0
        self._last_sent = float("-inf")
        self._healthy_since = 0.0
        self._has_beaten = False
        self._stopping = threading.Event()
        self._end_wait: Callable[[], None] | None = None
        self._thread: threading.Thread | None = None
        self._process_id = worker_id
        self.worker_id = worker_id

    @property
    def is_valid(self) -> bool:
        """Whether this process may claim and call out. Counted from when the last heartbeat was sent."""
        return monotonic() < self._valid_until

    @property
    def healthy_for(self) -> float:
        """Seconds since the heartbeat last had a gap; the reaper trusts other leases only after one lease."""
        return monotonic() - self._healthy_since if self.is_valid else 0.0

    async def start(self) -> None:
        """Register and begin. Waits until the database accepted the first lease."""
        loop = asyncio.get_running_loop()
        registered: asyncio.Future[None] = loop.create_future()
        self._thread = threading.Thread(target=self._main, args=(loop, registered), name="lease", daemon=True)
        self._thread.start()
        await registered

    async def stop(self) -> None:
        """End the incarnation in the database, then the thread."""
        self._stopping.set()
        if self._end_wait is not None:
            self._end_wait()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, 10)

    def _main(self, loop: asyncio.AbstractEventLoop, registered: asyncio.Future[None]) -> None:
        asyncio.run(self._keep(loop, registered))

    async def _keep(self, loop: asyncio.AbstractEventLoop, registered: asyncio.Future[None]) -> None:
        engine = create_engine(self._settings, name="letuin-lease").execution_options(isolation_level="AUTOCOMMIT")
        is_registered = False
        own_loop, stop = asyncio.get_running_loop(), asyncio.Event()
        self._end_wait = lambda: _call_in(own_loop, stop.set)
        while not self._stopping.is_set():
            try:
                if not is_registered:
                    await self._register(engine)
                    is_registered = True
                    loop.call_soon_threadsafe(_set_done, registered)
                is_registered = await self._beat(engine, loop)
                wait = self._interval if is_registered else 0.0
            except DATABASE_ERRORS as error:
                logger.warning("The lease could not be renewed: {}", type(error).__name__)
                self._renewals.add("failed")
                wait = _RETRY
            # Not by a lock's time limit: where that runs by the wall clock, setting it back would hold up the lease.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait)
        await self._end(engine)

    async def _register(self, engine: AsyncEngine) -> None:
        sent = monotonic()
        incarnation = Incarnation(
            self.worker_id,
            socket.gethostname(),
            this_boot(),
            os.getpid(),
            self._queues,
            self._concurrency,
            self._process_id,
        )
        async with engine.connect() as db:
            await self._workers.register(db, incarnation, self._lease)
        self._extend(sent)

    async def _beat(self, engine: AsyncEngine, loop: asyncio.AbstractEventLoop) -> bool:
        sent = monotonic()
        async with asyncio.timeout(self._interval), engine.connect() as db:
            beat = await self._workers.heartbeat(db, self.worker_id, self._lease)
        if beat.is_alive:
            if not self._has_beaten:
                # Others could renew their leases all that time, so a new process may judge them at once.
                self._healthy_since = sent - beat.database_up.total_seconds()
                self._has_beaten = True
            self._extend(sent)
            self._renewals.add("ok")
            loop.call_soon_threadsafe(self._on_beat, beat)
            return True
        self._renewals.add("lost")
        logger.warning("The lease was taken over; this worker starts again under a new id")
        self._valid_until = 0.0
        self.worker_id = new_id()
        loop.call_soon_threadsafe(self._on_lost)
        return False

    def _extend(self, sent: float) -> None:
        if sent - self._last_sent > 2 * self._interval:
            self._healthy_since = sent
        self._last_sent = sent
        lease = self._lease.total_seconds()
        self._valid_until = sent + lease - min(_LONGEST_MARGIN, lease * _MARGIN_SHARE)

    async def _end(self, engine: AsyncEngine) -> None:
        try:
            async with asyncio.timeout(2), engine.connect() as db:
                await self._workers.release(db, self.worker_id)
        except DATABASE_ERRORS:
            logger.warning("The lease could not be given back; it runs out by itself")
        await engine.dispose()


def _call_in(loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended
        loop.call_soon_threadsafe(call)


def _set_done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
