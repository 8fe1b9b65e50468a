"""Reading one job in one round trip, for those who poll and wait."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import class_mapper

from common.database.direct import DirectPool
from common.database.model import Job
from common.repository.sql import statement

_ATTRIBUTES = {"metadata": "annotations"}
_COLUMNS = tuple(column for column in Job.__table__.columns if column.name != "payload")
_NAMES = tuple(_ATTRIBUTES.get(column.name, column.name) for column in _COLUMNS)
_DECODERS: tuple[Callable[[Any], Any] | None, ...] = tuple(
    from_json if isinstance(column.type, JSONB) else None for column in _COLUMNS
)
_READ = statement(
    f"""
    SELECT {", ".join(column.name for column in _COLUMNS)} FROM jobs
    WHERE id = :id AND tenant_id = :tenant AND owner_id = coalesce(:owner, owner_id)
    """,
    id=Uuid(),
    tenant=Uuid(),
    owner=Uuid(),
)


async def read_job(db: DirectPool, job_id: UUID, tenant_id: UUID, owner_id: UUID | None) -> Job | None:
    """The row without its payload, and without a result that is kept apart; without `owner_id` anybody's."""
    rows = await db.fetch(_READ, {"id": job_id, "tenant": tenant_id, "owner": owner_id})
    return _row(rows[0]) if rows else None


def _row(record: Any) -> Job:
    row = class_mapper(Job).class_manager.new_instance()
    row.__dict__.update(
        (name, value if decode is None or value is None else decode(value))
        for name, decode, value in zip(_NAMES, _DECODERS, record, strict=True)
    )
    return row
