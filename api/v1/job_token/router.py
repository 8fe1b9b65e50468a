"""/jobs/{id}/token: a token that a browser may hold, for this job only."""

from datetime import UTC, datetime, timedelta

from fastapi import Response, status

from api.audit_trail import AuditTrailDep
from api.dependencies import CallerDep, JobTokenServiceDep
from api.feature import feature_router
from api.v1.job.dependencies import JobIdDep
from api.v1.job_token.schema import JobTokenCreate, JobTokenRead

router = feature_router("/jobs", tag="jobs")


@router.post("/{job_id}/token", status_code=status.HTTP_201_CREATED)
async def create_job_token(
    job_id: JobIdDep,
    body: JobTokenCreate,
    caller: CallerDep,
    service: JobTokenServiceDep,
    trail: AuditTrailDep,
    response: Response,
) -> JobTokenRead:
    """A short-lived token to read or cancel this one job. It ends early with your session or the key you used."""
    lifetime = timedelta(seconds=body.expires_in)
    token = await service.create(caller, job_id, body.actions, lifetime)
    trail.note("job_token.create", f"job:{job_id}", actions=sorted(body.actions), expires_in=body.expires_in)
    response.headers["Cache-Control"] = "no-store"
    expires_at = datetime.now(UTC) + lifetime
    return JobTokenRead(token=token, job_id=job_id, actions=sorted(body.actions), expires_at=expires_at)
