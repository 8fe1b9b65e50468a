"""The names of events. The command line knows them, too, and starts quicker without what publishes them."""

from enum import StrEnum


class EventType(StrEnum):
    """Names used alike in Socket.IO, SSE and webhooks."""

    QUEUED = "job.queued"
    STARTED = "job.started"
    PROGRESS = "job.progress"
    RETRYING = "job.retrying"
    CANCELLING = "job.cancelling"
    SUCCEEDED = "job.succeeded"
    FAILED = "job.failed"
    CANCELLED = "job.cancelled"
    EXPIRED = "job.expired"
    LLM_DELTA = "llm.delta"
    LLM_RESET = "llm.reset"

    @property
    def is_terminal(self) -> bool:
        return self in _TERMINAL


_TERMINAL = {EventType.SUCCEEDED, EventType.FAILED, EventType.CANCELLED, EventType.EXPIRED}


def is_terminal(event_type: str) -> bool:
    """Whether an event of this type is the last of its job."""
    return event_type in _TERMINAL
