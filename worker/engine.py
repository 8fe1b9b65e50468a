"""The worker: arq's `Worker` with its queue and key layout, where PostgreSQL decides what runs and what counts."""

import asyncio
from math import inf
from time import monotonic
from typing import Any
from uuid import UUID

from arq.connections import ArqRedis
from arq.worker import Worker, func
from loguru import logger
from pydantic_core import from_json, to_json
from redis import RedisError

from common.database.direct import DirectPool
from common.database.outage import DATABASE_ERRORS
from common.events import EventType, NewEvent
from common.queue.catalog import Catalog
from common.queue.status import JobStatus
from common.redis import RedisKeys
from common.repository.attempt import AttemptRepository, ClaimedJob, Verdict
from common.repository.worker import Heartbeat
from worker.claimer import Claimer
from worker.config import WorkerSettings
from worker.draining import Draining
from worker.event_writer import EventWriter
from worker.finisher import Finisher
from worker.lease import LeaseKeeper
from worker.runner import SHORTEST_SWEPT_TIMEOUT, Runner, StopReason, stopped
from worker.running import Running

_PROGRESS_INTERVAL = 1.0
_LOOK_INTERVAL = 10.0
_WATCH_INTERVAL = 0.1
_ENOUGH_FREE = 0.25
# Freed slots wait for each other this share of what jobs take on average, seconds at least and at most.
_GATHER_SHARE, _GATHER_LEAST, _GATHER_MOST = 0.05, 0.002, 0.02
_MEAN_WEIGHT = 0.05


