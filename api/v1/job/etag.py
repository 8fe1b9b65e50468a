"""Versions of a job, for polling without reading the same thing twice."""

from hashlib import blake2s

from pydantic_core import to_json

from common.database.model import Job


def etag_of(job: Job) -> str:
    """A weak validator that changes with everything a client can see of the job."""
    seen = to_json([job.status, job.attempt, job.updated_at, job.progress, job.cancel_requested_at])
    return f'W/"{blake2s(seen, digest_size=10).hexdigest()}"'


def matches(etag: str, if_none_match: str) -> bool:
    """Whether the client has this version; weak comparison, as If-None-Match asks."""
    known = {part.strip().removeprefix("W/") for part in if_none_match.split(",")}
    return "*" in known or etag.removeprefix("W/") in known
