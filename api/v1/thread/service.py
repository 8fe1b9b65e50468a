"""Threads, for their owners: make, read, change; their messages, steps and state."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from api.cursors import CursorSigner
from api.paging import Page
from api.references import References
from api.v1.thread.schema import (
    CheckpointRead,
    MessageRead,
    PendingRun,
    ThreadCreate,
    ThreadRead,
    ThreadState,
    ThreadUpdate,
)
from common.database.model import Thread
from common.database.session import Sessions
from common.errors import NotFoundError
from common.ids import new_id
from common.queue.request_keys import RequestKeys, made_id
from common.repository.idempotency import RequestKey
from common.repository.job import Owner
from common.repository.thread import ThreadPart, ThreadRepository

_BODY = ("body",)
_LAST_MESSAGES = 100


class ThreadService:
    """Every method acts for `owner` and raises `NotFoundError` for the threads of others, and for deleted ones."""

    def __init__(
        self,
        sessions: Sessions,
        threads: ThreadRepository,
        cursors: CursorSigner,
        keys: RequestKeys,
        references: References,
    ) -> None:
        self._references = references
        self._sessions = sessions
        self._keys = keys
        self._threads = threads
        self._cursors = cursors

    async def create(
        self, owner: Owner, wanted: ThreadCreate, key: RequestKey | None = None
    ) -> tuple[ThreadRead, bool]:
        """A new thread, and whether an earlier request with the same key made it.

        Raises `InvalidError` for a collection that the owner may not read.
        """
        values: dict[str, Any] = wanted.model_dump(exclude={"metadata"})
        async with self._sessions.begin() as db:
            if (held := await self._keys.take(db, owner, key)) is not None:
                found = await self._get(db, owner, made_id(held, "thread_id"))
                return (await self._show(db, owner, [found]))[0], True
            await self._references.check_collection(db, wanted.collection_id, owner, path=_BODY)
            thread = await self._threads.create(db, owner, {**values, "id": new_id(), "annotations": wanted.metadata})
            await self._keys.keep(db, owner, key, thread_id=thread.id)
            return ThreadRead.of(thread, []), False

    async def get(self, owner: Owner, thread_id: UUID) -> ThreadRead:
        """One thread."""
        async with self._sessions() as db:
            return (await self._show(db, owner, [await self._get(db, owner, thread_id)]))[0]

    async def list_page(self, owner: Owner, limit: int, cursor: str | None) -> Page[ThreadRead]:
        """One page, newest first. Raises `InvalidError` for a foreign cursor."""
        before_id = None if cursor is None else self._cursors.read(owner.user_id, cursor, "threads")
        async with self._sessions() as db:
            found = await self._threads.list_page(db, owner, before_id=before_id, limit=limit + 1)
            items = await self._show(db, owner, found[:limit])
        following = self._cursors.sign(owner.user_id, items[-1].id, "threads") if len(found) > limit else None
        return Page(items, following)

    async def update(self, owner: Owner, thread_id: UUID, change: ThreadUpdate) -> ThreadRead:
        """Change what was named. Raises `InvalidError` for a collection that the owner may not read."""
        values = change.model_dump(exclude_unset=True)
        if "metadata" in values:
            values["annotations"] = values.pop("metadata")
        async with self._sessions.begin() as db:
            await self._get(db, owner, thread_id)
            await self._references.check_collection(db, change.collection_id, owner, path=_BODY)
            thread = await self._threads.change(db, thread_id, owner, values)
            if thread is None:
                raise missing(thread_id)
            return (await self._show(db, owner, [thread]))[0]

    async def list_messages(self, owner: Owner, thread_id: UUID, limit: int, cursor: str | None) -> Page[MessageRead]:
        """What was said, newest first."""
        scope = f"messages:{thread_id}"
        before = None if cursor is None else self._cursors.read(owner.user_id, cursor, scope).int
        async with self._sessions() as db:
            await self._get(db, owner, thread_id)
            found = await self._threads.list_messages(db, thread_id, owner, ThreadPart(before, limit + 1))
        items = [MessageRead.of(message) for message in found[:limit]]
        has_more = len(found) > limit
        return Page(items, self._cursors.sign(owner.user_id, UUID(int=items[-1].seq), scope) if has_more else None)

    async def list_checkpoints(
        self, owner: Owner, thread_id: UUID, limit: int, cursor: str | None
    ) -> Page[CheckpointRead]:
        """The steps, newest first."""
        scope = f"history:{thread_id}"
        before = None if cursor is None else self._cursors.read(owner.user_id, cursor, scope)
        async with self._sessions() as db:
            await self._get(db, owner, thread_id)
            found = await self._threads.list_checkpoints(db, thread_id, owner, ThreadPart(before, limit + 1))
        items = [CheckpointRead.of(checkpoint) for checkpoint in found[:limit]]
        has_more = len(found) > limit
        return Page(items, self._cursors.sign(owner.user_id, items[-1].checkpoint_id, scope) if has_more else None)

    async def get_state(self, owner: Owner, thread_id: UUID, checkpoint_id: UUID | None) -> ThreadState:
        """What the thread remembers now, or at a checkpoint. Raises `NotFoundError` for an unknown one."""
        async with self._sessions() as db:
            thread = await self._get(db, owner, thread_id)
            checkpoint = await self._threads.find_checkpoint(db, thread_id, owner, checkpoint_id)
            if checkpoint is None and checkpoint_id is not None:
                raise NotFoundError(f"checkpoint {checkpoint_id} does not exist")
            count = checkpoint.message_count if checkpoint else 0
            part = ThreadPart(limit=_LAST_MESSAGES)
            messages = await self._threads.list_messages(db, thread_id, owner, part, count=count)
            [shown] = await self._show(db, owner, [thread])
        return ThreadState(
            thread_id=thread_id,
            status=shown.status,
            checkpoint=CheckpointRead.of(checkpoint) if checkpoint else None,
            messages=[MessageRead.of(message) for message in reversed(messages)],
        )

    async def _get(self, db: AsyncSession, owner: Owner, thread_id: UUID) -> Thread:
        thread = await self._threads.find(db, thread_id, owner)
        if thread is None:
            raise missing(thread_id)
        return thread

    async def _show(self, db: AsyncSession, owner: Owner, threads: Sequence[Thread]) -> list[ThreadRead]:
        pending: dict[UUID, list[PendingRun]] = defaultdict(list)
        for run in await self._threads.list_active(db, [thread.id for thread in threads], owner):
            pending[run.thread_id].append(PendingRun.model_validate(run))
        return [ThreadRead.of(thread, pending[thread.id]) for thread in threads]


def missing(thread_id: UUID) -> NotFoundError:
    """What everybody is told who may not know of a thread."""
    return NotFoundError(f"thread {thread_id} does not exist")
