"""All tables; importing this package completes `Base.metadata`."""

from common.database.model.base import Base
from common.database.model.job import Attempt, Job
from common.database.model.submission import Batch, IdempotencyKey, JobDependency, JobResult, PurgedJob, UniqueSlot
from common.database.model.user import Role, Tenant, User
from common.database.model.worker import Queue, Worker

__all__ = [
    "Attempt",
    "Base",
    "Batch",
    "IdempotencyKey",
    "Job",
    "JobDependency",
    "JobResult",
    "PurgedJob",
    "Queue",
    "Role",
    "Tenant",
    "UniqueSlot",
    "User",
    "Worker",
]
