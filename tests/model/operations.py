"""One statement of each kind against the real database, and what its answer allows the caller to believe."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.ids import new_id
from common.queue.status import AttemptOutcome, JobStatus
from common.repository.attempt import AttemptRepository, Verdict
from common.repository.job import JobRepository, NewJob, Owner
from common.repository.upkeep import UpkeepRepository
from common.repository.worker import Incarnation, WorkerRepository

MAX_ATTEMPTS, MAX_CRASHES = 3, 3
LEASE = timedelta(hours=1)
ENDS = {
    "succeeds": (AttemptOutcome.SUCCEEDED, JobStatus.SUCCEEDED, False),
    "fails": (AttemptOutcome.FAILED, JobStatus.FAILED, True),
    "retries": (AttemptOutcome.RETRIED, JobStatus.QUEUED, True),
    "drains": (AttemptOutcome.RELEASED, JobStatus.QUEUED, False),
    "stops": (AttemptOutcome.CANCELLED, JobStatus.CANCELLED, False),
}

type Learn = Callable[[], None]
type Operation = Callable[[AsyncConnection], Awaitable[Learn]]


@dataclass(frozen=True, slots=True)
class Held:
    """An attempt that a worker was given."""

    job_id: UUID
    worker_id: UUID
    attempt: int
    failures: int


@dataclass
class World:
    """What was done so far. `held` keeps outdated attempts too: their workers do not know yet.

    Every operation runs its statement and returns what may be believed once the transaction has committed.
    """

    owner: Owner = field(default_factory=lambda: Owner(new_id(), new_id()))
    jobs: list[UUID] = field(default_factory=list)
    workers: list[UUID] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    current: dict[UUID, Held] = field(default_factory=dict)
    cancelled: set[UUID] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._jobs, self._attempts = JobRepository(), AttemptRepository()
        self._upkeep, self._workers = UpkeepRepository(), WorkerRepository()

    async def submit(self, db: AsyncConnection) -> None:
        minute = timedelta(minutes=1)
        job = NewJob(new_id(), self.owner, "system.echo", "default", "{}", MAX_ATTEMPTS, minute)
        await self._jobs.insert(db, [job])
        self.jobs.append(job.id)

    async def start_worker(self, db: AsyncConnection) -> None:
        worker_id = new_id()
        await self._workers.register(db, Incarnation(worker_id, "here", "boot", 1, ("default",), 10), LEASE)
        self.workers.append(worker_id)

    def claim(self, worker_id: UUID, job_id: UUID | None) -> Operation:
        """Claim one job by its hint, or whatever is next."""

        async def run(db: AsyncConnection) -> Learn:
            if job_id is None:
                claimed = await self._attempts.claim_next(db, worker_id, ["default"], 2)
            else:
                claimed = await self._attempts.claim(db, worker_id, [job_id])

            def learn() -> None:
                for job in claimed:
                    assert job.id not in self.cancelled, "a job started after its cancel was answered"
                    assert job.id not in self.current, "a job was given to two workers"
                    held = Held(job.id, worker_id, job.attempt, job.failures)
                    self.held.append(held)
                    self.current[job.id] = held

            return learn

        return run

    def end(self, held: Held, how: str) -> Operation:
        """Write the end of an attempt, current or outdated."""
        outcome, status, counts = ENDS[how]
        if status is JobStatus.QUEUED and counts and held.failures + 1 >= MAX_ATTEMPTS:
            outcome, status = AttemptOutcome.FAILED, JobStatus.FAILED
        verdict = Verdict(held.job_id, held.attempt, outcome, status, counts_as_failure=counts)

        async def run(db: AsyncConnection) -> Learn:
            accepted = await self._attempts.finish(db, held.worker_id, [verdict])
            refused = await self._attempts.look_at_refused(db, held.worker_id, [verdict])

            def learn() -> None:
                if held.job_id in accepted:
                    assert self.current.pop(held.job_id, None) == held, "an outdated attempt wrote the end"
                    return
                look = refused[held.job_id]
                if self.current.get(held.job_id) == held and status is not JobStatus.CANCELLED:
                    assert look.is_cancelling, "the current attempt was refused without a reason"

            return learn

        return run

    def cancel(self, job_id: UUID) -> Operation:
        async def run(db: AsyncConnection) -> Learn:
            await self._jobs.lock(db, job_id, self.owner)
            stopped = await self._jobs.cancel_queued(db, job_id, self.owner)
            requested = not stopped and await self._jobs.request_cancel(db, job_id, self.owner)

            def learn() -> None:
                if stopped or requested:
                    self.cancelled.add(job_id)

            return learn

        return run

    def retry(self, job_id: UUID) -> Operation:
        async def run(db: AsyncConnection) -> Learn:
            requeued = await self._jobs.retry(db, job_id, self.owner)

            def learn() -> None:
                if requeued:
                    self.cancelled.discard(job_id)

            return learn

        return run

    def reap(self) -> Operation:
        async def run(db: AsyncConnection) -> Learn:
            await self._upkeep.end_expired_leases(db)
            moved = await self._upkeep.reap(db, limit=10, max_crashes=MAX_CRASHES)

            def learn() -> None:
                for job in moved:
                    self.current.pop(job.id, None)

            return learn

        return run

    def expire(self) -> Operation:
        async def run(db: AsyncConnection) -> Learn:
            await self._upkeep.expire(db, limit=10)
            return lambda: None

        return run

    def beat(self, worker_id: UUID) -> Operation:
        async def run(db: AsyncConnection) -> Learn:
            await self._workers.heartbeat(db, worker_id, LEASE)
            return lambda: None

        return run

    async def let_time_pass(self, db: AsyncConnection, *, expired: UUID | None, late: UUID | None) -> None:
        """All waits are over; one job's time to start and one worker's lease may be over too."""
        await db.execute(text("UPDATE jobs SET run_at = now() - interval '1 s' WHERE status = 'queued'"))
        await db.execute(
            text("UPDATE jobs SET expires_at = now() WHERE status = 'queued' AND id = :id"), {"id": expired}
        )
        await db.execute(
            text("UPDATE workers SET lease_expires_at = now() - interval '1 s' WHERE id = :id"), {"id": late}
        )
