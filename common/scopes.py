"""What API keys and job tokens can be limited to."""

from enum import StrEnum


class Scope(StrEnum):
    """What an API key may do: `<feature>:read` for looking, `<feature>:write` for everything else."""

    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    SCHEDULES_READ = "schedules:read"
    SCHEDULES_WRITE = "schedules:write"
    THREADS_READ = "threads:read"
    THREADS_WRITE = "threads:write"
    COLLECTIONS_READ = "collections:read"
    COLLECTIONS_WRITE = "collections:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    USAGE_READ = "usage:read"
    USERS_READ = "users:read"
    USERS_WRITE = "users:write"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    LOGS_READ = "logs:read"
    AUDIT_READ = "audit:read"
    OPS_READ = "ops:read"
    OPS_WRITE = "ops:write"


class JobAction(StrEnum):
    """What a job token may allow on its one job."""

    READ = "read"
    CANCEL = "cancel"
