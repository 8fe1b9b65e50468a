"""Tells every api process that what it knows of a user's tokens may not hold any more."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol, Self
from uuid import UUID

from loguru import logger
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from common.redis import RedisKeys

_FIRST_BACKOFF, _LAST_BACKOFF = 0.1, 5.0
_PUBLISH_LIMIT = 0.25
_SILENCE = 30.0


class RevocationListener(Protocol):
    """Whoever remembers something about users."""

    def forget(self, user_id: UUID) -> None:
        """What is known of the user may not hold any more."""
        ...

    def clear(self) -> None:
        """The same for all users: changes may have been missed."""
        ...


class Revocations:
    """`async with revocations:` listens. While Redis is away, the cache's short lifetime bounds what others miss."""

    def __init__(self, redis: Redis, listener: Redis, keys: RedisKeys, listeners: Sequence[RevocationListener]) -> None:
        self._redis = redis
        self._listener = listener
        self._channel = keys.access_channel
        self._listeners = listeners
        self._task: asyncio.Task[None] | None = None

    async def announce(self, user_id: UUID) -> None:
        """Call after the commit of whatever changed a user's role, activity, password, sessions or keys.

        From then on this process looks every token of the user up again, and the others a moment later.
        """
        self._forget(user_id)
        with suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(_PUBLISH_LIMIT):
                await self._redis.publish(self._channel, str(user_id))

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="revocations")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        backoff = _FIRST_BACKOFF
        while True:
            try:
                async with self._listener.pubsub() as pubsub:
                    await pubsub.subscribe(self._channel)
                    await self._listen(pubsub)
            except Exception as error:
                logger.debug("Revocations are not heard, trying again", error=type(error).__name__)
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, _LAST_BACKOFF)

    async def _listen(self, pubsub: PubSub) -> None:
        while True:
            message = await pubsub.get_message(timeout=_SILENCE)
            if message is not None:
                self._handle(message)

    def _handle(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe":
            for listener in self._listeners:
                listener.clear()  # what was said before is lost to this process
        elif message["type"] == "message":
            with suppress(ValueError):
                self._forget(UUID(message["data"].decode("ascii")))

    def _forget(self, user_id: UUID) -> None:
        for listener in self._listeners:
            listener.forget(user_id)
