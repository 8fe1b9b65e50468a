"""Queries about security events. Reading names the tenant; an event about nobody known is the default tenant's."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.types import TIMESTAMP, Integer

from common.database.model import AuditEvent
from common.repository.sql import Executor, execute, statement


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A security event that is about to be written."""

    id: UUID
    tenant_id: UUID
    actor_id: UUID | None
    event: str
    outcome: str
    target: str | None
    request_id: str | None
    details: dict[str, Any] | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which events to read; what is None does not matter. `since` belongs to the span, `until` does not."""

    event: str | None = None
    actor_id: UUID | None = None
    target: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before_id: UUID | None = None
    limit: int = 50


_DELETE = statement(
    """
    DELETE FROM audit_events WHERE id IN (
        SELECT id FROM audit_events WHERE created_at < :before LIMIT :most FOR UPDATE SKIP LOCKED
    )
    """,
    before=TIMESTAMP(timezone=True),
    most=Integer(),
)


class AuditRepository:
    """Security events, which nobody changes."""

    async def insert_many(self, db: Executor, entries: Sequence[AuditEntry]) -> None:
        """Write events, those that are there already excepted."""
        rows = [asdict(entry) for entry in entries]
        await db.execute(insert(AuditEvent).values(rows).on_conflict_do_nothing(index_elements=[AuditEvent.id]))

    async def list_page(self, db: Executor, tenant_id: UUID, wanted: AuditFilter) -> list[AuditEvent]:
        """One page of the tenant's events, newest first."""
        query = select(AuditEvent).where(AuditEvent.tenant_id == tenant_id)
        for column, value in (
            (AuditEvent.event, wanted.event),
            (AuditEvent.actor_id, wanted.actor_id),
            (AuditEvent.target, wanted.target),
            (AuditEvent.outcome, wanted.outcome),
        ):
            if value is not None:
                query = query.where(column == value)
        if wanted.since is not None:
            query = query.where(AuditEvent.created_at >= wanted.since)
        if wanted.until is not None:
            query = query.where(AuditEvent.created_at < wanted.until)
        if wanted.before_id is not None:
            query = query.where(AuditEvent.id < wanted.before_id)
        query = query.order_by(AuditEvent.id.desc()).limit(wanted.limit)
        return list((await db.execute(query)).scalars())

    async def delete_before(self, db: Executor, moment: datetime, *, most: int) -> int:
        """Remove at most `most` events older than `moment`, and return how many went."""
        return (await execute(db, _DELETE, {"before": moment, "most": most})).rowcount
