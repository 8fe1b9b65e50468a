"""What the audit log keeps of everything that happens to accounts."""

from api.audit import AuditLog, Outcome
from api.v1.auth.client import Client
from common.repository.job import Owner


def record(
    audit: AuditLog, event: str, owner: Owner | None, outcome: Outcome, client: Client, **details: object
) -> None:
    """One event about the account of `owner`, where one was recognised, and the address that it came from."""
    audit.record(
        event,
        actor=owner,
        outcome=outcome,
        target=f"user:{owner.user_id}" if owner else None,
        request_id=client.request_id,
        details={"address": client.address, **details},
    )
