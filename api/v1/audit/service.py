"""The audit log, for those who watch over a tenant."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from api.authenticator import Caller
from api.cursors import CursorSigner, scope_of
from common.database.model import AuditEvent, Role
from common.database.session import Sessions
from common.errors import ForbiddenError
from common.repository.audit import AuditFilter, AuditRepository


@dataclass(frozen=True, slots=True)
class AuditEventPage:
    """Events, and the cursor of those after them."""

    events: Sequence[AuditEvent]
    next_cursor: str | None


class AuditService:
    """Reads the events of the caller's tenant."""

    def __init__(self, sessions: Sessions, events: AuditRepository, cursors: CursorSigner) -> None:
        self._sessions = sessions
        self._events = events
        self._cursors = cursors

    async def list_page(self, caller: Caller, wanted: AuditFilter, cursor: str | None) -> AuditEventPage:
        """One page, newest first. Raises `ForbiddenError` for users, `InvalidError` for a foreign cursor."""
        if caller.role not in (Role.OPERATOR, Role.ADMIN):
            raise ForbiddenError("only operators and admins may read the audit log")
        scope = scope_of(wanted)
        before_id = None if cursor is None else self._cursors.read(caller.user_id, cursor, scope)
        async with self._sessions() as db:
            page = replace(wanted, before_id=before_id, limit=wanted.limit + 1)
            found = await self._events.list_page(db, caller.tenant_id, page)
        events, has_more = found[: wanted.limit], len(found) > wanted.limit
        next_cursor = self._cursors.sign(caller.user_id, events[-1].id, scope) if has_more else None
        return AuditEventPage(events, next_cursor)
