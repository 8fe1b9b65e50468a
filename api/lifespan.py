"""Opens what the container built, hands it to the routes, and closes it in reverse order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, TypedDict

from loguru import logger

from api.audit import AuditLog
from api.authenticator import Authenticator
from api.config import ApiSettings
from api.container import ApiContainer
from api.denials import Denials
from api.event_streams import EventStreams
from api.exception_handlers import is_database_away
from api.health import HealthService
from api.metrics import show_process
from api.security import AccessTokens
from api.siblings import Siblings
from api.v1.api_key.service import ApiKeyService
from api.v1.audit.service import AuditService
from api.v1.auth.assembly import AccountServices
from api.v1.batch.service import BatchService
from api.v1.budget.service import BudgetService
from api.v1.collection.document_service import DocumentService
from api.v1.collection.search_service import SearchService
from api.v1.collection.service import CollectionService
from api.v1.job.service import JobService
from api.v1.job.waiting_service import WaitingService
from api.v1.job_token.service import JobTokenService
from api.v1.llm_call.service import LlmCallService
from api.v1.log.service import LogService
from api.v1.mail.service import MailService
from api.v1.ops.service import OpsService
from api.v1.schedule.run_now import ManualRuns
from api.v1.schedule.service import ScheduleService
from api.v1.tenant.service import TenantService
from api.v1.thread.service import ThreadService
from api.v1.thread.turns import TurnService
from api.v1.usage.service import UsageService
from api.v1.user.service import UserService
from api.v1.webhook.service import WebhookService
from common.queue.catalog import Catalog
from common.repository.user import LOCAL_USER, SERVICE_USER

if TYPE_CHECKING:
    from fastapi import FastAPI

_HEAD_START = 1.0
_FIRST_BACKOFF = 0.2
_LAST_BACKOFF = 10.0


class ApiState(TypedDict):
    """What `request.state` holds; `dependencies.py` is its only reader."""

    settings: ApiSettings
    authenticator: Authenticator
    tokens: AccessTokens
    health: HealthService
    siblings: Siblings
    catalog: Catalog
    accounts: AccountServices
    users: UserService
    jobs: JobService
    waiting: WaitingService
    batches: BatchService
    logs: LogService
    llm_calls: LlmCallService
    event_streams: EventStreams
    webhooks: WebhookService
    mails: MailService
    schedules: ScheduleService
    manual_runs: ManualRuns
    ops: OpsService
    usage: UsageService
    budgets: BudgetService
    threads: ThreadService
    turns: TurnService
    audit: AuditLog
    denials: Denials
    audit_events: AuditService
    api_keys: ApiKeyService
    tenants: TenantService
    job_tokens: JobTokenService
    collections: CollectionService
    documents: DocumentService
    searches: SearchService


type Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[ApiState]]


def create_lifespan(container: ApiContainer, settings: ApiSettings) -> Lifespan:
    """The lifespan of an app. A store that is away does not stop the start; /ready tells."""

    @asynccontextmanager
    async def lifespan(_app: "FastAPI") -> AsyncIterator[ApiState]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(_close_tracer, container)
            stack.push_async_callback(container.engine().dispose)
            stack.push_async_callback(container.direct().close)
            stack.push_async_callback(container.redis().aclose)
            stack.push_async_callback(container.listener_redis().aclose)
            await stack.enter_async_context(_request_log(container))
            stack.push_async_callback(container.llm_call_service().close)
            await stack.enter_async_context(container.audit())
            await stack.enter_async_context(container.revocations())
            await stack.enter_async_context(container.offboarding())
            container.event_bus().add_listener(container.api_metrics())
            await stack.enter_async_context(container.event_bus())
            await stack.enter_async_context(container.realtime())
            await stack.enter_async_context(container.event_streams())
            await stack.enter_async_context(_in_background(_make_builtin_users(container, settings)))
            await stack.enter_async_context(_watched(container))
            await stack.enter_async_context(container.siblings())
            stack.callback(container.waiter().stop)
            yield ApiState(
                settings=settings,
                authenticator=container.authenticator(),
                tokens=container.tokens(),
                health=container.health_service(),
                siblings=container.siblings(),
                catalog=container.catalog(),
                accounts=container.accounts(),
                users=container.user_service(),
                jobs=container.job_service(),
                waiting=container.waiting_service(),
                batches=container.batch_service(),
                logs=container.log_service(),
                llm_calls=container.llm_call_service(),
                event_streams=container.event_streams(),
                webhooks=container.webhook_service(),
                mails=container.mail_service(),
                schedules=container.schedule_service(),
                manual_runs=container.manual_runs(),
                ops=container.ops_service(),
                usage=container.usage_service(),
                budgets=container.budget_service(),
                threads=container.thread_service(),
                turns=container.turn_service(),
                audit=container.audit(),
                denials=container.denials(),
                audit_events=container.audit_service(),
                api_keys=container.api_key_service(),
                tenants=container.tenant_service(),
                job_tokens=container.job_token_service(),
                collections=container.collection_service(),
                documents=container.document_service(),
                searches=container.search_service(),
            )

    return lifespan


async def _close_tracer(container: ApiContainer) -> None:
    if (tracer := container.tracer()) is not None:
        await asyncio.to_thread(tracer.close)


@asynccontextmanager
async def _request_log(container: ApiContainer) -> AsyncIterator[None]:
    """Write the request log beside the block, when there is one."""
    logs, writer = container.request_logs(), container.request_log_writer()
    if logs is None or writer is None:
        yield
        return
    try:
        async with writer:
            yield
    finally:
        await logs.close()


@asynccontextmanager
async def _watched(container: ApiContainer) -> AsyncIterator[None]:
    """Measure the loop beside the block, and export what the parts of the process know of themselves."""
    lag = container.loop_lag()
    show_process(
        container.metrics(),
        bus=container.event_bus(),
        sockets=container.realtime(),
        lag=lag,
        writer=container.request_log_writer(),
    )
    task = asyncio.create_task(lag.run(), name="loop lag")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def _in_background(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run `work` beside the block, with a short head start, and end it with the block."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait([task], timeout=_HEAD_START)
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _make_builtin_users(container: ApiContainer, settings: ApiSettings) -> None:
    """Make the users that tokens without an account stand for, as soon as PostgreSQL has its tables."""
    builtin = [LOCAL_USER] if settings.environment.is_open else []
    builtin += [SERVICE_USER] if settings.access_token else []
    backoff = _FIRST_BACKOFF
    while True:
        try:
            async with container.sessions().begin() as db:
                await container.users().ensure_default_tenant(db)
                for user in builtin:
                    await container.users().ensure_builtin(db, user)
        except Exception as error:
            reason = "PostgreSQL is away" if is_database_away(error) else "PostgreSQL cannot be used yet"
            logger.warning(reason, error=type(error).__name__)
        else:
            return
        await asyncio.sleep(backoff)
        backoff = min(backoff * 2, _LAST_BACKOFF)
