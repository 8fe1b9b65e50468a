"""What the engine knows of a job that it runs."""

import asyncio
from dataclasses import dataclass
from math import inf
from uuid import UUID

from common.repository.attempt import ClaimedJob
from worker.runner import StopReason


@dataclass(slots=True)
class Running:
    """A job that this process runs now. Only the handler may be cancelled, never the writing of its end."""

    job: ClaimedJob
    worker_id: UUID
    task: asyncio.Task[None]
    stop_reason: StopReason | None = None
    is_in_handler: bool = False
    deadline: float = inf
