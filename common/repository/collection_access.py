"""Who may read a collection, and who may change it: the one place that says it in SQL."""

from sqlalchemy import ColumnElement, and_, or_

from common.database.model import Collection, Visibility
from common.repository.job import Owner


def owned_by(owner: Owner) -> ColumnElement[bool]:
    """Their own, not deleted: what they may change."""
    is_owners = and_(Collection.tenant_id == owner.tenant_id, Collection.owner_id == owner.user_id)
    return and_(is_owners, Collection.deleted_at.is_(None))


def read_by(reader: Owner) -> ColumnElement[bool]:
    """Their own and those shared with their tenant, not deleted: what they may read."""
    is_for_reader = or_(Collection.owner_id == reader.user_id, Collection.visibility == str(Visibility.TENANT))
    return and_(Collection.tenant_id == reader.tenant_id, is_for_reader, Collection.deleted_at.is_(None))
