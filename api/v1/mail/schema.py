"""Mails as their owners and operators see them."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from common.database.model import MailStatus


class MailRead(BaseModel):
    """What was sent to whom, and what the mail server said. The text of a mail is not kept."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(description="The id of its job.")
    owner_id: UUID
    status: MailStatus = Field(
        description="`unknown`: a worker stopped between sending and knowing; send it again if you like."
    )
    message_id: str
    recipient: str
    subject: str
    template: str | None
    response: str | None = Field(description="The mail server's words.")
    attempt: int
    created_at: datetime
    updated_at: datetime


class MailPage(BaseModel):
    """Mails, newest first. `next_cursor` is missing on the last page."""

    items: list[MailRead]
    next_cursor: str | None
