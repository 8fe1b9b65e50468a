"""Names that the api and the workers share about webhooks."""

from uuid import UUID

DELIVERING_USER_ID = UUID("00000000-0000-7000-8000-000000000004")
"""Owner of the jobs that deliver: they are the system's, and in nobody's list of jobs."""

END_EVENTS = ("job.succeeded", "job.failed", "job.cancelled", "job.expired")
"""What an endpoint can be told of."""

PING = "webhook.ping"
"""Sent on request, to try an endpoint out."""
