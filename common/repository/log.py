"""Queries about the logs in MongoDB. Every one carries an owner and either a time range or the id of one thing."""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

from common.database.model.log import LlmCallLog, RequestLog
from common.database.mongo import Mongo, translated
from common.errors import UnavailableError
from common.llm_log import LlmCallEntry, LlmCallFilter
from common.request_log import LogWindow, RequestEntry, RequestFilter

_FIRST_SLICE = timedelta(seconds=2)
_GROWTH = 8
_ORDER = ("-ts", "-_id")  # several may be of one millisecond


class _LogRepository[E: (RequestEntry, LlmCallEntry), D: (RequestLog, LlmCallLog)]:
    """One log of one database. Every method raises `UnavailableError` while MongoDB is away."""

    def __init__(self, mongo: Mongo, entry: type[E], document: type[D], *, retention: timedelta) -> None:
        self._mongo = mongo
        self._document: type[D] = document
        self._fields = {field.name: "_id" if field.name == "id" else field.name for field in fields(entry)}
        self._retention = retention
        self._is_prepared = False

    async def prepare(self) -> None:
        """Make the indexes; nothing can be read before. Harmless to repeat."""
        await self._mongo.prepare(self._document)
        await self._mongo.ensure_expiry(self._document, "ts", self._retention)
        self._is_prepared = True

    async def ping(self) -> None:
        """Returns when MongoDB answers."""
        await self._mongo.ping()

    async def close(self) -> None:
        """Close every connection."""
        await self._mongo.close()

    async def insert_many(self, entries: Sequence[E]) -> int:
        """Write entries, those that are there already excepted, and return how many were refused."""
        # Plain documents: building and encoding 500 models would hold the event loop for 20 ms.
        documents = [{key: getattr(entry, name) for name, key in self._fields.items()} for entry in entries]
        return await self._mongo.insert_many(self._document, documents)

    async def _list_page(self, whose: dict[str, Any], window: LogWindow, after: UUID | None) -> list[D]:
        """Entries in `window`, newest first; with `after` those behind that one."""
        whose = {name: value for name, value in whose.items() if value is not None}
        if after is None:
            return await self._list_newest(whose, window)
        place = await self._list({**whose, "_id": after}, 1)
        if not place:
            return []  # it expired, and so did all before it
        same = await self._list({**whose, "ts": place[0].ts, "_id": {"$lt": after}}, window.limit)
        rest = replace(window, until=min(window.until, place[0].ts), limit=window.limit - len(same))
        return same + await self._list_newest(whose, rest)

    async def _list_newest(self, whose: dict[str, Any], window: LogWindow) -> list[D]:
        """Backwards in growing slices: some servers read and sort a whole window before they give its first entries."""
        found: list[D] = []
        until, length = window.until, _FIRST_SLICE
        while until > window.since and len(found) < window.limit:
            since = max(window.since, until - length)
            found += await self._list({**whose, "ts": {"$gte": since, "$lt": until}}, window.limit - len(found))
            until, length = since, length * _GROWTH
        return found

    async def _list(self, wanted: dict[str, Any], limit: int) -> list[D]:
        if not self._is_prepared:
            raise UnavailableError("The log has not answered yet; try again soon.")
        with translated():
            return await self._document.find(wanted).sort(*_ORDER).limit(limit).to_list()


class RequestLogRepository(_LogRepository[RequestEntry, RequestLog]):
    """The request log."""

    def __init__(self, mongo: Mongo, *, retention: timedelta) -> None:
        super().__init__(mongo, RequestEntry, RequestLog, retention=retention)

    @classmethod
    def open(cls, url: str, *, retention: timedelta) -> Self:
        """The log at `url`; `close` it. Raises `InvalidError` when the URL is malformed."""
        return cls(Mongo(url), retention=retention)

    async def list_page(
        self, tenant_id: UUID, wanted: RequestFilter, window: LogWindow, *, user_id: UUID | None, after: UUID | None
    ) -> list[RequestLog]:
        """The tenant's requests in `window`, newest first, or only those of `user_id`; those behind `after`."""
        whose = {"tenant_id": tenant_id, "user_id": user_id, "request_id": wanted.request_id}
        return await self._list_page(whose, window, after)


class LlmCallRepository(_LogRepository[LlmCallEntry, LlmCallLog]):
    """The log of calls of language models."""

    def __init__(self, mongo: Mongo, *, retention: timedelta) -> None:
        super().__init__(mongo, LlmCallEntry, LlmCallLog, retention=retention)

    @classmethod
    def open(cls, url: str, *, retention: timedelta) -> Self:
        """The log at `url`; `close` it. Raises `InvalidError` when the URL is malformed."""
        return cls(Mongo(url), retention=retention)

    async def list_page(
        self, tenant_id: UUID, wanted: LlmCallFilter, window: LogWindow, *, user_id: UUID | None, after: UUID | None
    ) -> list[LlmCallLog]:
        """The tenant's calls in `window`, newest first, or only those of `user_id`; those behind the call `after`."""
        if not self._is_prepared:
            await self.prepare()
        whose = {"tenant_id": tenant_id, "user_id": user_id, "job_id": wanted.job_id, "model": wanted.model}
        return await self._list_page(whose, window, after)
