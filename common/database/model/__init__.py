"""All tables; importing this package completes `Base.metadata`."""

from common.database.model.account import AttemptCount, CodePurpose, EmailCode, LoginSession, RefreshToken
from common.database.model.api_key import ApiKey
from common.database.model.audit import AuditEvent
from common.database.model.base import Base
from common.database.model.collection import Collection, Document, DocumentVersion, Visibility
from common.database.model.job import Attempt, Job
from common.database.model.llm import Budget, BudgetPeriod, BudgetReservation, PaidCall, UsageRecord
from common.database.model.mail import JobNotice, Mail, MailStatus
from common.database.model.schedule import CatchUp, Firing, FiringOutcome, Overlap, Schedule, ScheduleStatus
from common.database.model.submission import Batch, IdempotencyKey, JobDependency, JobResult, PurgedJob, UniqueSlot
from common.database.model.thread import Thread, ThreadCheckpoint, ThreadMessage, ThreadRun
from common.database.model.user import Role, Tenant, User
from common.database.model.webhook import DeliveryStatus, JobWebhook, WebhookDelivery, WebhookEndpoint, WebhookTry
from common.database.model.worker import Queue, Worker

__all__ = [
    "ApiKey",
    "Attempt",
    "AttemptCount",
    "AuditEvent",
    "Base",
    "Batch",
    "Budget",
    "BudgetPeriod",
    "BudgetReservation",
    "CatchUp",
    "CodePurpose",
    "Collection",
    "DeliveryStatus",
    "Document",
    "DocumentVersion",
    "EmailCode",
    "Firing",
    "FiringOutcome",
    "IdempotencyKey",
    "Job",
    "JobDependency",
    "JobNotice",
    "JobResult",
    "JobWebhook",
    "LoginSession",
    "Mail",
    "MailStatus",
    "Overlap",
    "PaidCall",
    "PurgedJob",
    "Queue",
    "RefreshToken",
    "Role",
    "Schedule",
    "ScheduleStatus",
    "Tenant",
    "Thread",
    "ThreadCheckpoint",
    "ThreadMessage",
    "ThreadRun",
    "UniqueSlot",
    "UsageRecord",
    "User",
    "Visibility",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookTry",
    "Worker",
]
