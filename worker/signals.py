"""What other processes tell a worker through Redis: "look now" and "cancel this". Losing a message only costs time."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from arq.connections import ArqRedis
from loguru import logger
from redis import RedisError

from common.canary import Canary
from common.redis import RedisKeys

_MAX_BACKOFF = 2.0
_LOOK_EVERY = 1.0


class SignalListener:
    """One pub/sub connection per worker that comes back by itself after every outage.

    `listener` names this process among all that listen.
    """

    def __init__(
        self,
        redis: ArqRedis,
        keys: RedisKeys,
        queues: Sequence[str],
        voice: ArqRedis,
        listener: str,
        *,
        on_wake: Callable[[], None],
        on_cancel: Callable[[UUID], None],
    ) -> None:
        self._redis = redis
        self._keys = keys
        self.canary = Canary(voice, keys.canary_channel(listener))
        self._wake_channels = [keys.listener_channel(listener), *(keys.wake_channel(queue) for queue in queues)]
        self._on_wake = on_wake
        self._on_cancel = on_cancel
        self.connections = 0

    async def run(self, worker_id: Callable[[], UUID]) -> None:
        """Listen until cancelled. `worker_id` is asked again and again: a lost lease changes it."""
        backoff = 0.1
        while True:
            try:
                await self._listen(worker_id)
                backoff = 0.1
            except (RedisError, OSError) as error:
                logger.debug("Redis is away; polling goes on: {}", type(error).__name__)
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, _MAX_BACKOFF)

    async def _listen(self, worker_id: Callable[[], UUID]) -> None:
        """Until the worker has another id, or nothing is heard."""
        current = worker_id()
        control = self._keys.control_channel(current)
        async with self._redis.pubsub() as pubsub:
            self.canary.listening()
            self.connections += 1
            await pubsub.subscribe(self.canary.channel, control, *self._wake_channels)
            while current == worker_id():
                message = await pubsub.get_message(timeout=_LOOK_EVERY)
                if message is not None:
                    self._handle(message, control)
                elif self.canary.is_silent:
                    logger.warning("Redis says nothing; subscribing again")
                    return

    def _handle(self, message: dict[str, Any], control: str) -> None:
        if message["type"] == "subscribe":
            self._on_wake()  # also after a reconnect that the client made by itself: what was said meanwhile is lost
        elif message["type"] != "message":
            return
        elif message["channel"] == self.canary.channel:
            self.canary.heard()
        elif message["channel"] == control.encode():
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
