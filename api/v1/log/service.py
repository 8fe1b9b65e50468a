"""The request log, for those whose requests it holds."""

from dataclasses import replace
from typing import TYPE_CHECKING

from api.caller import Caller
from api.cursors import CursorSigner, scope_of
from api.paging import Page
from common.errors import NotFoundError
from common.request_log import LogWindow, RequestFilter

if TYPE_CHECKING:
    from common.database.model.log import RequestLog
    from common.repository.log import RequestLogRepository


class LogService:
    """Reads the log, when there is one."""

    def __init__(self, logs: "RequestLogRepository | None", cursors: CursorSigner) -> None:
        self._logs = logs
        self._cursors = cursors

    async def list_page(
        self, caller: Caller, wanted: RequestFilter, window: LogWindow, cursor: str | None
    ) -> "Page[RequestLog]":
        """One page of the caller's requests, or of all of the tenant's for operators and admins, newest first.

        Raises `NotFoundError` when no log is kept, `InvalidError` for a foreign cursor, and `UnavailableError`.
        """
        if self._logs is None:
            raise NotFoundError("this server keeps no request log; its MONGODB_URL is not set")
        scope = scope_of(wanted)
        after = None if cursor is None else self._cursors.read(caller.user_id, cursor, scope)
        user_id = None if caller.is_operator else caller.user_id
        more = replace(window, limit=window.limit + 1)
        found = await self._logs.list_page(caller.tenant_id, wanted, more, user_id=user_id, after=after)
        items, has_more = found[: window.limit], len(found) > window.limit
        return Page(items, self._cursors.sign(caller.user_id, items[-1].id, scope) if has_more else None)
