"""Queries about what calls of models came to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, Date, Integer, Numeric, cast, func, select
from sqlalchemy.dialects.postgresql import INTERVAL

from common.database.model import UsageRecord
from common.repository.sql import Executor, execute, statement

_PURGE = statement(
    """
    DELETE FROM usage_records USING (
        SELECT id AS late_id FROM usage_records WHERE started_at < now() - :retention
        ORDER BY started_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ) AS late
    WHERE id = late.late_id
    """,
    retention=INTERVAL(),
    limit=Integer(),
)


class UsageGroup(StrEnum):
    """By what usage is summed up."""

    DAY = "day"
    MODEL = "model"
    KIND = "kind"


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """Whose calls of which time, from `since` up to but not including `until`; `owner_id=None` is the whole tenant."""

    tenant_id: UUID
    owner_id: UUID | None
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class UsageSum:
    """What the calls of a group came to; `cached_calls` among them were answered without a provider. US dollars."""

    day: date | None
    model: str | None
    kind: str | None
    calls: int
    cached_calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost: Decimal


class UsageRepository:
    """Reads the records that `PaidCallRepository` writes, and removes old ones."""

    async def sum_up(
        self, db: Executor, wanted: UsageFilter, groups: Sequence[UsageGroup], *, limit: int
    ) -> list[UsageSum]:
        """The sums of each group, newest day first, then by name."""
        record = UsageRecord
        columns = {
            UsageGroup.DAY: cast(func.timezone("UTC", record.started_at), Date),
            UsageGroup.MODEL: record.model,
            UsageGroup.KIND: record.kind,
        }
        keys = [columns[group] for group in groups]
        sums = [
            func.count(),
            func.count().filter(record.is_cached),
            *(
                cast(func.coalesce(func.sum(column), 0), BigInteger)
                for column in (record.input_tokens, record.output_tokens, record.cached_tokens)
            ),
            func.coalesce(cast(func.sum(record.cost), Numeric(30, 10)), Decimal(0)),
        ]
        query = select(*keys, *sums).where(
            record.tenant_id == wanted.tenant_id, record.started_at >= wanted.since, record.started_at < wanted.until
        )
        if wanted.owner_id is not None:
            query = query.where(record.owner_id == wanted.owner_id)
        order = [key.desc() if group is UsageGroup.DAY else key.asc() for group, key in zip(groups, keys, strict=True)]
        rows = await db.execute(query.group_by(*keys).order_by(*order).limit(limit))
        return [_to_sum(groups, tuple(row)) for row in rows]

    async def purge(self, db: Executor, retention: timedelta, *, limit: int) -> int:
        """Remove records of calls that are older than `retention`; how many."""
        return (await execute(db, _PURGE, {"retention": retention, "limit": limit})).rowcount


def _to_sum(groups: Sequence[UsageGroup], row: tuple[object, ...]) -> UsageSum:
    keys = dict.fromkeys((group.value for group in UsageGroup), None) | dict(
        zip((group.value for group in groups), row, strict=False)
    )
    return UsageSum(**keys, **dict(zip(_SUMS, row[len(groups) :], strict=True)))  # type: ignore[arg-type]  # of one row


_SUMS = ("calls", "cached_calls", "input_tokens", "output_tokens", "cached_tokens", "cost")