class Engine(Worker):
    """Claims in batches, runs each job as a task, and hands back what it cannot finish.

    Of arq's worker it keeps the transport (queue names, key layout, health record, signals) and replaces what would
    decide a job's fate: in-progress keys, tries, expiry, results and aborts.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        redis: ArqRedis,
        keys: RedisKeys,
        catalog: Catalog,
        direct: DirectPool,
        attempts: AttemptRepository,
        claimer: Claimer,
        runner: Runner,
        finisher: Finisher,
        events: EventWriter,
    ) -> None:
        queues = settings.worker_queues
        super().__init__(
            functions=[func(self.run_hint, name=kind.name) for kind in catalog.values() if kind.queue in queues],
            queue_name=keys.queue(queues[0]),
            redis_pool=redis,
            handle_signals=False,
            max_jobs=settings.worker_concurrency,
            keep_result=0,
            health_check_interval=30,
            job_serializer=to_json,
            job_deserializer=from_json,
        )
        self._direct = direct
        self._attempts = attempts
        self._claimer = claimer
        self._runner = runner
        self._finisher = finisher
        self._events = events
        self._poll_interval = settings.worker_poll_interval.total_seconds()
        self._grace = settings.worker_drain_grace.total_seconds()
        self._running: dict[UUID, Running] = {}
        self._wake = asyncio.Event()
        self._wake.set()
        self._is_behind = False
        self._gathering: asyncio.TimerHandle | None = None
        self._mean_seconds = 0.0
        self._stopping = asyncio.Event()
        self._next_look = 0.0
        self._is_draining = False
        self._draining = Draining(self._hand_back, self._grace)
        self.lease: LeaseKeeper | None = None

    @property
    def free_slots(self) -> int:
        return self.max_jobs - len(self._running)

    async def main(self) -> None:
        """Claim and run until told to stop, then drain."""
        while not self._stopping.is_set():
            self._is_behind |= self._wake.is_set()
            self._wake.clear()  # before the look, so that what comes during it is not missed
            if self._may_claim and await self._claim() and self.free_slots:
                self._offer_slot()
            await self._hand_back_lost()
            await self._pause()
        await self._drain()

    async def run_hint(self, ctx: dict[Any, Any], job_id: str, dispatch_no: int) -> None:
        """What a hint means, for a stock arq worker that reads it: claim this one row and run it."""
        jobs = await self._attempts.claim(self._direct, self._lease.worker_id, [UUID(job_id)])
        for job in jobs:
            await self._start(job).task

    def wake(self) -> None:
        """Look for work now."""
        self._wake.set()

    def cancel(self, job_id: UUID) -> None:
        """Stop one job, because its owner asked."""
        self._stop_job(job_id, StopReason.CANCEL)

    def on_beat(self, beat: Heartbeat) -> None:
        """Cancels, drains and a changed concurrency, as they came with a heartbeat."""
        if (self._is_draining, self.max_jobs) != (beat.is_draining, beat.concurrency):
            self._is_draining, self.max_jobs = beat.is_draining, beat.concurrency
            self.wake()
        self._draining.obey(beat.hands_back)
        for job_id in beat.cancelling:
            self.cancel(job_id)

    def on_lost(self) -> None:
        """Nothing that runs here counts any more."""
        self._stop_all(StopReason.OUTDATED)

    def _hand_back(self) -> None:
        self._stop_all(StopReason.DRAIN)

    def request_stop(self) -> None:
        """Drain at the first call; at the second hand everything back now."""
        if self._stopping.is_set():
            self._grace = 0.0
        logger.info("Stopping: running={}", len(self._running))
        self._stopping.set()
        self._wake.set()

    async def watch(self) -> None:
        """Stop what is over its deadline, and everything before a lease that cannot be renewed ends; runs for ever."""
        while True:
            await asyncio.sleep(_WATCH_INTERVAL)
            now = monotonic()
            for job_id in [job_id for job_id, entry in self._running.items() if entry.deadline <= now]:
                self._stop_job(job_id, StopReason.TIMEOUT)
            if self._running and not self._lease.is_valid:
                logger.warning("The lease is not sure any more; its jobs are handed back")
                self._hand_back()

    async def report(self) -> None:
        """Keep the newest progress on the rows, one statement a second for all jobs; runs until cancelled."""
        while True:
            await asyncio.sleep(_PROGRESS_INTERVAL)
            await self._report(self._runner.progress.take())
            await self._record_health()

    @property
    def _lease(self) -> LeaseKeeper:
        assert self.lease is not None, "the lifespan sets the lease"
        return self.lease

    @property
    def _may_claim(self) -> bool:
        return self.free_slots > 0 and not self._is_draining and self._lease.is_valid

    async def _claim(self) -> bool:
        """Start what waits, up to the free slots; whether more of it waits."""
        claim = await self._claimer.claim(self._lease.worker_id, self.free_slots, is_told=self._is_behind)
        for job in claim.jobs:
            self._start(job)
        self._is_behind = claim.is_more
        return claim.is_more

    def _start(self, job: ClaimedJob, stop_reason: StopReason | None = None) -> Running:
        if stop_reason is None:
            data = {"kind": job.kind, "attempt": job.attempt}
            self._events.put(NewEvent(job.id, job.owner_id, EventType.STARTED, job.attempt, data))
        task = asyncio.create_task(self._run(job, self._lease.worker_id), name=str(job.id))
        entry = self._running[job.id] = Running(job, self._lease.worker_id, task, stop_reason)
        return entry

    async def _run(self, job: ClaimedJob, worker_id: UUID) -> None:
        context = {"job_id": str(job.id), "kind": job.kind, "attempt": job.attempt, "request_id": job.request_id}
        with logger.contextualize(**context):
            started = monotonic()
            try:
                verdict = await self._handle(job)
                if reports := self._runner.progress.take_one(job.id):
                    await self._report(reports)
                if verdict is not None:
                    await self._finisher.finish(worker_id, job, verdict)
                    level = "DEBUG" if verdict.status is JobStatus.SUCCEEDED else "INFO"
                    logger.log(
                        level, "Attempt ended: outcome={} seconds={:.3f}", verdict.outcome, monotonic() - started
                    )
                self.jobs_complete += 1
            except Exception:
                logger.exception("The attempt could not be finished; the job goes back to its queue")
            finally:
                del self._running[job.id]
                self._mean_seconds += (monotonic() - started - self._mean_seconds) * _MEAN_WEIGHT
                self._offer_slot()

    def _offer_slot(self) -> None:
        """Claim when a part of the slots is free, or soon: a claim for each single slot would cost most of the time."""
        if not self._is_behind:
            return  # nothing waits, and what comes is announced
        if self.free_slots >= self.max_jobs * _ENOUGH_FREE:
            self.wake()
        elif self._gathering is None:
            seconds = min(max(self._mean_seconds * _GATHER_SHARE, _GATHER_LEAST), _GATHER_MOST)
            self._gathering = asyncio.get_running_loop().call_later(seconds, self._end_gathering)

    def _end_gathering(self) -> None:
        self._gathering = None
        self.wake()

    async def _handle(self, job: ClaimedJob) -> Verdict | None:
        """The handler's part of an attempt: from here to its end it may be stopped."""
        entry = self._running[job.id]
        if entry.stop_reason is not None:
            return stopped(job, entry.stop_reason)
        entry.is_in_handler = True
        if (seconds := job.timeout.total_seconds()) >= SHORTEST_SWEPT_TIMEOUT:
            entry.deadline = monotonic() + seconds
        try:
            return await self._runner.run(job, lambda: entry.stop_reason)
        finally:
            entry.is_in_handler = False
            entry.deadline = inf

    async def _hand_back_lost(self) -> None:
        """Release rows that name our lease though nothing runs here: the answer to their claim was lost.

        Called where no claim is under way, so what is not known here is known nowhere.
        """
        if not self._lease.is_valid or (monotonic() < self._next_look and not self._claimer.is_unsure):
            return
        self._next_look = monotonic() + _LOOK_INTERVAL
        worker_id = self._lease.worker_id
        try:
            lost = await self._attempts.find_held(self._direct, worker_id, except_for=list(self._running))
        except DATABASE_ERRORS:
            return
        self._claimer.is_unsure = False
        for job in lost:
            if job.id not in self._running:
                logger.warning("A claim's answer was lost; the job goes back to its queue: job_id={}", job.id)
                self._start(job, StopReason.DRAIN)

    async def _report(self, reports: list[tuple[UUID, int, dict[str, Any]]]) -> None:
        if not reports:
            return
        try:
            current = await self._attempts.report_progress(self._direct, reports)
        except DATABASE_ERRORS:
            return
        for job_id, _, _ in reports:
            if job_id not in current:
                self._stop_job(job_id, StopReason.OUTDATED)

    def _stop_all(self, reason: StopReason) -> None:
        for job_id in list(self._running):
            self._stop_job(job_id, reason)

    def _stop_job(self, job_id: UUID, reason: StopReason) -> None:
        entry = self._running.get(job_id)
        if entry is not None and entry.stop_reason is None:
            entry.stop_reason = reason
            if entry.is_in_handler:
                entry.task.cancel()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._poll_interval):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _drain(self) -> None:
        await self._claimer.leave()
        deadline = monotonic() + self._grace
        while self._running and monotonic() < min(deadline, monotonic() + self._grace):
            await asyncio.wait([entry.task for entry in self._running.values()], timeout=0.2)
        self._hand_back()
        if tasks := [entry.task for entry in self._running.values()]:
            await asyncio.wait(tasks, timeout=5)

    async def _record_health(self) -> None:
        try:
            await self.heart_beat()
        except (RedisError, OSError, TimeoutError):
            return
