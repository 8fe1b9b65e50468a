"""Letuin from Python: `AsyncLetuinClient`, and `LetuinClient` for programs without an event loop.

Needs httpx2, pydantic and, for the Socket.IO door, python-socketio; nothing of the server.
"""

from common.client.async_client import AsyncJob, AsyncLetuinClient
from common.client.errors import ApiError, JobFailedError, LetuinError, UnreachableError
from common.client.models import Job, JobEvent, JobReset, Place, ThreadEvent
from common.client.sync_client import LetuinClient, SyncJob

__all__ = [
    "ApiError",
    "AsyncJob",
    "AsyncLetuinClient",
    "Job",
    "JobEvent",
    "JobFailedError",
    "JobReset",
    "LetuinClient",
    "LetuinError",
    "Place",
    "SyncJob",
    "ThreadEvent",
    "UnreachableError",
]
