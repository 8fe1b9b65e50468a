"""Where a new job goes inside its transaction: onto a job that is there already, behind others, or straight in."""

from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import blake2s
from uuid import UUID

from pydantic_core import from_json, to_json

from common.database.model import Job
from common.errors import InvalidError
from common.queue.hints import Hint
from common.queue.options import OnFailure, SubmitOptions, Unique, UniqueMode
from common.queue.status import JobStatus
from common.repository.dependency import DependencyRepository, Parent
from common.repository.job import JobRepository, NewJob
from common.repository.notice import NoticeRepository
from common.repository.sql import Executor
from common.repository.unique import Slot, SlotName, UniqueRepository
from common.repository.webhook import WebhookRepository

_KEEP_SLOT = timedelta(hours=1)
_DEFAULT_PERIODS = 10
_ACTIVE = (JobStatus.QUEUED, JobStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class Placed:
    """A job as its submitter sees it. `is_new` and `is_changed` want an announcement; `hints` a look at others."""

    job: Job
    is_new: bool = True
    is_changed: bool = False
    hints: tuple[Hint, ...] = ()


class Placement:
    """Puts jobs with a unique key or dependencies in. Every method works inside the caller's transaction."""

    def __init__(
        self,
        jobs: JobRepository,
        unique: UniqueRepository,
        dependencies: DependencyRepository,
        notices: NoticeRepository,
        webhooks: WebhookRepository,
    ) -> None:
        self._webhooks = webhooks
        self._jobs = jobs
        self._unique = unique
        self._dependencies = dependencies
        self._notices = notices

    async def place(self, db: Executor, new: NewJob, options: SubmitOptions) -> Placed:
        """Insert the job, or answer with the one that stands for it. Raises `InvalidError` for a wrong dependency."""
        behind: UUID | None = None
        if options.unique is not None:
            name = SlotName(new.owner, new.kind, options.unique.key or _digest(new.payload_json))
            slot = await self._lock(db, name, new, options.unique)
            if slot.job_id != new.id:
                taken, behind = await self._follow(db, slot, new, options.unique)
                if taken is not None:
                    return taken
                await self._unique.give(db, name, new.id, behind_id=behind)
            if options.unique.mode is UniqueMode.DEBOUNCE and options.unique.period is not None:
                new = replace(new, delay=options.unique.period)
        placed = await self._insert(db, new, options, behind)
        if options.notify is not None:
            await self._notices.add(db, [(placed.job.id, options.notify)])
        if options.webhook is not None and not await self._webhooks.attach(
            db, placed.job.id, new.owner, options.webhook
        ):
            raise InvalidError("webhook: names none of your enabled webhooks", path=("body", "webhook"))
        return placed

    async def _lock(self, db: Executor, name: SlotName, new: NewJob, unique: Unique) -> Slot:
        keep = max(unique.period or _KEEP_SLOT, _KEEP_SLOT)
        return await self._unique.lock(db, name, new.id, keep=keep, period=unique.period)

    async def _follow(
        self, db: Executor, slot: Slot, new: NewJob, unique: Unique
    ) -> tuple[Placed, None] | tuple[None, UUID | None]:
        """The job that stands for the new one, or None and the job that the new one has to wait for."""
        before = await self._jobs.find(db, slot.job_id, new.owner, refresh=True)
        match unique.mode:
            case UniqueMode.WHILE_ACTIVE:
                stands = before is not None and before.status in _ACTIVE
                return (Placed(before, is_new=False), None) if before and stands else (None, None)
            case UniqueMode.THROTTLE:
                return (Placed(before, is_new=False), None) if before and slot.is_recent else (None, None)
            case UniqueMode.DEBOUNCE:
                period = unique.period or timedelta(0)
                limit = unique.max_delay if unique.max_delay is not None else period * _DEFAULT_PERIODS
                changed = await self._replace(db, before, new, postpone=period, max_delay=limit)
                return (changed, None) if changed else (None, None)
            case UniqueMode.KEEP_LAST:
                changed = await self._replace(db, before, new)
                return (changed, None) if changed else (None, await self._find_active(db, before, slot, new))

    async def _replace(
        self,
        db: Executor,
        before: Job | None,
        new: NewJob,
        *,
        postpone: timedelta | None = None,
        max_delay: timedelta | None = None,
    ) -> Placed | None:
        if before is None or not await self._unique.replace(
            db,
            before.id,
            payload_json=new.payload_json,
            metadata_json=None if new.metadata is None else to_json(new.metadata).decode(),
            tags_json=to_json(new.tags).decode(),
            postpone=postpone,
            max_delay=max_delay,
        ):
            return None
        changed = await self._jobs.find(db, before.id, new.owner, refresh=True)
        return None if changed is None else Placed(changed, is_new=False, is_changed=True)

    async def _find_active(self, db: Executor, before: Job | None, slot: Slot, new: NewJob) -> UUID | None:
        """The job of the slot that has not ended: the newest, or the one that it was put behind."""
        if before is not None and before.status in _ACTIVE:
            return before.id
        behind = None if slot.behind_id is None else await self._jobs.find(db, slot.behind_id, new.owner, refresh=True)
        return behind.id if behind is not None and behind.status in _ACTIVE else None

    async def _insert(self, db: Executor, new: NewJob, options: SubmitOptions, behind: UUID | None) -> Placed:
        policies = dict.fromkeys(options.after, options.on_failure)
        if behind is not None:
            policies.setdefault(behind, OnFailure.RUN)
        if not policies:
            return Placed((await self._jobs.insert(db, [new]))[0])
        parents = await self._dependencies.lock(db, list(policies), new.owner)
        _refuse_missing(options, parents)
        waiting_for = {parent.id: policies[parent.id] for parent in parents if _holds(parent, policies[parent.id])}
        [job] = await self._jobs.insert(db, [replace(new, pending_after=len(waiting_for))])
        if waiting_for:
            await self._dependencies.add(db, job.id, waiting_for)
        return Placed(job, hints=tuple(_hint(parent) for parent in parents if parent.is_due))


def _refuse_missing(options: SubmitOptions, parents: list[Parent]) -> None:
    found = {parent.id for parent in parents}
    for index, job_id in enumerate(options.after):
        if job_id not in found:
            raise InvalidError(f"job {job_id} does not exist", path=("body", "after", index))


def _holds(parent: Parent, on_failure: OnFailure) -> bool:
    """Whether the new job waits. An end that was no success is left to whoever accounts ends, as if it came later."""
    return not parent.status.is_terminal or (parent.status != JobStatus.SUCCEEDED and on_failure != OnFailure.RUN)


def _hint(parent: Parent) -> Hint:
    return Hint(parent.id, parent.owner_id, parent.kind, parent.queue, parent.priority, None, parent.dispatch_no)


def _digest(payload_json: str) -> str:
    """The same for the same payload, whatever the order of its fields."""
    return blake2s(to_json(_sorted(from_json(payload_json))), digest_size=16).hexdigest()


def _sorted(value: object) -> object:
    match value:
        case dict():
            return {key: _sorted(value[key]) for key in sorted(value)}
        case list():
            return [_sorted(item) for item in value]
    return value
