"""Socket.IO: who may connect, what clients may ask, and the acknowledgements they get. Delivery is `relay.py`'s."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Self

from pydantic import BaseModel, ValidationError
from redis.asyncio import Redis

from api.admission import Admission, TokenBucket
from api.authenticator import Authenticator
from api.caller import Caller
from api.clients import Clients
from api.config import ApiSettings
from api.denials import Denials
from api.event_bus import EventBus
from api.job_history import JobHistory
from api.realtime_refusal import refusal_of
from api.realtime_schema import (
    Handshake,
    JobRequest,
    SubscribeRequest,
    TenantRequest,
    ThreadRequest,
    ThreadSubscribeRequest,
    refusal,
)
from api.realtime_submit import SubmitRefusedError, Submitter
from api.realtime_threads import ThreadRooms
from api.relay import Relay
from api.socketio_bus import BusClientManager
from api.socketio_server import socketio
from api.tenant_updates import TenantUpdates
from api.token_watch import TokenWatch
from api.user_updates import UserUpdates
from common.database.session import Sessions
from common.errors import ForbiddenError, NotFoundError, RateLimitedError, UnauthorizedError
from common.queue.client import Cancelled, JobQueue
from common.redis import RedisKeys
from common.scopes import JobAction, Scope

_MAX_MESSAGE_BYTES = 64 * 1024
_FLOOD_SECONDS = 10
_KNOWN = (
    *("job:subscribe", "job:unsubscribe", "job:submit", "job:cancel"),
    *("thread:subscribe", "thread:unsubscribe", "tenant:subscribe", "tenant:unsubscribe"),
)


@dataclass(slots=True)
class _Client:
    """One connected client. The token is kept to notice that it was revoked or ran out."""

    caller: Caller
    token: str | None = field(repr=False)
    host: str | None
    address: str
    requests: TokenBucket
    refused: int = 0


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
        submitter: Submitter,
        tenants: TenantUpdates,
        admission: Admission,
        denials: Denials,
        sessions: Sessions,
    ) -> None:
        self._settings = settings
        self._denials = denials
        self._authenticator = authenticator
        self._history = history
        self._queue = queue
        self._submitter = submitter
        self._admission = admission
        self._manager = BusClientManager(bus, redis, keys)
        self.server = _create_server(settings, self._manager)
        self.clients = Clients(
            self.server, max_backlog=settings.max_client_backlog, patience=settings.slow_client_timeout
        )
        self.relay = Relay(bus, history, self.clients)
        self.updates = UserUpdates(bus, self.clients)
        self._threads = ThreadRooms(settings, bus, sessions, history, self.clients)
        self._tenants = tenants
        self._tokens = TokenWatch(settings.token_recheck_interval)
        self._connected: dict[str, _Client] = {}
        self._stack = AsyncExitStack()
        self._register()

    async def __aenter__(self) -> Self:
        for part in (self.relay, self.updates, self._threads.feeds, self._tenants.serve(self.clients), self._tokens):
            await self._stack.enter_async_context(part)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        await self.server.shutdown()
        await self._manager.close()

    @property
    def count(self) -> int:
        """How many clients are connected."""
        return len(self._connected)

    def wrap(self, app: Any) -> Any:
        """An ASGI application that serves `/socket.io/` itself and gives everything else to `app`."""
        return socketio.ASGIApp(self.server, app)

    def _register(self) -> None:
        self.server.on("connect", self._on_connect)
        self.server.on("disconnect", self._on_disconnect)
        self._answer("job:subscribe", SubscribeRequest, self._subscribe)
        self._answer("job:unsubscribe", JobRequest, self._unsubscribe)
        self._answer("job:cancel", JobRequest, self._cancel)
        self._answer("thread:subscribe", ThreadSubscribeRequest, self._threads.subscribe)
        self._answer("thread:unsubscribe", ThreadRequest, self._threads.unsubscribe)
        self._answer("tenant:subscribe", TenantRequest, self._subscribe_tenant)
        self._answer("tenant:unsubscribe", TenantRequest, self._unsubscribe_tenant)
        self.server.on("job:submit", partial(self._handle, "job:submit", self._submit))
        self.server.on("*", self._on_unknown)

    def _answer[M: BaseModel](
        self, event: str, model: type[M], action: Callable[[str, Caller, M], Awaitable[dict[str, Any]]]
    ) -> None:
        async def validated(sid: str, caller: Caller, data: object) -> dict[str, Any]:
            return await action(sid, caller, model.model_validate(data))

        self.server.on(event, partial(self._handle, event, validated))

    async def _on_connect(self, sid: str, environ: dict[str, Any], auth: object = None) -> None:
        host, address = environ.get("HTTP_HOST"), _address(environ)
        try:
            self._admission.knock(address)
            token = Handshake.model_validate({} if auth is None else auth).token
            caller = await self._identify(token, host)
            self._admission.enter(caller.user_id, address)
        except (UnauthorizedError, ForbiddenError, ValidationError) as error:
            raise socketio.exceptions.ConnectionRefusedError("unauthorized") from error
        except RateLimitedError as error:
            raise socketio.exceptions.ConnectionRefusedError("too_many_clients") from error
        except Exception as error:
            raise socketio.exceptions.ConnectionRefusedError(refusal_of(error)["error"]["code"]) from error
        requests = TokenBucket(self._settings.max_client_requests)
        self._connected[sid] = _Client(caller, token, host, address, requests)
        identify = partial(self._identify, token, host, fresh=True)
        self._tokens.add(sid, caller, identify, partial(self._send_away, sid))
        if hears_updates(caller):
            await self.updates.enter(sid, caller.user_id)

    async def _on_disconnect(self, sid: str, _reason: str) -> None:
        self.relay.forget(sid)
        self._threads.feeds.forget(sid)
        self._tokens.remove(sid)
        await self._tenants.leave(self.clients, sid)
        if (client := self._connected.pop(sid, None)) is not None:
            if hears_updates(client.caller):
                self.updates.leave(client.caller.user_id)
            self._admission.leave(client.caller.user_id, client.address)

    async def _send_away(self, sid: str) -> None:
        await self.clients.disconnect(sid, "unauthorized", "the token is not valid any more")

    async def _identify(self, token: str | None, host: str | None, *, fresh: bool = False) -> Caller:
        if token is None:
            return self._authenticator.identify_anonymous(host=host)
        return await self._authenticator.identify_token(token, fresh=fresh)

    async def _handle(
        self, event: str, action: Callable[[str, Caller, Any], Awaitable[dict[str, Any]]], sid: str, *args: object
    ) -> dict[str, Any]:
        """Whatever the client sent, it gets an acknowledgement and nobody else notices."""
        if (client := self._connected.get(sid)) is None:
            return refusal("unavailable", "the connection is closing")
        try:
            await self._charge(sid, client)
            return await action(sid, client.caller, args[0] if args else None)
        except SubmitRefusedError as refused:
            return refused.answer
        except ForbiddenError as error:
            self._denials.record(error, client.caller, what=event[:100], path="/socket.io/", request_id=None)
            return refusal_of(error)
        except Exception as error:
            return refusal_of(error)

    async def _charge(self, sid: str, client: _Client) -> None:
        """Count a request. Raises `RateLimitedError`; a client that does not stop is disconnected."""
        if client.requests.take():
            return
        client.refused += 1
        if client.refused > self._settings.max_client_requests * _FLOOD_SECONDS:
            await self.clients.disconnect(sid, "rate_limited", "too many requests")
        limit = self._settings.max_client_requests
        raise RateLimitedError(f"a client may send {limit} requests a second", retry_after=timedelta(seconds=1))

    async def _on_unknown(self, event: str, sid: str, *_args: object) -> dict[str, Any]:
        async def refuse(*_: object) -> dict[str, Any]:
            return refusal("unknown_event", f"unknown event {event[:100]!r}; known: {', '.join(_KNOWN)}")

        return await self._handle(event, refuse, sid)

    async def _subscribe(self, sid: str, caller: Caller, request: SubscribeRequest) -> dict[str, Any]:
        caller.require_job(request.job_id, JobAction.READ)
        if self.relay.count_subscriptions(sid) >= self._settings.max_client_subscriptions:
            raise ForbiddenError(f"a client may follow {self._settings.max_client_subscriptions} jobs at once")
        job = await self._history.get(request.job_id, caller.reach)
        position = await self._history.locate_patiently(job, request.after_seq or 0, request.epoch)
        answer: dict[str, Any] = {
            "ok": True,
            "epoch": position.epoch,
            "seq": position.seq,
            "recovered": position.recovered,
            "was_recovering": request.after_seq is not None,
        }
        if not position.recovered:
            answer["snapshot"] = self._history.show(job)
        await self.relay.subscribe(sid, job, position)
        return answer

    async def _unsubscribe(self, sid: str, _caller: Caller, request: JobRequest) -> dict[str, Any]:
        if not await self.relay.unsubscribe(sid, request.job_id):
            raise NotFoundError(f"job {request.job_id} is not subscribed to")
        return {"ok": True}

    async def _cancel(self, _sid: str, caller: Caller, request: JobRequest) -> dict[str, Any]:
        caller.require_job(request.job_id, JobAction.CANCEL)
        cancelled = await self._queue.cancel(request.job_id, caller.reach)
        return {"ok": True, **_outcome(cancelled), "job": self._history.show(cancelled.job)}

    async def _submit(self, _sid: str, caller: Caller, data: object) -> dict[str, Any]:
        caller.require_scope(Scope.JOBS_WRITE)
        submitted = await self._submitter.submit(data, caller)
        job = self._history.show(submitted.job)
        return {"ok": True, "job": job, "deduplicated": submitted.is_deduplicated, "replayed": submitted.is_replayed}

    async def _subscribe_tenant(self, sid: str, caller: Caller, _request: TenantRequest) -> dict[str, Any]:
        caller.require_operator()
        caller.require_scope(Scope.OPS_READ)
        await self._tenants.enter(self.clients, sid, caller.tenant_id)
        return {"ok": True, "tenant_id": str(caller.tenant_id)}

    async def _unsubscribe_tenant(self, sid: str, _caller: Caller, _request: TenantRequest) -> dict[str, Any]:
        await self._tenants.leave(self.clients, sid)
        return {"ok": True}


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


def hears_updates(caller: Caller) -> bool:
    """Whether the caller may know of all of its owner's jobs, and not of one only."""
    return caller.grant is None and (caller.scopes is None or Scope.JOBS_READ in caller.scopes)


def _address(environ: dict[str, Any]) -> str:
    client = environ["asgi.scope"].get("client")
    return client[0] if client else ""


def _outcome(cancelled: Cancelled) -> dict[str, str]:
    return {"outcome": str(cancelled.outcome), "cancel_way": str(cancelled.way)}
