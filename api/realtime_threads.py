"""`thread:subscribe` and `thread:unsubscribe`: all jobs of one thread, for whoever owns it."""

from typing import Any
from uuid import UUID

from api.caller import Caller
from api.clients import Clients
from api.config import ApiSettings
from api.event_bus import EventBus
from api.job_history import JobHistory
from api.realtime_schema import ThreadRequest, ThreadSubscribeRequest
from api.thread_feeds import ThreadFeeds
from api.thread_places import ThreadPlaces
from common.database.session import Sessions
from common.errors import ForbiddenError, NotFoundError
from common.scopes import Scope


class ThreadRooms:
    """`async with rooms.feeds:` starts delivery."""

    def __init__(
        self, settings: ApiSettings, bus: EventBus, sessions: Sessions, history: JobHistory, clients: Clients
    ) -> None:
        self._most = settings.max_client_subscriptions
        self._clients = clients
        self.feeds = ThreadFeeds(bus, sessions, history, clients, self._close)

    async def subscribe(self, sid: str, caller: Caller, request: ThreadSubscribeRequest) -> dict[str, Any]:
        """Raises `NotFoundError` for the threads of others, `ForbiddenError` over MAX_CLIENT_SUBSCRIPTIONS."""
        caller.require_scope(Scope.THREADS_READ)
        if self.feeds.count(sid) >= self._most:
            raise ForbiddenError(f"a client may follow {self._most} threads at once")
        is_back = request.after is not None
        places = ThreadPlaces(0, {each.turn: (each.epoch, each.seq) for each in request.after or ()})
        joined = await self.feeds.subscribe(sid, request.thread_id, caller.owner, places, is_back=is_back)
        answer = {"ok": True, "thread_id": str(request.thread_id), "recovered": joined.recovered}
        return {**answer, "was_recovering": is_back, "jobs": joined.jobs}

    async def unsubscribe(self, sid: str, _caller: Caller, request: ThreadRequest) -> dict[str, Any]:
        """Raises `NotFoundError` when the client does not follow the thread."""
        if not await self.feeds.unsubscribe(sid, request.thread_id):
            raise NotFoundError(f"thread {request.thread_id} is not subscribed to")
        return {"ok": True}

    async def _close(self, sid: str, thread_id: UUID) -> None:
        await self._clients.send(sid, "thread:closed", {"thread_id": str(thread_id), "reason": "deleted"})
