"""Queries about threads from the worker's side: take a thread, write down its steps. Every write names the fence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import BigInteger, Integer, Text, Uuid

from common.database.direct import DirectPool
from common.ports import CallOrigin
from common.repository.sql import INTS, TEXTS, Executor, execute, fetch, statement


@dataclass(frozen=True, slots=True)
class TakenThread:
    """A thread that this attempt may write to until another one takes it: `fence` says so.

    `undo` are the runs that were rolled back and left something behind.
    """

    id: UUID
    fence: int
    flow: str
    collection_id: UUID | None
    message_count: int
    undo: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class ThreadStep:
    """One checkpoint as it is written down. `messages` are those from `first_seq` on."""

    checkpoint_id: UUID
    parent_id: UUID | None
    step: int
    source: str
    next: tuple[str, ...]
    state: dict[str, Any]
    first_seq: int
    messages: Sequence[dict[str, Any]]
    interrupt: dict[str, Any] | None = None


_LOCK = statement(
    """
    SELECT id, flow, collection_id, message_count, run_job_id FROM threads
    WHERE id = :thread AND tenant_id = :tenant AND owner_id = :owner AND deleted_at IS NULL FOR UPDATE
    """,
    thread=Uuid(),
    tenant=Uuid(),
    owner=Uuid(),
)
# A statement after the lock: it sees what the one before the lock may have waited for.
_TAKE = statement(
    """
    UPDATE threads SET fence = fence + 1, run_job_id = :job, updated_at = clock_timestamp()
    WHERE id = :thread AND tenant_id = :tenant
      AND EXISTS (SELECT FROM jobs WHERE id = :job AND attempt = :attempt AND status = 'running')
      AND NOT EXISTS (SELECT FROM jobs WHERE id = threads.run_job_id AND id <> :job AND status = 'running')
    RETURNING fence
    """,
    thread=Uuid(),
    tenant=Uuid(),
    job=Uuid(),
    attempt=Integer(),
)
# A run that was rolled back comes here again only when its owner has it done again: then it counts.
_ADD_RUN = statement(
    """
    INSERT INTO thread_runs (job_id, thread_id, tenant_id, owner_id, position)
    SELECT :job, :thread, :tenant, :owner, coalesce(max(position), 0) + 1 FROM thread_runs
    WHERE thread_id = :thread AND tenant_id = :tenant
    ON CONFLICT (job_id) DO UPDATE SET rolled_back_at = NULL, undone_at = NULL, position = EXCLUDED.position
    WHERE thread_runs.rolled_back_at IS NOT NULL
      AND EXISTS (SELECT FROM jobs WHERE id = :job AND cancel_requested_at IS NULL)
    """,
    job=Uuid(),
    thread=Uuid(),
    tenant=Uuid(),
    owner=Uuid(),
)
_TO_UNDO = statement(
    """
    SELECT job_id FROM thread_runs WHERE thread_id = :thread AND tenant_id = :tenant
      AND rolled_back_at IS NOT NULL AND undone_at IS NULL AND job_id <> :job
    """,
    thread=Uuid(),
    tenant=Uuid(),
    job=Uuid(),
)
_UNDO = statement(
    """
    WITH held AS (
        SELECT id, tenant_id FROM threads WHERE id = :thread AND tenant_id = :tenant AND fence = :fence FOR UPDATE
    ), runs AS (
        UPDATE thread_runs SET undone_at = clock_timestamp() FROM held
        WHERE thread_id = held.id AND thread_runs.tenant_id = held.tenant_id AND rolled_back_at IS NOT NULL
          AND undone_at IS NULL AND job_id <> :job
        RETURNING job_id
    ), said AS (
        DELETE FROM thread_messages AS m USING held
        WHERE m.thread_id = held.id AND m.tenant_id = held.tenant_id AND m.job_id IN (SELECT job_id FROM runs)
        RETURNING m.seq
    ), steps AS (
        DELETE FROM thread_checkpoints AS c USING held
        WHERE c.thread_id = held.id AND c.tenant_id = held.tenant_id AND c.job_id IN (SELECT job_id FROM runs)
        RETURNING c.checkpoint_id
    ), newest AS (
        SELECT c.checkpoint_id, c.state, c.interrupt, c.message_count FROM thread_checkpoints AS c, held
        WHERE c.thread_id = held.id AND c.tenant_id = held.tenant_id AND c.job_id NOT IN (SELECT job_id FROM runs)
        ORDER BY c.checkpoint_id DESC LIMIT 1
    )
    UPDATE threads SET checkpoint_id = newest.checkpoint_id, state = newest.state, interrupt = newest.interrupt,
                       message_count = coalesce(newest.message_count, 0)
    FROM held LEFT JOIN newest ON true
    WHERE threads.id = held.id AND threads.tenant_id = held.tenant_id
    RETURNING threads.message_count
    """,
    thread=Uuid(),
    tenant=Uuid(),
    job=Uuid(),
    fence=BigInteger(),
)
_RECORD = statement(
    """
    WITH held AS (
        UPDATE threads SET checkpoint_id = :checkpoint, state = CAST(:state AS jsonb), message_count = :count,
                           interrupt = CAST(:interrupt AS jsonb), updated_at = clock_timestamp()
        WHERE id = :thread AND tenant_id = :tenant AND fence = :fence AND deleted_at IS NULL
        RETURNING id, tenant_id, owner_id
    ), step AS (
        INSERT INTO thread_checkpoints (thread_id, checkpoint_id, tenant_id, owner_id, parent_id, job_id, step, source,
                                        next, state, message_count, interrupt)
        SELECT id, :checkpoint, tenant_id, owner_id, :parent, :job, :step, :source, :next, CAST(:state AS jsonb),
               :count, CAST(:interrupt AS jsonb) FROM held
        ON CONFLICT (thread_id, checkpoint_id) DO UPDATE SET interrupt = EXCLUDED.interrupt
    ), said AS (
        INSERT INTO thread_messages (thread_id, seq, tenant_id, owner_id, id, role, content, citations, job_id)
        SELECT held.id, m.seq, tenant_id, owner_id, m.id, m.role, m.content, m.citations::jsonb, :job
        FROM held, unnest(:seqs, :ids, :roles, :contents, :citations) AS m(seq, id, role, content, citations)
        ON CONFLICT (thread_id, seq) DO UPDATE SET id = EXCLUDED.id, role = EXCLUDED.role,
            content = EXCLUDED.content, citations = EXCLUDED.citations, job_id = EXCLUDED.job_id
    )
    SELECT id FROM held
    """,
    thread=Uuid(),
    tenant=Uuid(),
    fence=BigInteger(),
    checkpoint=Uuid(),
    parent=Uuid(),
    job=Uuid(),
    step=Integer(),
    source=Text(),
    next=TEXTS,
    state=Text(),
    count=Integer(),
    interrupt=Text(),
    seqs=INTS,
    ids=TEXTS,
    roles=TEXTS,
    contents=TEXTS,
    citations=TEXTS,
)


class ThreadRunRepository:
    """The worker's view of threads."""

    async def take(self, db: Executor, thread_id: UUID, origin: CallOrigin) -> TakenThread | None:
        """Lock the thread and raise its fence for this attempt, in the caller's transaction.

        None when another running job holds it, or this attempt is outdated. Raises `LookupError` when the owner has no
        such thread.
        """
        who = {"thread": thread_id, "tenant": origin.tenant_id}
        found = (await execute(db, _LOCK, {**who, "owner": origin.owner_id})).mappings().one_or_none()
        if found is None:
            raise LookupError(thread_id)
        values = {**who, "job": origin.job_id}
        fence = (await execute(db, _TAKE, {**values, "attempt": origin.attempt})).scalar_one_or_none()
        if fence is None:
            return None
        await execute(db, _ADD_RUN, {**values, "owner": origin.owner_id})
        undo = tuple(row.job_id for row in await execute(db, _TO_UNDO, values))
        return TakenThread(thread_id, fence, found["flow"], found["collection_id"], found["message_count"], undo)

    async def undo(self, db: DirectPool, taken: TakenThread, origin: CallOrigin) -> int | None:
        """Forget what rolled back runs wrote; how many messages are left, None when the fence is outdated."""
        values = {"thread": taken.id, "tenant": origin.tenant_id, "job": origin.job_id, "fence": taken.fence}
        rows = await fetch(db, _UNDO, values)
        return rows[0][0] if rows else None

    async def record(self, db: DirectPool, taken: TakenThread, origin: CallOrigin, step: ThreadStep) -> bool:
        """Write a checkpoint and the messages that are new with it; False when the fence is outdated."""
        messages = step.messages
        values = {
            "thread": taken.id,
            "tenant": origin.tenant_id,
            "fence": taken.fence,
            "checkpoint": step.checkpoint_id,
            "parent": step.parent_id,
            "job": origin.job_id,
            "step": step.step,
            "source": step.source,
            "next": list(step.next),
            "state": _json(step.state),
            "count": step.first_seq + len(messages),
            "interrupt": None if step.interrupt is None else _json(step.interrupt),
            "seqs": list(range(step.first_seq, step.first_seq + len(messages))),
            "ids": [str(message["id"]) for message in messages],
            "roles": [message["role"] for message in messages],
            "contents": [message["content"] for message in messages],
            "citations": [_json(found) if (found := message.get("citations")) else None for message in messages],
        }
        return bool(await fetch(db, _RECORD, values))


def _json(value: Any) -> str:
    return to_json(value, inf_nan_mode="null").decode()
