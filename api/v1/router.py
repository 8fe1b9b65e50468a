"""Version 1 of the HTTP interface: one line a feature."""

from typing import Any

from fastapi import APIRouter, FastAPI

from api.problem import Problem
from api.v1.api_key.router import router as api_key_router
from api.v1.audit.router import router as audit_router
from api.v1.auth.router import router as auth_router
from api.v1.batch.router import create_router as create_batch_router
from api.v1.event.router import router as event_router
from api.v1.job.bulk_router import router as job_bulk_router
from api.v1.job.router import create_router as create_job_router
from api.v1.job.submit import add_submit
from api.v1.job_token.router import router as job_token_router
from api.v1.log.router import router as log_router
from api.v1.mail.router import router as mail_router
from api.v1.ops.router import router as ops_router
from api.v1.schedule.router import router as schedule_router
from api.v1.tenant.router import router as tenant_router
from api.v1.user.router import router as user_router
from api.v1.webhook.router import router as webhook_router
from common.queue.catalog import Catalog

_PROBLEM: dict[str, Any] = {"model": Problem, "content": {"application/problem+json": {}}}
_ERRORS: dict[int | str, dict[str, Any]] = {"4XX": _PROBLEM, "5XX": _PROBLEM, 422: _PROBLEM}


def add_routes(app: FastAPI, catalog: Catalog) -> None:
    """Everything under /api/v1."""
    add_submit(app, catalog, _ERRORS)
    app.include_router(_create_router(catalog))


def _create_router(catalog: Catalog) -> APIRouter:
    router = APIRouter(prefix="/api/v1", responses=_ERRORS)
    router.include_router(auth_router)
    router.include_router(user_router)
    router.include_router(tenant_router)
    router.include_router(job_token_router)
    router.include_router(api_key_router)
    router.include_router(job_bulk_router)
    router.include_router(create_job_router())
    router.include_router(create_batch_router(catalog))
    router.include_router(event_router)
    router.include_router(webhook_router)
    router.include_router(log_router)
    router.include_router(mail_router)
    router.include_router(schedule_router)
    router.include_router(ops_router)
    router.include_router(audit_router)
    return router
