"""What every process builds: settings in, clients and services out. Nothing connects here; lifespan does."""

from dependency_injector import containers, providers

from common.config import CommonSettings
from common.database.session import create_engine, create_sessions
from common.events import EventLog
from common.lock import RedisLock
from common.queue.catalog import Catalog
from common.queue.client import JobQueue
from common.queue.hints import HintQueue
from common.redis import RedisKeys, create_redis
from common.repository.job import JobRepository


class CommonContainer(containers.DeclarativeContainer):
    """Synchronous singletons only: an async `Resource` would turn everything that depends on it into a future."""

    settings = providers.Dependency(instance_of=CommonSettings)

    engine = providers.Singleton(create_engine, settings)
    sessions = providers.Singleton(create_sessions, engine)
    redis = providers.Singleton(create_redis, settings)
    listener_redis = providers.Singleton(create_redis, settings, blocking=True)
    keys = providers.Singleton(RedisKeys.of, settings)
    catalog = providers.Singleton(Catalog.load)

    jobs = providers.Singleton(JobRepository)
    events = providers.Singleton(EventLog, redis, keys, settings)
    hints = providers.Singleton(HintQueue, redis, keys)
    lock = providers.Singleton(RedisLock, redis, key=keys.provided.lock)
    queue = providers.Singleton(
        JobQueue,
        sessions,
        jobs,
        hints,
        events,
        redis,
        keys,
        max_payload_bytes=settings.provided.max_payload_bytes,
        max_running_per_owner=settings.provided.max_running_per_owner,
    )
