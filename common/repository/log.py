"""Queries about the request log. Every one carries an owner and either a time range or a request id."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

from common.database.model.log import RequestLog
from common.database.mongo import Mongo, translated
from common.errors import UnavailableError
from common.repository.job import Owner
from common.request_log import LogWindow, RequestEntry

_FIELDS = {field.name: "_id" if field.name == "id" else field.name for field in fields(RequestEntry)}


class RequestLogRepository:
    """The request log of one database. Every method raises `UnavailableError` while MongoDB is away."""

    def __init__(self, mongo: Mongo, *, retention: timedelta) -> None:
        self._mongo = mongo
        self._retention = retention
        self._is_prepared = False

    @classmethod
    def open(cls, url: str, *, retention: timedelta) -> Self:
        """The log at `url`; `close` it. Raises `InvalidError` when the URL is malformed."""
        return cls(Mongo(url), retention=retention)

    async def prepare(self) -> None:
        """Make the indexes; nothing can be read before. Harmless to repeat."""
        await self._mongo.prepare(RequestLog)
        await self._mongo.ensure_expiry(RequestLog, "ts", self._retention)
        self._is_prepared = True

    async def ping(self) -> None:
        """Returns when MongoDB answers."""
        await self._mongo.ping()

    async def close(self) -> None:
        """Close every connection."""
        await self._mongo.close()

    async def insert_many(self, entries: Sequence[RequestEntry]) -> int:
        """Write entries, those that are there already excepted, and return how many were refused."""
        # Plain documents: building and encoding 500 models would hold the event loop for 20 ms.
        return await self._mongo.insert_many(RequestLog, [_document(entry) for entry in entries])

    async def list_by_user(self, owner: Owner, window: LogWindow) -> list[RequestLog]:
        """The requests of one user, newest first."""
        whose = {"user_id": owner.user_id, "tenant_id": owner.tenant_id}
        return await self._list({**whose, **_during(window)}, window.limit)

    async def list_by_tenant(self, tenant_id: UUID, window: LogWindow) -> list[RequestLog]:
        """The requests of everybody in a tenant, newest first."""
        return await self._list({"tenant_id": tenant_id, **_during(window)}, window.limit)

    async def list_by_request_id(
        self, request_id: str, tenant_id: UUID, *, user_id: UUID | None, limit: int
    ) -> list[RequestLog]:
        """The tenant's requests with this id, newest first, or only those of `user_id`. Clients may repeat an id."""
        wanted: dict[str, Any] = {"request_id": request_id, "tenant_id": tenant_id}
        if user_id is not None:
            wanted["user_id"] = user_id
        return await self._list(wanted, limit)

    async def _list(self, wanted: dict[str, Any], limit: int) -> list[RequestLog]:
        if not self._is_prepared:
            raise UnavailableError("The request log has not answered yet; try again soon.")
        with translated():
            return await RequestLog.find(wanted).sort("-ts").limit(limit).to_list()


def _during(window: LogWindow) -> dict[str, Any]:
    return {"ts": {"$gte": window.since, "$lt": window.until}}


def _document(entry: RequestEntry) -> dict[str, Any]:
    return {key: getattr(entry, name) for name, key in _FIELDS.items()}
