"""What others may know of a user."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from common.database.model import Role


class UserRead(BaseModel):
    """A user, without anything secret."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    tenant_id: UUID
    email: str
    role: Role
    created_at: datetime
