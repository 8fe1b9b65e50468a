"""python-socketio's bus between processes, carried by our own connection so that it cannot die unnoticed."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from loguru import logger
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from redis import RedisError
from redis.asyncio import Redis

from api.event_bus import EventBus
from api.socketio_server import AsyncPubSubManager
from common.redis import RedisKeys


class _Message(BaseModel):
    """Fields of the bus format that its readers take for granted; the rest passes through."""

    model_config = ConfigDict(extra="allow", strict=True)

    namespace: str | None = None
    host_id: str | None = None


class _Emit(_Message):
    method: Literal["emit"]
    event: str
    data: list[Any]
    binary: bool = False
    room: str | list[str] | None = None
    skip_sid: str | list[str] | None = None
    callback: list[Any] | None = None


class _Callback(_Message):
    method: Literal["callback"]
    sid: str
    id: int
    args: list[Any]


class _Disconnect(_Message):
    method: Literal["disconnect"]
    sid: str


class _Room(_Message):
    method: Literal["enter_room", "leave_room"]
    sid: str
    room: str


class _CloseRoom(_Message):
    method: Literal["close_room"]
    room: str


_MESSAGE: TypeAdapter[_Message] = TypeAdapter(
    Annotated[_Emit | _Callback | _Disconnect | _Room | _CloseRoom, Field(discriminator="method")]
)


class BusClientManager(AsyncPubSubManager):  # type: ignore[misc]
    """Shares clients between api processes; understands stock write-only managers of other processes.

    Messages that do not have the bus format are dropped and counted by the bus.
    """

    name = "letuin"

    def __init__(self, bus: EventBus, redis: Redis, keys: RedisKeys) -> None:
        super().__init__(channel=keys.socketio_channel)
        self._bus = bus
        self._redis = redis
        self.thread: Any = None

    async def close(self) -> None:
        """End the reading task."""
        if self.thread is not None:
            self.thread.cancel()
            await self.thread

    async def _publish(self, data: dict[str, Any]) -> None:
        try:
            await self._redis.publish(self.channel, self.json.dumps(data))
        except (RedisError, OSError) as error:
            logger.warning("Other api processes were not told: {}", type(error).__name__)

    async def _listen(self) -> AsyncIterator[dict[str, Any]]:
        while True:
            raw = await self._bus.next_foreign()
            try:
                message = _MESSAGE.validate_json(raw).model_dump()
            except ValueError:
                self._bus.drop("a message on the Socket.IO channel that has not its format")
            else:
                yield message
