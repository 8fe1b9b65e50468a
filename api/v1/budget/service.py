"""Budgets of tenants, for their operators and for those of the installation."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from api.caller import Caller
from api.v1.budget.schema import BudgetChange, BudgetRead, BudgetWrite
from common.database.model import Budget, BudgetPeriod
from common.database.session import Sessions
from common.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from common.repository.budget import BudgetRepository, NewBudget
from common.repository.user import DEFAULT_TENANT_ID

_MONTH_AND_A_BIT = timedelta(days=32)


class BudgetService:
    """Operators set the budgets of their tenant; those of the installation's own tenant set everybody's."""

    def __init__(self, sessions: Sessions, budgets: BudgetRepository) -> None:
        self._sessions = sessions
        self._budgets = budgets

    async def list_all(self, caller: Caller, tenant_id: UUID | None) -> list[BudgetRead]:
        """The budgets of a tenant. Raises `ForbiddenError` for users, and for another tenant's."""
        tenant = _tenant(caller, tenant_id)
        async with self._sessions() as db:
            return [_read(budget) for budget in await self._budgets.list_all(db, tenant)]

    async def get(self, caller: Caller, budget_id: UUID, tenant_id: UUID | None) -> BudgetRead:
        """One budget of a tenant. Raises `NotFoundError`."""
        tenant = _tenant(caller, tenant_id)
        async with self._sessions.begin() as db:
            return _read(await self._get(db, tenant, budget_id))

    async def add(self, caller: Caller, body: BudgetWrite) -> BudgetRead:
        """A new budget. Raises `ConflictError` when there is one for the same model and period."""
        tenant = _tenant(caller, body.tenant_id)
        new = NewBudget(
            tenant,
            body.period,
            body.model,
            body.max_cost,
            body.max_tokens,
            is_imposed=tenant != caller.tenant_id,
        )
        async with self._sessions.begin() as db:
            budget_id = await self._budgets.add(db, new)
            if budget_id is None:
                raise ConflictError(f"there is a budget a {body.period} for {body.model or 'all models'} already")
            return _read(await self._get(db, tenant, budget_id))

    async def change(self, caller: Caller, budget_id: UUID, tenant_id: UUID | None, change: BudgetChange) -> BudgetRead:
        """Set other limits, and let the jobs that wait for a budget look again."""
        tenant = _tenant(caller, tenant_id)
        limits = change.model_dump(exclude_unset=True)
        async with self._sessions.begin() as db:
            budget = await self._get(db, tenant, budget_id)
            _check_change(caller, budget)
            after = {"max_cost": budget.max_cost, "max_tokens": budget.max_tokens, **limits}
            if after["max_cost"] is None and after["max_tokens"] is None:
                raise InvalidError("a budget needs max_cost or max_tokens; delete it instead", path=("body",))
            await self._budgets.change(db, budget_id, tenant, limits)
            await self._budgets.wake_waiting(db, tenant)
            return _read(await self._get(db, tenant, budget_id))

    async def delete(self, caller: Caller, budget_id: UUID, tenant_id: UUID | None) -> None:
        """Lift a budget, and let the jobs that wait for it look again."""
        tenant = _tenant(caller, tenant_id)
        async with self._sessions.begin() as db:
            _check_change(caller, await self._get(db, tenant, budget_id))
            await self._budgets.delete(db, budget_id, tenant)
            await self._budgets.wake_waiting(db, tenant)

    async def _get(self, db: AsyncSession, tenant_id: UUID, budget_id: UUID) -> Budget:
        budget = await self._budgets.find(db, budget_id, tenant_id)
        if budget is None:
            raise NotFoundError(f"budget {budget_id} does not exist")
        return budget


def _check_change(caller: Caller, budget: Budget) -> None:
    if budget.is_imposed and not _rules_all(caller):
        raise ForbiddenError("this budget was set by the operators of the installation")


def _rules_all(caller: Caller) -> bool:
    return caller.is_operator and caller.tenant_id == DEFAULT_TENANT_ID


def _tenant(caller: Caller, wanted: UUID | None) -> UUID:
    caller.require_operator()
    if wanted is None or wanted == caller.tenant_id:
        return caller.tenant_id
    if not _rules_all(caller):
        raise ForbiddenError("only operators of the installation set other tenants' budgets")
    return wanted


def _read(budget: Budget) -> BudgetRead:
    """The budget as it stands now: a window that nobody used since it turned is turned here."""
    start, now = budget.window_start.astimezone(UTC), datetime.now(UTC)
    period = BudgetPeriod(budget.period)
    current = max(start, _window_of(period, now))
    used = {name: getattr(budget, name) for name in ("spent_cost", "spent_tokens", "reserved_cost", "reserved_tokens")}
    if current > start:
        used = {"spent_cost": Decimal(0), "spent_tokens": 0, "reserved_cost": Decimal(0), "reserved_tokens": 0}
    plain = ("id", "tenant_id", "model", "max_cost", "max_tokens", "is_imposed", "created_at", "updated_at")
    return BudgetRead(
        **{name: getattr(budget, name) for name in plain},
        **used,
        period=period,
        window_start=current,
        window_end=_next_window(period, current),
    )


def _window_of(period: BudgetPeriod, moment: datetime) -> datetime:
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if period is BudgetPeriod.DAY else midnight.replace(day=1)


def _next_window(period: BudgetPeriod, start: datetime) -> datetime:
    if period is BudgetPeriod.DAY:
        return start + timedelta(days=1)
    return (start.replace(day=1) + _MONTH_AND_A_BIT).replace(day=1)
