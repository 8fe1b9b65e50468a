"""What somebody wanted and may not do: a line of the log each time, and an audit event that a flood cannot multiply."""

from collections import OrderedDict
from dataclasses import dataclass
from time import monotonic
from uuid import UUID

from loguru import logger

from api.audit import AuditLog
from api.caller import Caller
from common.errors import ForbiddenError

_ROWS_INTERVAL = 1.0
_MOST_CALLERS = 10_000


@dataclass(slots=True)
class _Seen:
    next_row: float
    unrecorded: int = 0


class Denials:
    """Each caller gets one audit event a second, which counts the others."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit
        self._log = logger.bind(logger="access")
        self._seen: OrderedDict[UUID | None, _Seen] = OrderedDict()

    def record(
        self, error: ForbiddenError, caller: Caller | None, *, what: str, path: str, request_id: str | None
    ) -> None:
        """`what` is the method, or the event of a Socket.IO client."""
        who = caller.user_id if caller else None
        self._log.warning("Access denied", reason=error.message, method=what, path=path, user_id=who)
        seen = self._seen.get(who)
        if seen is not None and monotonic() < seen.next_row:
            seen.unrecorded += 1
            return
        details = {"reason": error.message, "method": what, "path": path}
        details |= {"key_id": str(caller.key_id)} if caller and caller.key_id else {}
        self._audit.record(
            "access.denied",
            actor=caller,
            outcome="denied",
            request_id=request_id,
            details={**details, "unrecorded": seen.unrecorded if seen else 0},
        )
        self._seen[who] = _Seen(monotonic() + _ROWS_INTERVAL)
        self._seen.move_to_end(who)
        if len(self._seen) > _MOST_CALLERS:
            self._seen.popitem(last=False)
