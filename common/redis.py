"""Redis: how clients are made, and the name of every key and channel."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Any, Self
from uuid import UUID

from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError

from common.config import CommonSettings


def create_redis(settings: CommonSettings, *, blocking: bool = False) -> ArqRedis:
    """A client for REDIS_URL; it connects at the first command.

    Commands give up after `redis_timeout`. `blocking=True` makes the client for pub/sub listeners, whose reads
    may wait for ever; the connection is then checked every 5 s instead.
    """
    url = settings.redis_url.get_secret_value()
    # The library would take any certificate that some authority signed for anybody; the URL may say otherwise.
    tls = {"ssl_check_hostname": True} if url.startswith("rediss://") else {}
    pool: ConnectionPool = ConnectionPool.from_url(
        url,
        **tls,
        socket_connect_timeout=settings.redis_connect_timeout.total_seconds(),
        socket_timeout=None if blocking else settings.redis_timeout.total_seconds(),
        health_check_interval=5 if blocking else 0,
        retry=Retry(NoBackoff(), 1),
        max_connections=200,
    )
    client = ArqRedis(pool)
    client.auto_close_connection_pool = True  # the pool is this client's alone
    return client


class Script:
    """A Lua script and the digest that Redis knows it by."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = sha1(source.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class ScriptCall:
    """One call of a Lua script, not sent yet."""

    script: Script
    keys: Sequence[str]
    args: Sequence[str | bytes | int | float]


async def run_scripts(redis: ArqRedis, *calls: ScriptCall) -> list[Any]:
    """Run scripts in order in one round trip, and their answers. A Redis that forgot a script is taught it again."""
    try:
        return await _pipeline(redis, calls).execute()
    except NoScriptError:
        for script in {call.script.source for call in calls}:
            await redis.script_load(script)
        return await _pipeline(redis, calls).execute()


def _pipeline(redis: ArqRedis, calls: Sequence[ScriptCall]) -> Pipeline:
    pipe = redis.pipeline(transaction=False)
    for call in calls:
        pipe.evalsha(call.script.sha, len(call.keys), *call.keys, *call.args)  # type: ignore[arg-type]  # bytes, numbers too
    return pipe


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
        """arq's sorted set of the hints that are due; scores order them."""
        return f"arq:queue:{name}"

    def later(self, queue: str) -> str:
        """Sorted set of hints that come (back) at a time: delayed ones and those a worker took; Unix milliseconds."""
        return f"{self.prefix}:queue:{queue}:later"

    def queue_keys(self, name: str) -> tuple[str, str, str, str]:
        """All keys of a queue: due hints, later ones, each owner's last start tag, the tag served last."""
        base = f"{self.prefix}:queue:{name}"
        return self.queue(name), self.later(name), f"{base}:lanes", f"{base}:clock"

    def idle(self, queue: str) -> str:
        """Sorted set of the channels of workers that found nothing to take; when they did, Unix milliseconds."""
        return f"{self.prefix}:queue:{queue}:idle"

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

    def user_events(self, user_id: UUID | str) -> str:
        """Stream of the lifecycles of one user's jobs, while somebody listens to it."""
        return f"{self.prefix}:user:{user_id}:events"

    def lock(self, name: str) -> str:
        """Value key of a distributed lock."""
        return f"{self.prefix}:lock:{name}"

    def flow(self, scope: str, part: str) -> str:
        """What is counted of a scope of calls to models: `window`, `slots`, `line`, `tags` or `cooldown`."""
        return f"{self.prefix}:flow:{scope}:{part}"

    def llm_answer(self, tenant_id: UUID, model: str, input_hash: str) -> str:
        """A cached answer of a model, for one tenant."""
        return f"{self.prefix}:llm-answer:{tenant_id}:{model}:{input_hash}"

    @property
    def event_channel(self) -> str:
        """Every event, in batches, for the api processes."""
        return f"{self.prefix}:{self.database}:events"

    @property
    def socketio_channel(self) -> str:
        """Bus of python-socketio's own managers."""
        return f"{self.prefix}:{self.database}:socketio"

    @property
    def access_channel(self) -> str:
        """Ids of users whose tokens every api process must look up again."""
        return f"{self.prefix}:{self.database}:access"

    def wake_channel(self, queue: str) -> str:
        """Tells every worker of a queue to look now."""
        return f"{self.prefix}:{self.database}:wake:{queue}"

    def listener_channel(self, listener: str) -> str:
        """Tells one worker to look now."""
        return f"{self.prefix}:{self.database}:listener:{listener}"

    def control_channel(self, worker_id: UUID | str) -> str:
        """Cancel hints for one worker."""
        return f"{self.prefix}:{self.database}:control:{worker_id}"

    def canary_channel(self, listener: str) -> str:
        """What a listener sends itself, to know that it hears."""
        return f"{self.prefix}:{self.database}:canary:{listener}"
