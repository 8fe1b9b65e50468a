"""The audit log for one request: whoever acts and the request's id are known already."""

from typing import Annotated

from fastapi import Depends

from api.audit import AuditLog
from api.caller import Caller
from api.dependencies import AuditLogDep, CallerDep, RequestIdDep


class AuditTrail:
    """What the caller of one request did."""

    def __init__(self, log: AuditLog, caller: Caller, request_id: str) -> None:
        self._log = log
        self._caller = caller
        self._request_id = request_id

    def note(self, event: str, target: str, **details: object) -> None:
        """Something was done to `target`, like `user:<id>`."""
        if self._caller.key_id is not None:
            details["by_key"] = self._caller.key_id
        self._log.record(
            event,
            actor=self._caller,
            outcome="success",
            target=target,
            request_id=self._request_id,
            details=details,
        )


async def get_audit_trail(log: AuditLogDep, caller: CallerDep, request_id: RequestIdDep) -> AuditTrail:
    """The trail of this request."""
    return AuditTrail(log, caller, request_id)


AuditTrailDep = Annotated[AuditTrail, Depends(get_audit_trail)]
