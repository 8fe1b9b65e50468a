"""The log of calls of models, for those whose jobs made them."""

from dataclasses import replace
from typing import TYPE_CHECKING

from api.caller import Caller
from api.cursors import CursorSigner, scope_of
from api.paging import Page
from common.config import CommonSettings
from common.errors import NotFoundError
from common.llm_log import LlmCallFilter, open_llm_calls
from common.request_log import LogWindow

if TYPE_CHECKING:
    from common.database.model.log import LlmCallLog


class LlmCallService:
    """Reads the log, when there is one."""

    def __init__(self, settings: CommonSettings, cursors: CursorSigner) -> None:
        """Connects at first use."""
        self._calls = open_llm_calls(settings)
        self._cursors = cursors

    async def close(self) -> None:
        """Close every connection."""
        if self._calls is not None:
            await self._calls.close()

    async def list_page(
        self, caller: Caller, wanted: LlmCallFilter, window: LogWindow, cursor: str | None
    ) -> "Page[LlmCallLog]":
        """One page of the caller's calls, or all of the tenant's for operators and admins, newest first.

        Raises `NotFoundError` when no log is kept, `InvalidError` for a foreign cursor, and `UnavailableError`.
        """
        if self._calls is None:
            raise NotFoundError("this server keeps no calls of models; that takes MONGODB_URL and LLM_CALL_LOG=true")
        scope = scope_of(wanted)
        after = None if cursor is None else self._cursors.read(caller.user_id, cursor, scope)
        user_id = None if caller.is_operator else caller.user_id
        more = replace(window, limit=window.limit + 1)
        found = await self._calls.list_page(caller.tenant_id, wanted, more, user_id=user_id, after=after)
        items, has_more = found[: window.limit], len(found) > window.limit
        return Page(items, self._cursors.sign(caller.user_id, items[-1].id, scope) if has_more else None)
