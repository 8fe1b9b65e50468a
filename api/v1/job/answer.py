"""What every answer that shows one job says in its headers."""

from datetime import timedelta

from starlette.responses import Response

from api.v1.job.etag import etag_of
from api.v1.job.service import has_ended
from common.database.model import Job

JSON = "application/json"
_POLL_SECONDS = "1"


def describe(response: Response, job: Job, wait: timedelta = timedelta(0)) -> None:
    """Set ETag, Retry-After of a job that goes on, and Preference-Applied of a wait that was asked for."""
    response.headers["ETag"] = etag_of(job)
    if wait:
        response.headers["Preference-Applied"] = f"wait={int(wait.total_seconds())}"
    if not has_ended(job):
        response.headers["Retry-After"] = _POLL_SECONDS
