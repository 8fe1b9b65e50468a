"""A job's events as HTTP clients see them."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from api.event_streams import HistoryPage, Place
from api.v1.job.schema import JobRead


class EventRead(BaseModel):
    """One numbered fact about a job, the same in every door."""

    job_id: UUID
    epoch: str
    seq: int
    type: str = Field(examples=["job.started"])
    ts: datetime
    attempt: int
    data: dict[str, Any]


class EventPageRead(BaseModel):
    """Events after a place. Without `recovered` a gap could not be filled: `snapshot` replaces what you knew."""

    job_id: UUID
    epoch: str | None
    seq: int = Field(description="Ask for what comes after this number of this epoch.")
    recovered: bool
    was_recovering: bool
    has_more: bool = Field(description="More events are there already.")
    has_ended: bool = Field(description="The job's last event is among these, or you had it before.")
    snapshot: JobRead | None = None
    events: list[EventRead]

    @classmethod
    def of(cls, found: HistoryPage, place: Place) -> Self:
        """A page as its owner may see it."""
        events = [EventRead.model_validate(event.public()) for event in found.page.events]
        seq = events[-1].seq if events else found.position.start
        return cls(
            job_id=found.job.id,
            epoch=found.page.epoch,
            seq=seq,
            recovered=found.position.recovered,
            was_recovering=place.was_given,
            has_more=seq < found.page.seq,
            has_ended=found.has_ended,
            snapshot=None if found.position.recovered else JobRead.of(found.job),
            events=events,
        )
