"""Socket.IO: who may connect, what clients may ask, and the acknowledgements they get. Delivery is `relay.py`'s."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

from loguru import logger
from pydantic import BaseModel, ValidationError
from redis import RedisError
from redis.asyncio import Redis

from api.authenticator import Authenticator, Caller
from api.clients import Clients
from api.config import ApiSettings
from api.event_bus import EventBus
from api.exception_handlers import is_database_away
from api.job_history import JobHistory, Position
from api.realtime_schema import Handshake, JobRequest, SubscribeRequest, refusal
from api.relay import Relay
from api.socketio_bus import BusClientManager
from api.socketio_server import socketio
from api.user_updates import UserUpdates
from common.database.model import Job
from common.errors import AppError, ForbiddenError, NotFoundError, UnauthorizedError
from common.queue.client import JobQueue
from common.redis import RedisKeys

_MAX_MESSAGE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Client:
    """One connected client. The token is kept to notice that it was revoked or ran out."""

    caller: Caller
    token: str | None = field(repr=False)
    host: str | None


class Realtime:
    """The Socket.IO server of one api process.

    The lifespan enters the bus first: `async with bus, realtime:`; `main.py` wraps the HTTP application with
    `realtime.wrap(app)`. With several api processes behind one address only websocket works without sticky sessions.
    """

    def __init__(
        self,
        settings: ApiSettings,
        bus: EventBus,
        redis: Redis,
        keys: RedisKeys,
        authenticator: Authenticator,
        history: JobHistory,
        queue: JobQueue,
    ) -> None:
        self._settings = settings
        self._authenticator = authenticator
        self._history = history
        self._queue = queue
        self._manager = BusClientManager(bus, redis, keys)
        self.server = _create_server(settings, self._manager)
        self.clients = Clients(self.server, max_backlog=settings.max_client_backlog)
        self.relay = Relay(bus, history, self.clients)
        self.updates = UserUpdates(bus, self.clients)
        self._connected: dict[str, _Client] = {}
        self._recheck: asyncio.Task[None] | None = None
        self._stack = AsyncExitStack()
        self._register()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.relay)
        await self._stack.enter_async_context(self.updates)
        self._recheck = asyncio.create_task(self._recheck_tokens(), name="recheck-tokens")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._recheck is not None:
            self._recheck.cancel()
            await asyncio.wait([self._recheck])
        await self._stack.aclose()
        await self.server.shutdown()
        await self._manager.close()

    def wrap(self, app: Any) -> Any:
        """An ASGI application that serves `/socket.io/` itself and gives everything else to `app`."""
        return socketio.ASGIApp(self.server, app)

    def _register(self) -> None:
        self.server.on("connect", self._on_connect)
        self.server.on("disconnect", self._on_disconnect)
        self._answer("job:subscribe", SubscribeRequest, self._subscribe)
        self._answer("job:unsubscribe", JobRequest, self._unsubscribe)
        self._answer("job:cancel", JobRequest, self._cancel)
        self.server.on("*", _unknown_event)

    def _answer[M: BaseModel](
        self, event: str, model: type[M], action: Callable[[str, Caller, M], Awaitable[dict[str, Any]]]
    ) -> None:
        self.server.on(event, partial(self._handle, model, action))

    async def _on_connect(self, sid: str, environ: dict[str, Any], auth: object = None) -> None:
        host = environ.get("HTTP_HOST")
        try:
            token = Handshake.model_validate({} if auth is None else auth).token
            caller = await self._identify(token, host)
            if self.updates.count_clients(caller.user_id) >= self._settings.max_user_clients:
                raise socketio.exceptions.ConnectionRefusedError("too_many_clients")
        except (UnauthorizedError, ForbiddenError, ValidationError) as error:
            raise socketio.exceptions.ConnectionRefusedError("unauthorized") from error
        except socketio.exceptions.ConnectionRefusedError:
            raise
        except Exception as error:
            raise socketio.exceptions.ConnectionRefusedError(_refusal_of(error)["error"]["code"]) from error
        self._connected[sid] = _Client(caller, token, host)
        await self.updates.enter(sid, caller.user_id)

    async def _on_disconnect(self, sid: str, _reason: str) -> None:
        self.relay.forget(sid)
        if (client := self._connected.pop(sid, None)) is not None:
            self.updates.leave(client.caller.user_id)

    async def _identify(self, token: str | None, host: str | None) -> Caller:
        if token is None:
            return self._authenticator.identify_anonymous(host=host)
        return await self._authenticator.identify_token(token)

    async def _handle[M: BaseModel](
        self, model: type[M], action: Callable[[str, Caller, M], Awaitable[dict[str, Any]]], sid: str, *args: object
    ) -> dict[str, Any]:
        """Whatever the client sent, it gets an acknowledgement and nobody else notices."""
        try:
            request = model.model_validate(args[0] if args else None)
            return await action(sid, self._connected[sid].caller, request)
        except Exception as error:
            return _refusal_of(error)

    async def _subscribe(self, sid: str, caller: Caller, request: SubscribeRequest) -> dict[str, Any]:
        if self.relay.count_subscriptions(sid) >= self._settings.max_client_subscriptions:
            raise ForbiddenError(f"a client may follow {self._settings.max_client_subscriptions} jobs at once")
        job = await self._history.find(request.job_id, caller.owner)
        if job is None:
            raise NotFoundError(f"job {request.job_id} does not exist")
        position = await self._locate(job, request)
        answer: dict[str, Any] = {
            "ok": True,
            "epoch": position.epoch,
            "seq": position.seq,
            "recovered": position.recovered,
        }
        if not position.recovered:
            answer["snapshot"] = self._history.show(job)
        await self.relay.subscribe(sid, job, position)
        return answer

    async def _locate(self, job: Job, request: SubscribeRequest) -> Position:
        try:
            return await self._history.locate(job, request.after_seq, request.epoch)
        except (RedisError, OSError) as error:
            # The row still answers; what the log holds follows when Redis is back.
            logger.warning("Subscribed without the log: {}", type(error).__name__)
            return Position(request.epoch, request.after_seq, request.after_seq, recovered=False)

    async def _unsubscribe(self, sid: str, _caller: Caller, request: JobRequest) -> dict[str, Any]:
        if not await self.relay.unsubscribe(sid, request.job_id):
            raise NotFoundError(f"job {request.job_id} is not subscribed to")
        return {"ok": True}

    async def _cancel(self, _sid: str, caller: Caller, request: JobRequest) -> dict[str, Any]:
        cancelled = await self._queue.cancel(request.job_id, caller.owner)
        return {"ok": True, "outcome": str(cancelled.outcome), "job": self._history.show(cancelled.job)}

    async def _recheck_tokens(self) -> None:
        """A token that ran out or was revoked ends its connections within a minute."""
        while True:
            await asyncio.sleep(self._settings.token_recheck_interval.total_seconds())
            for sid, client in list(self._connected.items()):
                try:
                    await self._identify(client.token, client.host)
                except (UnauthorizedError, ForbiddenError):
                    await self.clients.disconnect(sid, "unauthorized", "the token is not valid any more")
                except Exception as error:
                    logger.warning("A token could not be checked: {}", type(error).__name__)


def _create_server(settings: ApiSettings, manager: BusClientManager) -> socketio.AsyncServer:
    return socketio.AsyncServer(
        async_mode="asgi",
        client_manager=manager,
        transports=["websocket", "polling"] if settings.socketio_polling else ["websocket"],
        # None means the page's own origin; an empty list would switch the check off.
        cors_allowed_origins=list(settings.cors_origins) or None,
        max_http_buffer_size=_MAX_MESSAGE_BYTES,
        # One request of a client at a time: a flood slows down its sender only.
        async_handlers=False,
        logger=logging.getLogger("socketio.server"),
        engineio_logger=logging.getLogger("engineio.server"),
    )


async def _unknown_event(event: str, _sid: str, *_args: object) -> dict[str, Any]:
    return refusal("unknown_event", f"unknown event {event[:100]!r}; known: job:subscribe, job:unsubscribe, job:cancel")


def _refusal_of(error: Exception) -> dict[str, Any]:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        return refusal("invalid", f"{path}: {first['msg']}" if path else first["msg"])
    if isinstance(error, AppError):
        return refusal(error.code, error.message)
    if is_database_away(error):
        return refusal("unavailable", "the database does not answer; try again soon")
    logger.opt(exception=error).error("Unforeseen error in a Socket.IO request")
    return refusal("internal_error", "something went wrong on our side")
