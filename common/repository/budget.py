"""Queries about budgets from their operators' side."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Numeric, Uuid, delete, func, select, update
from sqlalchemy.types import Text

from common.database.model import Budget, BudgetPeriod
from common.ids import new_id
from common.repository.sql import Executor, execute, statement


@dataclass(frozen=True, slots=True)
class NewBudget:
    """What may be spent in a period, US dollars and tokens; on one model or, with None, on all together."""

    tenant_id: UUID
    period: BudgetPeriod
    model: str | None = None
    max_cost: Decimal | None = None
    max_tokens: int | None = None
    is_imposed: bool = False


# A budget that is made within its window counts what was spent in it before.
_ADD = statement(
    """
    INSERT INTO budgets (id, tenant_id, model, period, max_cost, max_tokens, is_imposed, window_start, spent_cost,
                         spent_tokens)
    SELECT :id, :tenant_id, :model, :period, :max_cost, :max_tokens, :is_imposed, w.opened,
           coalesce(sum(u.cost), 0), coalesce(sum(u.input_tokens + u.output_tokens), 0)
    FROM (SELECT date_trunc(:period, now(), 'UTC') AS opened) AS w
    LEFT JOIN usage_records AS u ON u.tenant_id = :tenant_id AND u.started_at >= w.opened AND NOT u.is_cached
                                    AND (:model IS NULL OR lower(u.model) = lower(:model))
    GROUP BY w.opened
    ON CONFLICT (tenant_id, coalesce(model, ''), period) DO NOTHING
    RETURNING id
    """,
    id=Uuid(),
    tenant_id=Uuid(),
    model=Text(),
    period=Text(),
    max_cost=Numeric(),
    max_tokens=BigInteger(),
    is_imposed=Boolean(),
)
# Jobs that wait for a budget look again at once; the dispatcher sees to their hints.
_WAKE = statement(
    """
    UPDATE jobs SET run_at = clock_timestamp(), rank_at = clock_timestamp() - priority * interval '1 minute',
                    dispatch_no = dispatch_no + 1, next_dispatch_at = clock_timestamp(),
                    updated_at = clock_timestamp()
    WHERE tenant_id = :tenant_id AND status = 'queued' AND waiting = 'budget' AND run_at > clock_timestamp()
    """,
    tenant_id=Uuid(),
)


class BudgetRepository:
    """Budgets of tenants. What calls reserve and spend is written by `PaidCallRepository`."""

    async def list_all(self, db: Executor, tenant_id: UUID) -> list[Budget]:
        """The budgets of a tenant, oldest first."""
        query = select(Budget).where(Budget.tenant_id == tenant_id).order_by(Budget.id)
        return list(await db.scalars(query))

    async def find(self, db: Executor, budget_id: UUID, tenant_id: UUID) -> Budget | None:
        """One budget of a tenant, locked."""
        query = select(Budget).where(Budget.id == budget_id, Budget.tenant_id == tenant_id).with_for_update()
        found: Budget | None = await db.scalar(query.execution_options(populate_existing=True))
        return found

    async def change(self, db: Executor, budget_id: UUID, tenant_id: UUID, limits: Mapping[str, Any]) -> None:
        """Set `max_cost`, `max_tokens` or both."""
        query = update(Budget).where(Budget.id == budget_id, Budget.tenant_id == tenant_id)
        await db.execute(query.values(**limits, updated_at=func.now()))

    async def add(self, db: Executor, new: NewBudget) -> UUID | None:
        """The id of a new budget; None when the tenant has one for this model and period."""
        values: dict[str, Any] = {name: getattr(new, name) for name in NewBudget.__slots__}
        row = (await execute(db, _ADD, {**values, "id": new_id(), "period": str(new.period)})).one_or_none()
        return None if row is None else row[0]

    async def delete(self, db: Executor, budget_id: UUID, tenant_id: UUID) -> None:
        """Remove a budget and what is reserved from it."""
        await db.execute(delete(Budget).where(Budget.id == budget_id, Budget.tenant_id == tenant_id))

    async def wake_waiting(self, db: Executor, tenant_id: UUID) -> int:
        """Let the jobs of a tenant that wait for a budget look again now; how many."""
        return (await execute(db, _WAKE, {"tenant_id": tenant_id})).rowcount
