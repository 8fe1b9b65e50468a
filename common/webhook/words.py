"""Names that the api and the workers share about webhooks."""

from uuid import UUID

DELIVERING_USER_ID = UUID("00000000-0000-7000-8000-000000000004")
"""Owner of the jobs that deliver: they are the system's, and in nobody's list of jobs."""

PROGRESS = "job.progress"
"""The one message that newer ones replace until it is sent."""

PING = "webhook.ping"
"""Sent on request, to try an endpoint out."""
