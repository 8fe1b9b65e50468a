"""Queries about tenants, which are organisations."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import insert, select, update

from common.database.model import Tenant
from common.repository.sql import Executor


class TenantRepository:
    """Organisations."""

    async def find(self, db: Executor, tenant_id: UUID) -> Tenant | None:
        """The tenant of this id."""
        return (await db.execute(select(Tenant).where(Tenant.id == tenant_id))).scalar_one_or_none()

    async def list_page(self, db: Executor, *, before_id: UUID | None, limit: int) -> Sequence[Tenant]:
        """One page of all tenants, newest first."""
        query = select(Tenant)
        if before_id is not None:
            query = query.where(Tenant.id < before_id)
        return (await db.execute(query.order_by(Tenant.id.desc()).limit(limit))).scalars().all()

    async def insert(self, db: Executor, tenant_id: UUID, name: str) -> Tenant:
        """Add a tenant."""
        return (await db.execute(insert(Tenant).values(id=tenant_id, name=name).returning(Tenant))).scalar_one()

    async def rename(self, db: Executor, tenant_id: UUID, name: str) -> Tenant | None:
        """Change a tenant's name. None when there is no such tenant."""
        query = update(Tenant).where(Tenant.id == tenant_id).values(name=name).returning(Tenant)
        return (await db.execute(query, execution_options={"populate_existing": True})).scalar_one_or_none()
