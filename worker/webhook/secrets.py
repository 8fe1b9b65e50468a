"""Secrets of endpoints: opened to sign, and sealed again where today's key has not sealed them."""

from uuid import UUID

from loguru import logger

from common.database.model import WebhookEndpoint
from common.database.session import Sessions
from common.repository.webhook import WebhookRepository
from common.vault import SealError, Vault
from common.webhook.signature import PREFIX, purpose_of

_BATCH = 200


def open_secret(vault: Vault, kept: str, endpoint_id: UUID) -> str:
    """The secret itself; one of the time before there was a vault lies open. Raises `SealError`."""
    return kept if kept.startswith(PREFIX) else vault.open(kept, purpose_of(endpoint_id))


async def renew_seals(sessions: Sessions, webhooks: WebhookRepository, vault: Vault) -> int:
    """Seal what an older key sealed, or none; returns how many endpoints. What no key opens stays as it is."""
    renewed, after = 0, UUID(int=0)
    while True:
        async with sessions.begin() as db:
            found = await webhooks.lock_sealed_otherwise(db, vault.mark, after, _BATCH)
            for endpoint in found:
                after = endpoint.id
                try:
                    _renew(vault, endpoint)
                    renewed += 1
                except SealError as error:
                    logger.warning("The secret of a webhook stays unreadable: endpoint={} {}", endpoint.id, error)
        if len(found) < _BATCH:
            return renewed


def _renew(vault: Vault, endpoint: WebhookEndpoint) -> None:
    purpose = purpose_of(endpoint.id)
    secret, previous = open_secret(vault, endpoint.secret, endpoint.id), endpoint.previous_secret
    if previous is not None:
        previous = vault.seal(open_secret(vault, previous, endpoint.id), purpose)
    endpoint.secret, endpoint.previous_secret = vault.seal(secret, purpose), previous
