"""What the api process builds beyond the common parts."""

from api.access_cache import AccessCache
from api.admission import Admission
from api.audit import AuditLog
from api.authenticator import Authenticator
from api.denials import Denials
from api.event_bus import EventBus
from api.event_streams import EventStreams
from api.health import HealthService
from api.job_history import JobHistory
from api.job_tokens import JobTokens
from api.key_ring import KeyRing
from api.knowledge_container import KnowledgeContainer
from api.lane_watch import LaneWatch
from api.metrics import ApiMetrics
from api.offboarding import Offboarding
from api.password_hasher import PasswordHasher
from api.rate_limit import create_limiter
from api.realtime import Realtime
from api.realtime_submit import Submitter
from api.request_log import create_writer
from api.revocations import Revocations
from api.security import AccessTokens, TokenSigner
from api.siblings import Place, create_siblings
from api.tenant_updates import TenantUpdates
from api.v1.api_key.service import ApiKeyService
from api.v1.audit.service import AuditService
from api.v1.auth.assembly import create_accounts
from api.v1.batch.service import BatchService
from api.v1.budget.service import BudgetService
from api.v1.collection.search_service import SearchService
from api.v1.job.service import JobService
from api.v1.job.waiting_service import WaitingService
from api.v1.job_token.service import JobTokenService
from api.v1.llm_call.service import LlmCallService
from api.v1.log.service import LogService
from api.v1.mail.service import MailService
from api.v1.ops.service import OpsService
from api.v1.schedule.check import ScheduleCheck
from api.v1.schedule.run_now import ManualRuns
from api.v1.schedule.service import ScheduleService
from api.v1.tenant.service import TenantService
from api.v1.usage.service import UsageService
from api.v1.user.service import UserService
from api.v1.webhook.service import WebhookService
from api.waiter import JobWaiter
from common.container import CommonContainer
from common.injection import providers
from common.loop_lag import LoopLag
from common.repository.api_key import ApiKeyRepository
from common.repository.audit import AuditRepository
from common.repository.budget import BudgetRepository
from common.repository.fleet import FleetRepository
from common.repository.mail import MailRepository
from common.repository.member import MemberRepository
from common.repository.queue import QueueRepository
from common.repository.tenant import TenantRepository
from common.repository.usage import UsageRepository
from common.repository.user import UserRepository
from common.repository.waiting import WaitingRepository
from common.repository.worker import WorkerRepository
from common.request_log import open_request_logs
from common.user_log import UserLog


