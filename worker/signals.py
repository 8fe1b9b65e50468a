"""What other processes tell a worker through Redis: "look now" and "cancel this". Losing a message only costs time."""

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from arq.connections import ArqRedis
from loguru import logger
from redis import RedisError

from common.redis import RedisKeys

_MAX_BACKOFF = 2.0


class SignalListener:
    """One pub/sub connection per worker that comes back by itself after every outage."""

    def __init__(
        self,
        redis: ArqRedis,
        keys: RedisKeys,
        queues: Sequence[str],
        *,
        on_wake: Callable[[], None],
        on_cancel: Callable[[UUID], None],
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._wake_channels = [keys.wake_channel(queue) for queue in queues]
        self._on_wake = on_wake
        self._on_cancel = on_cancel

    async def run(self, worker_id: Callable[[], UUID]) -> None:
        """Listen until cancelled. `worker_id` is asked again on every connection."""
        backoff = 0.1
        while True:
            try:
                await self._listen(worker_id())
                backoff = 0.1
            except (RedisError, OSError) as error:
                logger.debug("Redis is away; polling goes on: {}", type(error).__name__)
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, _MAX_BACKOFF)

    async def _listen(self, worker_id: UUID) -> None:
        control = self._keys.control_channel(worker_id)
        async with self._redis.pubsub() as pubsub:
            await pubsub.subscribe(control, *self._wake_channels)
            self._on_wake()
            async for message in pubsub.listen():
                if message["type"] != "message":
                    continue
                if message["channel"] == control.encode():
                    self._cancel(message["data"])
                else:
                    self._on_wake()

    def _cancel(self, data: bytes) -> None:
        try:
            job_id = UUID(data.decode())
        except ValueError:
            logger.warning("A control message was not a job id")
            return
        self._on_cancel(job_id)
