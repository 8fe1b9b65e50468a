"""From a slot of a schedule to its job: the payload with its places filled in, validated again, and the row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from common.database.model import Job, Schedule
from common.errors import InvalidError
from common.queue.catalog import Catalog
from common.queue.client import JobQueue
from common.queue.options import SubmitOptions
from common.repository.job import JobRepository, NewJob, Owner
from common.repository.notice import NoticeRepository
from common.repository.schedule import NewFiring, ScheduleRepository
from common.schedule.template import FiringFacts, render
from common.tracing.messaging import sending
from common.tracing.tracer import Tracer


@dataclass(frozen=True, slots=True)
class PlannedFiring:
    """A slot that is about to be settled, with its job if it has one."""

    schedule: Schedule
    firing: NewFiring
    job: NewJob | None


class FiringWriter:
    """Builds and writes firings inside the caller's transaction. Nothing is announced here."""

    def __init__(
        self,
        catalog: Catalog,
        queue: JobQueue,
        jobs: JobRepository,
        schedules: ScheduleRepository,
        notices: NoticeRepository,
        tracer: Tracer | None = None,
    ) -> None:
        self._catalog = catalog
        self._queue = queue
        self._jobs = jobs
        self._schedules = schedules
        self._notices = notices
        self._tracer = tracer

    def build_job(self, schedule: Schedule, slot: datetime, now: datetime) -> NewJob:
        """The job of a slot.

        Raises `UnknownKindError` when no release knows the kind, `InvalidError` or `TooLargeError` when the payload is
        not (or no longer) what the kind takes.
        """
        payload = self.build_payload(schedule, slot, now)
        owner = Owner(schedule.tenant_id, schedule.owner_id)
        kind = self._catalog.get_kind(schedule.kind)
        return self._queue.prepare(kind, payload, owner=owner, options=options_of(schedule, slot))

    def build_payload(self, schedule: Schedule, slot: datetime, now: datetime) -> BaseModel:
        """The payload of a slot, its places filled in. Raises `UnknownKindError` or `InvalidError`."""
        kind = self._catalog.get_kind(schedule.kind)
        facts = FiringFacts(slot, now, schedule.last_slot, schedule.timezone, schedule.id, schedule.name)
        try:
            payload: BaseModel = kind.payload.model_validate(render(schedule.payload, facts))
        except ValidationError as error:
            raise InvalidError(f"the payload does not fit {kind.name}: {_first(error)}") from error
        except ValueError as error:
            raise InvalidError(f"the payload does not fit {kind.name}: {error}") from error
        return payload

    async def write(self, db: AsyncSession, planned: Sequence[PlannedFiring]) -> list[Job]:
        """Insert the firings that nobody has settled before, and their jobs. Returns the jobs."""
        if not planned:
            return []
        new = await self._schedules.add_firings(db, [each.firing for each in planned])
        kept = [each for each in planned if (each.schedule.id, each.firing.slot) in new]
        return await self.insert_jobs(db, kept)

    async def insert_jobs(self, db: AsyncSession, planned: Sequence[PlannedFiring]) -> list[Job]:
        """Insert the jobs of firings whose rows are there."""
        wanted = [(each.job, each.schedule.options.get("notify")) for each in planned if each.job is not None]
        if not wanted:
            return []
        jobs = await self._jobs.insert(db, [self._traced(job) for job, _ in wanted])
        await self._notices.add(db, [(job.id, str(notify)) for job, notify in wanted if notify])
        return jobs

    def _traced(self, job: NewJob) -> NewJob:
        """With its own `send`: below the request that asked for it, else at the head of a trace of its own."""
        with sending(self._tracer, job.queue) as traceparent:
            return replace(job, traceparent=traceparent)


def options_of(schedule: Schedule, slot: datetime) -> SubmitOptions:
    """What the schedule says about its jobs; their metadata names the schedule and the slot."""
    options: Mapping[str, Any] = schedule.options
    return SubmitOptions(
        priority=options.get("priority", 0),
        expires_in=_duration(options.get("expires_in")),
        max_attempts=options.get("max_attempts"),
        timeout=_duration(options.get("timeout")),
        tags=tuple(options.get("tags", ())),
        metadata={**options.get("metadata", {}), "schedule_id": str(schedule.id), "slot": slot.isoformat()},
    )


def _duration(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _first(error: ValidationError) -> str:
    item = error.errors(include_input=False, include_url=False)[0]
    message = item["msg"].removeprefix("Value error, ")
    return f"{'.'.join(str(part) for part in item['loc'])}: {message}" if item["loc"] else message
