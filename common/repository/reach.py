"""Whose objects somebody may look at: their own, or as an operator everybody's in the tenant."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement

from common.repository.new_job import Owner


@dataclass(frozen=True, slots=True)
class WholeTenant:
    """Everybody's in the tenant, for operators."""

    tenant_id: UUID
    user_id: None = None


type Reach = Owner | WholeTenant


def within(table: Any, reach: Reach) -> list[ColumnElement[bool]]:
    """What a row of a model must be to be within reach: the tenant's, and the owner's unless the whole tenant is."""
    in_tenant = table.tenant_id == reach.tenant_id
    return [in_tenant] if reach.user_id is None else [in_tenant, table.owner_id == reach.user_id]
