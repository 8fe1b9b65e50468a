"""/budgets: how much may be spent on models, for operators."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Request, Response, status

from api.audit_trail import AuditTrailDep
from api.dependencies import BudgetServiceDep, CallerDep
from api.feature import feature_router
from api.path_ids import parse_id
from api.v1.budget.schema import BudgetChange, BudgetList, BudgetRead, BudgetWrite

router = feature_router("/budgets", tag="budgets")


async def get_budget_id(budget_id: Annotated[str, Path(description="The budget's id.")]) -> UUID:
    """The budget's id from the path."""
    return parse_id(budget_id, "budget")


_BudgetId = Annotated[UUID, Depends(get_budget_id)]
_TenantId = Annotated[UUID | None, Query(description="Another tenant; for operators of the installation.")]


@router.get("")
async def list_budgets(
    caller: CallerDep,
    service: BudgetServiceDep,
    tenant_id: _TenantId = None,
) -> BudgetList:
    """The budgets of your tenant and what is used of them."""
    return BudgetList(items=await service.list_all(caller, tenant_id))


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_budget(
    body: BudgetWrite,
    caller: CallerDep,
    service: BudgetServiceDep,
    trail: AuditTrailDep,
    request: Request,
    response: Response,
) -> BudgetRead:
    """Bound what a tenant spends in a day or a month; what was spent in it already counts.

    409 when there is one for the same model and period.
    """
    budget = await service.add(caller, body)
    trail.note("budget.create", f"budget:{budget.id}", tenant=budget.tenant_id)
    response.headers["Location"] = f"{request.url.path}/{budget.id}"
    return budget


@router.get("/{budget_id}")
async def get_budget(
    budget_id: _BudgetId, caller: CallerDep, service: BudgetServiceDep, tenant_id: _TenantId = None
) -> BudgetRead:
    """One budget."""
    return await service.get(caller, budget_id, tenant_id)


@router.patch("/{budget_id}")
async def change_budget(
    budget_id: _BudgetId,
    change: BudgetChange,
    caller: CallerDep,
    service: BudgetServiceDep,
    trail: AuditTrailDep,
    tenant_id: _TenantId = None,
) -> BudgetRead:
    """Set other limits; jobs that wait for a budget look again at once."""
    budget = await service.change(caller, budget_id, tenant_id, change)
    trail.note("budget.update", f"budget:{budget_id}", tenant=budget.tenant_id)
    return budget


@router.delete("/{budget_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_budget(
    budget_id: _BudgetId,
    caller: CallerDep,
    service: BudgetServiceDep,
    trail: AuditTrailDep,
    tenant_id: _TenantId = None,
) -> None:
    """Lift a budget."""
    await service.delete(caller, budget_id, tenant_id)
    trail.note("budget.delete", f"budget:{budget_id}")
