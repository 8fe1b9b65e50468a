"""What every process builds: settings in, clients and services out. Nothing connects here; lifespan does."""

from common.config import CommonSettings
from common.database.direct import DirectPool
from common.database.session import create_engine, create_sessions
from common.events import EventLog
from common.injection import containers, providers
from common.lock import RedisLock
from common.metrics.job_metrics import JobMetrics
from common.metrics.registry import MetricRegistry
from common.queue.announcer import Announcer
from common.queue.bulk import BulkQueue
from common.queue.catalog import Catalog
from common.queue.client import JobQueue
from common.queue.depth import DepthGate
from common.queue.firings import FiringWriter
from common.queue.hints import HintQueue
from common.queue.placement import Placement
from common.queue.request_keys import RequestKeys
from common.queue.submission import Submission
from common.redis import RedisKeys, create_redis
from common.repository.batch import BatchRepository
from common.repository.bulk import BulkRepository
from common.repository.dependency import DependencyRepository
from common.repository.depth import DepthRepository
from common.repository.idempotency import IdempotencyRepository
from common.repository.job import JobRepository
from common.repository.notice import NoticeRepository
from common.repository.schedule import ScheduleRepository
from common.repository.unique import UniqueRepository
from common.repository.webhook import WebhookRepository
from common.storage.opening import open_storage
from common.tracing.tracer import open_tracer
from common.vault import Vault


class CommonContainer(containers.DeclarativeContainer):
    """Synchronous singletons only: an async `Resource` would turn everything that depends on it into a future."""

    settings = providers.Dependency(instance_of=CommonSettings)

    engine = providers.Singleton(create_engine, settings)
    sessions = providers.Singleton(create_sessions, engine)
    direct = providers.Singleton(DirectPool, settings)
    redis = providers.Singleton(create_redis, settings)
    listener_redis = providers.Singleton(create_redis, settings, blocking=True)
    keys = providers.Singleton(RedisKeys.of, settings)
    catalog = providers.Singleton(Catalog.load)
    metrics = providers.Singleton(MetricRegistry)
    job_metrics = providers.Singleton(JobMetrics, metrics)
    tracer = providers.Singleton(open_tracer, settings.provided.service)
    vault = providers.Singleton(Vault, settings)
    storage = providers.Singleton(open_storage, settings)

    jobs = providers.Singleton(JobRepository)
    events = providers.Singleton(EventLog, redis, keys, settings, job_metrics)
    hints = providers.Singleton(HintQueue, redis, keys)
    lock = providers.Singleton(RedisLock, redis, key=keys.provided.lock)
    batches = providers.Singleton(BatchRepository)
    job_dependencies = providers.Singleton(DependencyRepository)
    announcer = providers.Singleton(
        Announcer, hints, events, redis, keys, job_metrics, settings.provided.redis_announce_timeout
    )
    notices = providers.Singleton(NoticeRepository)
    webhooks = providers.Singleton(WebhookRepository)
    placement = providers.Singleton(
        Placement, jobs, providers.Singleton(UniqueRepository), job_dependencies, notices, webhooks
    )
    idempotency = providers.Singleton(IdempotencyRepository)
    request_keys = providers.Singleton(RequestKeys, idempotency, settings)
    submission = providers.Singleton(Submission, sessions, jobs, batches, idempotency, placement, settings)
    depth = providers.Singleton(DepthGate, sessions, providers.Singleton(DepthRepository), settings)
    queue = providers.Singleton(JobQueue, sessions, direct, jobs, submission, depth, announcer, settings, tracer)
    schedules = providers.Singleton(ScheduleRepository)
    firings = providers.Singleton(FiringWriter, catalog, queue, jobs, schedules, notices, tracer)
    bulk = providers.Singleton(BulkQueue, sessions, providers.Singleton(BulkRepository), announcer, settings)
