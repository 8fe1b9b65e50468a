"""The request log, for those whose requests it holds."""

from typing import TYPE_CHECKING

from api.authenticator import Caller
from common.database.model import Role
from common.errors import NotFoundError
from common.request_log import LogWindow

if TYPE_CHECKING:
    from common.database.model.log import RequestLog
    from common.repository.log import RequestLogRepository


class LogService:
    """Reads the log, when there is one."""

    def __init__(self, logs: "RequestLogRepository | None") -> None:
        self._logs = logs

    async def list_entries(self, caller: Caller, window: LogWindow, request_id: str | None) -> "list[RequestLog]":
        """The caller's requests, or all of the tenant's for operators and admins, newest first.

        With `request_id` those of that id, whenever they came. Raises `NotFoundError` when no log is kept, and
        `UnavailableError`.
        """
        if self._logs is None:
            raise NotFoundError("this server keeps no request log; its MONGODB_URL is not set")
        sees_all = caller.role in (Role.OPERATOR, Role.ADMIN)
        if request_id is not None:
            user_id = None if sees_all else caller.user_id
            return await self._logs.list_by_request_id(
                request_id, caller.tenant_id, user_id=user_id, limit=window.limit
            )
        if sees_all:
            return await self._logs.list_by_tenant(caller.tenant_id, window)
        return await self._logs.list_by_user(caller.owner, window)
