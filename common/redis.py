"""Redis: how clients are made, and the name of every key and channel."""

from dataclasses import dataclass
from typing import Self
from uuid import UUID

from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from common.config import CommonSettings


def create_redis(settings: CommonSettings, *, blocking: bool = False) -> ArqRedis:
    """A client for REDIS_URL; it connects at the first command.

    Commands give up after `redis_timeout`. `blocking=True` makes the client for pub/sub listeners, whose reads
    may wait for ever; the connection is then checked every 5 s instead.
    """
    pool: ConnectionPool = ConnectionPool.from_url(
        settings.redis_url.get_secret_value(),
        socket_connect_timeout=settings.redis_connect_timeout.total_seconds(),
        socket_timeout=None if blocking else settings.redis_timeout.total_seconds(),
        health_check_interval=5 if blocking else 0,
        retry=Retry(NoBackoff(), 1),
        max_connections=200,
    )
    client = ArqRedis(pool)
    client.auto_close_connection_pool = True  # the pool is this client's alone
    return client


@dataclass(frozen=True, slots=True)
class RedisKeys:
    """Names of keys and channels. Channels carry the database number, because pub/sub itself ignores it."""

    database: int = 0
    prefix: str = "letuin"

    @classmethod
    def of(cls, settings: CommonSettings) -> Self:
        """The names for the database that REDIS_URL points at."""
        _, _, path = settings.redis_url.get_secret_value().partition("://")[2].partition("/")
        number = path.partition("?")[0]
        return cls(int(number) if number.isdigit() else 0)

    def queue(self, name: str) -> str:
        """arq's sorted set of hints; scores are Unix milliseconds."""
        return f"arq:queue:{name}"

    def hint(self, job_id: str) -> str:
        """arq's job key: the JSON body of a hint."""
        return f"arq:job:{job_id}"

    @property
    def quarantine(self) -> str:
        """List of entries that are not ours, newest first, bounded."""
        return f"{self.prefix}:quarantine"

    @property
    def broker_epoch(self) -> str:
        """A random value; when it is gone, Redis lost its memory."""
        return f"{self.prefix}:broker-epoch"

    def events(self, job_id: UUID | str) -> str:
        """Stream of one job's numbered events."""
        return f"{self.prefix}:job:{job_id}:events"

    def lock(self, name: str) -> str:
        """Value key of a distributed lock."""
        return f"{self.prefix}:lock:{name}"

    @property
    def event_channel(self) -> str:
        """Every event, in batches, for the api processes."""
        return f"{self.prefix}:{self.database}:events"

    @property
    def socketio_channel(self) -> str:
        """Bus of python-socketio's own managers."""
        return f"{self.prefix}:{self.database}:socketio"

    def wake_channel(self, queue: str) -> str:
        """Tells idle workers of a queue to look now."""
        return f"{self.prefix}:{self.database}:wake:{queue}"

    def control_channel(self, worker_id: UUID | str) -> str:
        """Cancel hints for one worker."""
        return f"{self.prefix}:{self.database}:control:{worker_id}"
