"""The audit log, for those who watch over a tenant."""

from dataclasses import replace

from api.caller import Caller
from api.cursors import CursorSigner, scope_of
from api.paging import Page
from common.database.model import AuditEvent
from common.database.session import Sessions
from common.repository.audit import AuditFilter, AuditRepository


class AuditService:
    """Reads the events of the caller's tenant."""

    def __init__(self, sessions: Sessions, events: AuditRepository, cursors: CursorSigner) -> None:
        self._sessions = sessions
        self._events = events
        self._cursors = cursors

    async def list_page(self, caller: Caller, wanted: AuditFilter, cursor: str | None) -> Page[AuditEvent]:
        """One page, newest first. Raises `ForbiddenError` for users, `InvalidError` for a foreign cursor."""
        caller.require_operator()
        scope = scope_of(wanted)
        before_id = None if cursor is None else self._cursors.read(caller.user_id, cursor, scope)
        async with self._sessions() as db:
            page = replace(wanted, before_id=before_id, limit=wanted.limit + 1)
            found = await self._events.list_page(db, caller.tenant_id, page)
        events, has_more = found[: wanted.limit], len(found) > wanted.limit
        next_cursor = self._cursors.sign(caller.user_id, events[-1].id, scope) if has_more else None
        return Page(events, next_cursor)