class ApiContainer(KnowledgeContainer):
    """`settings` must be `ApiSettings`; `place` is a `Place` where several processes share one port."""

    place: providers.Object[Place | None] = providers.Object(None)
    api_metrics = providers.Singleton(ApiMetrics, CommonContainer.metrics)
    loop_lag = providers.Singleton(LoopLag)
    siblings = providers.Singleton(create_siblings, CommonContainer.metrics, CommonContainer.sessions, place)
    users = providers.Singleton(UserRepository)
    key_ring = providers.Singleton(KeyRing, CommonContainer.settings, KnowledgeContainer.secret)
    signer = providers.Singleton(TokenSigner, CommonContainer.settings, key_ring)
    tokens = providers.Singleton(AccessTokens, CommonContainer.settings, signer)
    passwords = providers.Singleton(PasswordHasher)
    audit_events = providers.Singleton(AuditRepository)
    audit = providers.Singleton(AuditLog, CommonContainer.settings, CommonContainer.sessions, audit_events)
    denials = providers.Singleton(Denials, audit)
    api_keys = providers.Singleton(ApiKeyRepository)
    job_tokens = providers.Singleton(JobTokens, signer)
    access_cache = providers.Singleton(AccessCache, CommonContainer.settings.provided.access_cache_lifetime)
    event_bus = providers.Singleton(
        EventBus, CommonContainer.listener_redis, CommonContainer.keys, CommonContainer.redis
    )
    tenant_updates = providers.Singleton(TenantUpdates, event_bus, CommonContainer.sessions, users)
    revocations = providers.Singleton(
        Revocations,
        CommonContainer.redis,
        CommonContainer.listener_redis,
        CommonContainer.keys,
        providers.List(access_cache, tenant_updates),
    )
    authenticator = providers.Singleton(
        Authenticator,
        CommonContainer.settings,
        tokens,
        job_tokens,
        CommonContainer.sessions,
        users,
        api_keys,
        access_cache,
    )
    user_rate_limiter = providers.Singleton(
        create_limiter, "user", CommonContainer.settings, CommonContainer.redis, CommonContainer.keys
    )
    address_rate_limiter = providers.Singleton(
        create_limiter, "address", CommonContainer.settings, CommonContainer.redis, CommonContainer.keys
    )
    waiter = providers.Singleton(JobWaiter, event_bus)
    history = providers.Singleton(
        JobHistory, CommonContainer.events, CommonContainer.sessions, CommonContainer.jobs, api_metrics
    )
    admission = providers.Singleton(
        Admission,
        max_user=CommonContainer.settings.provided.max_user_clients,
        max_address=CommonContainer.settings.provided.max_address_clients,
        handshake_rate=CommonContainer.settings.provided.max_address_handshakes,
    )
    realtime = providers.Singleton(
        Realtime,
        CommonContainer.settings,
        event_bus,
        CommonContainer.redis,
        CommonContainer.keys,
        authenticator,
        history,
        CommonContainer.queue,
        providers.Singleton(
            Submitter,
            CommonContainer.settings,
            CommonContainer.catalog,
            CommonContainer.queue,
            KnowledgeContainer.references,
        ),
        tenant_updates,
        admission,
        denials,
        CommonContainer.sessions,
    )
    user_log = providers.Singleton(UserLog, CommonContainer.redis, CommonContainer.keys, CommonContainer.settings)
    event_streams = providers.Singleton(
        *(EventStreams, CommonContainer.settings, event_bus, history, waiter, admission, user_log),
        CommonContainer.sessions,
    )

    request_logs = providers.Singleton(
        open_request_logs, CommonContainer.settings, CommonContainer.settings.provided.request_log_retention
    )
    request_log_writer = providers.Singleton(create_writer, CommonContainer.settings, request_logs)

    health_service = providers.Singleton(
        HealthService, CommonContainer.settings, CommonContainer.engine, CommonContainer.redis, event_bus, request_logs
    )
    accounts = providers.Singleton(
        create_accounts,
        CommonContainer.settings,
        CommonContainer.sessions,
        users,
        passwords,
        key_ring,
        tokens,
        CommonContainer.queue,
        revocations,
        audit,
        CommonContainer.vault,
    )
    members = providers.Singleton(MemberRepository)
    offboarding = providers.Singleton(
        Offboarding,
        CommonContainer.settings,
        CommonContainer.sessions,
        CommonContainer.schedules,
        CommonContainer.bulk,
        KnowledgeContainer.erasure,
    )
    user_service = providers.Singleton(
        UserService, CommonContainer.sessions, members, KnowledgeContainer.cursors, revocations, offboarding
    )
    api_key_service = providers.Singleton(
        ApiKeyService,
        CommonContainer.settings,
        CommonContainer.sessions,
        api_keys,
        members,
        KnowledgeContainer.cursors,
        revocations,
    )
    job_token_service = providers.Singleton(
        JobTokenService, CommonContainer.sessions, CommonContainer.jobs, users, job_tokens
    )
    tenant_service = providers.Singleton(
        TenantService,
        CommonContainer.sessions,
        providers.Singleton(TenantRepository),
        members,
        users,
        api_keys,
        user_service,
        KnowledgeContainer.cursors,
        revocations,
        offboarding,
    )
    audit_service = providers.Singleton(
        AuditService, CommonContainer.sessions, audit_events, KnowledgeContainer.cursors
    )
    mail_service = providers.Singleton(
        MailService,
        CommonContainer.sessions,
        providers.Singleton(MailRepository),
        CommonContainer.jobs,
        CommonContainer.announcer,
        KnowledgeContainer.cursors,
    )
    schedule_service = providers.Singleton(
        ScheduleService,
        CommonContainer.sessions,
        CommonContainer.schedules,
        CommonContainer.firings,
        providers.Singleton(
            *(ScheduleCheck, CommonContainer.settings, CommonContainer.catalog, CommonContainer.firings),
            KnowledgeContainer.references,
        ),
        CommonContainer.announcer,
        KnowledgeContainer.cursors,
        CommonContainer.settings,
    )
    manual_runs = providers.Singleton(
        *(ManualRuns, CommonContainer.sessions, CommonContainer.schedules, CommonContainer.firings),
        *(CommonContainer.jobs, CommonContainer.announcer),
    )
    webhook_service = providers.Singleton(
        *(WebhookService, CommonContainer.settings, CommonContainer.sessions, CommonContainer.webhooks),
        KnowledgeContainer.cursors,
        CommonContainer.vault,
    )
    fleet = providers.Singleton(FleetRepository)
    waits = providers.Singleton(WaitingRepository)
    log_service = providers.Singleton(LogService, request_logs, KnowledgeContainer.cursors)
    llm_call_service = providers.Singleton(LlmCallService, CommonContainer.settings, KnowledgeContainer.cursors)
    usage_service = providers.Singleton(UsageService, CommonContainer.sessions, providers.Singleton(UsageRepository))
    budget_service = providers.Singleton(BudgetService, CommonContainer.sessions, providers.Singleton(BudgetRepository))
    ops_service = providers.Singleton(
        OpsService,
        CommonContainer.sessions,
        fleet,
        providers.Singleton(QueueRepository),
        providers.Singleton(WorkerRepository),
        waits,
        CommonContainer.catalog,
    )
    batch_service = providers.Singleton(
        BatchService,
        CommonContainer.sessions,
        CommonContainer.batches,
        CommonContainer.queue,
        CommonContainer.bulk,
        CommonContainer.catalog,
        KnowledgeContainer.references,
    )
    job_service = providers.Singleton(
        JobService,
        CommonContainer.sessions,
        CommonContainer.direct,
        CommonContainer.jobs,
        CommonContainer.queue,
        CommonContainer.bulk,
        CommonContainer.catalog,
        waiter,
        KnowledgeContainer.cursors,
        providers.Singleton(LaneWatch, CommonContainer.direct, fleet),
        KnowledgeContainer.references,
    )
    waiting_service = providers.Singleton(
        WaitingService, CommonContainer.sessions, CommonContainer.jobs, fleet, waits, CommonContainer.catalog
    )
    search_service = providers.Singleton(
        SearchService, CommonContainer.sessions, KnowledgeContainer.collections, CommonContainer.queue, job_service
    )
