"""Version 1 of the HTTP interface: one line a feature."""

from starlette.routing import BaseRoute

from api.v1.api_key.router import router as api_key_router
from api.v1.audit.router import router as audit_router
from api.v1.auth.address_router import router as address_router
from api.v1.auth.password_router import router as password_router
from api.v1.auth.registration_router import router as registration_router
from api.v1.auth.router import router as auth_router
from api.v1.batch.router import create_router as create_batch_router
from api.v1.budget.router import router as budget_router
from api.v1.collection.document_router import router as document_router
from api.v1.collection.router import router as collection_router
from api.v1.event.router import router as event_router
from api.v1.job.bulk_router import router as job_bulk_router
from api.v1.job.router import create_router as create_job_router
from api.v1.job.submit import create_router as create_submit_router
from api.v1.job.waiting_router import router as job_waiting_router
from api.v1.job_token.router import router as job_token_router
from api.v1.llm_call.router import router as llm_call_router
from api.v1.log.router import router as log_router
from api.v1.mail.router import router as mail_router
from api.v1.ops.router import router as ops_router
from api.v1.schedule.router import router as schedule_router
from api.v1.tenant.router import router as tenant_router
from api.v1.thread.router import router as thread_router
from api.v1.usage.router import router as usage_router
from api.v1.user.router import router as user_router
from api.v1.webhook.router import router as webhook_router
from common.queue.catalog import Catalog


def create_routes(catalog: Catalog) -> list[BaseRoute]:
    """Everything under /api/v1. A request tries them in this order, so what is called most comes first."""
    return [
        *create_submit_router(catalog).routes,
        *job_bulk_router.routes,
        *create_job_router().routes,
        *job_waiting_router.routes,
        *job_token_router.routes,
        *create_batch_router(catalog).routes,
        *event_router.routes,
        *registration_router.routes,
        *password_router.routes,
        *address_router.routes,
        *auth_router.routes,
        *user_router.routes,
        *tenant_router.routes,
        *api_key_router.routes,
        *thread_router.routes,
        *webhook_router.routes,
        *log_router.routes,
        *llm_call_router.routes,
        *mail_router.routes,
        *schedule_router.routes,
        *collection_router.routes,
        *document_router.routes,
        *ops_router.routes,
        *usage_router.routes,
        *budget_router.routes,
        *audit_router.routes,
    ]
