"""What makes jobs of a thread: messages, resumes, forks, the end. One job of a thread runs at a time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from api.v1.thread.schema import ForkPost, MessagePost, ResumePost, Strategy, ThreadRead
from api.v1.thread.service import missing
from common.database.model import IdempotencyKey, Job, Thread
from common.database.session import Sessions
from common.errors import ConflictError, GoneError, InvalidError, NotFoundError, ThreadBusyError
from common.ids import new_id
from common.jobs.agent_run import AgentRunOptions, AgentRunPayload, agent_run
from common.jobs.thread_delete import ThreadDeletePayload, thread_delete
from common.jobs.thread_fork import ThreadForkPayload, thread_fork
from common.queue.announcer import Announcer
from common.queue.client import JobQueue
from common.queue.definition import JobKind
from common.queue.depth import DepthGate
from common.queue.options import OnFailure, SubmitOptions
from common.queue.placement import Placement
from common.queue.request_keys import RequestKeys, made_id
from common.repository.idempotency import RequestKey
from common.repository.job import JobRepository, Owner
from common.repository.thread import ActiveRun, ThreadRepository

_EXPECTED = {"text": "answer", "approval": "approved", "value": "value"}
_FORK = "fork"


@dataclass(slots=True)
class _Changes:
    """What workers and listeners are told after the commit."""

    cancelled: list[Job]
    requested: list[Job]


@dataclass(frozen=True, slots=True)
class Turn:
    """The job of a request; `is_replayed` when an earlier request with the same key made it."""

    job: Job
    is_replayed: bool = False


class TurnService:
    """Every method acts for `owner` and raises `NotFoundError` for the threads of others.

    The row lock of the thread orders everything that makes jobs of it.
    """

    def __init__(
        self,
        sessions: Sessions,
        threads: ThreadRepository,
        jobs: JobRepository,
        queue: JobQueue,
        placement: Placement,
        depth: DepthGate,
        announcer: Announcer,
        keys: RequestKeys,
    ) -> None:
        self._keys = keys
        self._sessions = sessions
        self._threads = threads
        self._jobs = jobs
        self._queue = queue
        self._placement = placement
        self._depth = depth
        self._announcer = announcer
        # Whoever waits for the row would hold a connection of the pool meanwhile: here one of each thread does.
        self._turns: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    async def post(
        self, owner: Owner, thread_id: UUID, message: MessagePost, request_id: str, key: RequestKey | None = None
    ) -> Turn:
        """A turn. Raises `ThreadBusyError` for `reject`, and what `JobQueue.accept` raises."""
        payload = AgentRunPayload(input=message.content, thread_id=thread_id, **_options(message))
        await self._depth.admit(owner, {agent_run.queue: 1})
        async with self._turn(thread_id), self._sessions.begin() as db:
            if (held := await self._keys.take(db, owner, key)) is not None:
                return Turn(await self._replay(db, owner, held), is_replayed=True)
            await self._lock(db, owner, thread_id)
            active = await self._threads.list_active(db, [thread_id], owner)
            if active and message.strategy is Strategy.REJECT:
                raise ThreadBusyError(f"thread {thread_id} is busy")
            changes = _Changes([], [])
            if message.strategy in (Strategy.INTERRUPT, Strategy.ROLLBACK):
                active, changes = await self._stop(db, owner, active, strategy=message.strategy)
            after = active[-1:]
            job = await self._place(db, owner, agent_run, payload, after, request_id)
            await self._threads.add_run(
                db, thread_id, job.id, owner, strategy=str(message.strategy), content=message.content
            )
            await self._keys.keep(db, owner, key, job_id=job.id)
        await self._announce(job, changes)
        return Turn(job)

    async def resume(
        self, owner: Owner, thread_id: UUID, reply: ResumePost, request_id: str, key: RequestKey | None = None
    ) -> Turn:
        """Answer the interrupt that the thread waits at.

        Raises `ConflictError` when it waits at none, `ThreadBusyError`, and `InvalidError` for another kind of answer.
        """
        await self._depth.admit(owner, {agent_run.queue: 1})
        async with self._turn(thread_id), self._sessions.begin() as db:
            if (held := await self._keys.take(db, owner, key)) is not None:
                return Turn(await self._replay(db, owner, held), is_replayed=True)
            thread = await self._lock(db, owner, thread_id)
            if await self._threads.list_active(db, [thread_id], owner):
                raise ThreadBusyError(f"thread {thread_id} is busy")
            if thread.interrupt is None:
                raise ConflictError(f"thread {thread_id} waits for nothing")
            value = _reply_to(thread.interrupt["expects"], reply)
            payload = AgentRunPayload(resume=value, thread_id=thread_id, **_options(reply))
            job = await self._place(db, owner, agent_run, payload, (), request_id)
            await self._threads.add_run(db, thread_id, job.id, owner, strategy="resume", content=reply.answer)
            await self._keys.keep(db, owner, key, job_id=job.id)
        await self._announcer.announce(job)
        return Turn(job)

    async def fork(
        self, owner: Owner, thread_id: UUID, wanted: ForkPost, request_id: str, key: RequestKey | None = None
    ) -> tuple[ThreadRead, Turn]:
        """A new thread that remembers what this one did at a checkpoint. Raises `NotFoundError` for an unknown one."""
        await self._depth.admit(owner, {thread_fork.queue: 1})
        async with self._turn(thread_id), self._sessions.begin() as db:
            if (held := await self._keys.take(db, owner, key)) is not None:
                made = await self._lock(db, owner, made_id(held, "thread_id"))
                return ThreadRead.of(made, []), Turn(await self._replay(db, owner, held), is_replayed=True)
            source = await self._lock(db, owner, thread_id)
            checkpoint = await self._threads.find_checkpoint(db, thread_id, owner, wanted.checkpoint_id)
            if checkpoint is None:
                named = f"checkpoint {wanted.checkpoint_id}" if wanted.checkpoint_id else "a checkpoint"
                raise NotFoundError(f"{named} of thread {thread_id} does not exist")
            values = {
                "id": new_id(),
                "title": wanted.title or source.title,
                "flow": source.flow,
                "collection_id": source.collection_id,
                "annotations": source.annotations,
                "checkpoint_id": checkpoint.checkpoint_id,
                "state": checkpoint.state,
                "message_count": checkpoint.message_count,
                "interrupt": checkpoint.interrupt,
                "forked_from": source.id,
            }
            target = await self._threads.create(db, owner, values)
            await self._threads.copy_parts(db, checkpoint, target.id, owner)
            payload = ThreadForkPayload(
                source_id=source.id, checkpoint_id=checkpoint.checkpoint_id, thread_id=target.id
            )
            job = await self._place(db, owner, thread_fork, payload, (), request_id)
            await self._threads.add_run(db, target.id, job.id, owner, strategy=_FORK)
            await self._keys.keep(db, owner, key, job_id=job.id, thread_id=target.id)
        await self._announcer.announce(job)
        return ThreadRead.of(target, []), Turn(job)

    async def delete(self, owner: Owner, thread_id: UUID, request_id: str) -> None:
        """Stop its jobs and remove everything; what the worker keeps goes with a job. Repeating it does no harm."""
        async with self._turn(thread_id), self._sessions.begin() as db:
            thread = await self._threads.find(db, thread_id, owner, lock=True, with_deleted=True)
            if thread is None:
                raise missing(thread_id)
            if thread.deleted_at is not None:
                return
            active = await self._threads.list_active(db, [thread_id], owner)
            running, changes = await self._stop(db, owner, active, strategy=Strategy.INTERRUPT)
            await self._threads.empty(db, thread_id, owner)
            payload = ThreadDeletePayload(thread_id=thread_id, flow=thread.flow)
            job = await self._place(db, owner, thread_delete, payload, running, request_id)
        await self._announce(job, changes)

    async def _replay(self, db: AsyncSession, owner: Owner, held: IdempotencyKey) -> Job:
        job = None if held.job_id is None else await self._jobs.find(db, held.job_id, owner)
        if job is None:
            raise GoneError(f"the job that was submitted with this key is gone: {held.job_id}")
        return job

    def _turn(self, thread_id: UUID) -> asyncio.Lock:
        return self._turns.setdefault(thread_id, asyncio.Lock())

    async def _lock(self, db: AsyncSession, owner: Owner, thread_id: UUID) -> Thread:
        thread = await self._threads.find(db, thread_id, owner, lock=True)
        if thread is None:
            raise missing(thread_id)
        return thread

    async def _stop(
        self, db: AsyncSession, owner: Owner, active: Sequence[ActiveRun], *, strategy: Strategy
    ) -> tuple[list[ActiveRun], _Changes]:
        """Cancel what waits and runs. Those whose end is still to come, and whom to tell."""
        running, changes = [], _Changes([], [])
        # By id, as everybody locks jobs.
        for run in sorted(active, key=lambda each: each.job_id):
            stopped = await self._jobs.cancel_queued(db, run.job_id, owner)
            requested = not stopped and await self._jobs.request_cancel(db, run.job_id, owner)
            if stopped or requested:
                job = await self._jobs.find(db, run.job_id, owner, with_payload=False, refresh=True)
                (changes.cancelled if stopped else changes.requested).extend([job] if job else [])
            if requested:
                running.append(run)
        if strategy is Strategy.ROLLBACK:
            ended = [job.id for job in (*changes.cancelled, *changes.requested)]
            await self._threads.roll_back(db, ended, owner)
        return running, changes

    async def _place[P: BaseModel, R: BaseModel](
        self,
        db: AsyncSession,
        owner: Owner,
        kind: JobKind[P, R],
        payload: P,
        after: Sequence[ActiveRun],
        request_id: str,
    ) -> Job:
        """Write the job behind those that it has to wait for. Without its fork's memory, a thread goes nowhere."""
        on_failure = OnFailure.FAIL if any(run.strategy == _FORK for run in after) else OnFailure.RUN
        options = SubmitOptions(after=tuple(run.job_id for run in after), on_failure=on_failure, request_id=request_id)
        new = self._queue.prepare(kind, payload, owner=owner, options=options)
        return (await self._placement.place(db, new, options)).job

    async def _announce(self, job: Job, changes: _Changes) -> None:
        await self._announcer.cancelled(changes.cancelled)
        await self._announcer.cancelling(changes.requested)
        await self._announcer.announce(job)


def _options(asked: AgentRunOptions) -> dict[str, Any]:
    """What was asked for and is part of every turn."""
    return {name: getattr(asked, name) for name in AgentRunOptions.model_fields if name in asked.model_fields_set}


def _reply_to(expects: str, reply: ResumePost) -> Any:
    """The value that the interrupt takes. Raises `InvalidError`."""
    name = _EXPECTED.get(expects)
    if reply.given != ({name} if name else set()) or (name != "value" and name and getattr(reply, name) is None):
        wanted = f"this interrupt is answered with {name!r}" if name else "a breakpoint is resumed without an answer"
        raise InvalidError(wanted, path=("body",))
    match name:
        case "approved":
            return {"approved": reply.approved, "note": reply.note}
        case None:
            return None
        case _:
            return getattr(reply, name)
