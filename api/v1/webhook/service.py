"""Webhooks, for their owners."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func

from api.config import ApiSettings
from api.cursors import CursorSigner, scope_of
from api.v1.webhook.schema import WebhookCreate, WebhookUpdate
from common.database.model import WebhookDelivery, WebhookEndpoint, WebhookTry
from common.database.session import Sessions
from common.errors import ConflictError, NotFoundError
from common.ids import new_id
from common.repository.job import Owner, Reach
from common.repository.webhook import DeliveryFilter, WebhookRepository
from common.vault import Vault
from common.webhook.address import check_url
from common.webhook.signature import new_secret, purpose_of
from common.webhook.words import PING


@dataclass(frozen=True, slots=True)
class Made:
    """An endpoint and its new secret, which is readable here and never again."""

    endpoint: WebhookEndpoint
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeliveriesFound:
    """Deliveries with their calls, and the cursor of those after them."""

    items: Sequence[tuple[WebhookDelivery, list[WebhookTry]]]
    next_cursor: str | None


class WebhookService:
    """What is not within reach raises `NotFoundError`: operators look at endpoints of their tenant, and change none."""

    def __init__(
        self,
        settings: ApiSettings,
        sessions: Sessions,
        webhooks: WebhookRepository,
        cursors: CursorSigner,
        vault: Vault,
    ) -> None:
        self._private = settings.webhook_private_networks
        self._most = settings.max_webhooks
        self._sessions = sessions
        self._webhooks = webhooks
        self._cursors = cursors
        self._vault = vault

    async def create(self, owner: Owner, wanted: WebhookCreate) -> Made:
        """A new endpoint with a secret. Raises `InvalidError` for its URL, `ConflictError` over MAX_WEBHOOKS."""
        endpoint_id, secret = new_id(), new_secret()
        values = {
            "id": endpoint_id,
            "url": check_url(wanted.url, self._private),
            "events": list(dict.fromkeys(wanted.events)),
            "description": wanted.description,
            "secret": self._vault.seal(secret, purpose_of(endpoint_id)),
        }
        async with self._sessions.begin() as db:
            if await self._webhooks.count(db, owner) >= self._most:
                raise ConflictError(f"MAX_WEBHOOKS allows {self._most} endpoints")
            return Made(await self._webhooks.create(db, owner, values), secret)

    async def list(self, reach: Reach) -> Sequence[WebhookEndpoint]:
        """All endpoints within reach, oldest first."""
        async with self._sessions() as db:
            return await self._webhooks.list(db, reach)

    async def get(self, endpoint_id: UUID, reach: Reach) -> WebhookEndpoint:
        """One endpoint."""
        async with self._sessions() as db:
            return _found(await self._webhooks.find(db, endpoint_id, reach), endpoint_id)

    async def change(self, endpoint_id: UUID, owner: Owner, wanted: WebhookUpdate) -> WebhookEndpoint:
        """Change what was given. Raises `InvalidError` for the URL."""
        values: dict[str, Any] = wanted.model_dump(exclude_unset=True, exclude={"enabled"})
        if wanted.url is not None:
            check_url(wanted.url, self._private)
        values = {name: value for name, value in values.items() if value is not None or name == "description"}
        if wanted.enabled is not None:
            off = {"disabled_at": func.now(), "disabled_reason": "owner"}
            values |= {"disabled_at": None, "disabled_reason": None} if wanted.enabled else off
        async with self._sessions.begin() as db:
            return _found(await self._webhooks.change(db, endpoint_id, owner, values), endpoint_id)

    async def delete(self, endpoint_id: UUID, owner: Owner) -> None:
        """Remove an endpoint; what was not delivered yet is not delivered any more."""
        async with self._sessions.begin() as db:
            if not await self._webhooks.delete(db, endpoint_id, owner):
                raise _missing(endpoint_id)

    async def rotate(self, endpoint_id: UUID, owner: Owner, overlap: timedelta) -> Made:
        """A new secret; the one until now signs too for `overlap`."""
        secret = new_secret()
        async with self._sessions.begin() as db:
            before = _found(await self._webhooks.find(db, endpoint_id, owner), endpoint_id)
            values = {
                "secret": self._vault.seal(secret, purpose_of(endpoint_id)),
                "previous_secret": before.secret if overlap else None,
                "previous_secret_until": datetime.now(UTC) + overlap if overlap else None,
            }
            return Made(_found(await self._webhooks.change(db, endpoint_id, owner, values), endpoint_id), secret)

    async def ping(self, endpoint_id: UUID, owner: Owner) -> WebhookDelivery:
        """A delivery that says nothing. Raises `ConflictError` when the endpoint is disabled."""
        delivery_id = new_id()
        async with self._sessions.begin() as db:
            endpoint = self._enabled(await self._webhooks.find(db, endpoint_id, owner), endpoint_id)
            return await self._webhooks.add_delivery(
                db,
                {
                    "id": delivery_id,
                    "message_id": delivery_id,
                    "endpoint_id": endpoint.id,
                    "tenant_id": owner.tenant_id,
                    "type": PING,
                    "data": {"webhook_id": str(endpoint.id)},
                    "occurred_at": datetime.now(UTC),
                },
            )

    async def replay(self, endpoint_id: UUID, delivery_id: UUID, owner: Owner) -> WebhookDelivery:
        """Deliver a message again under its own id. Raises `ConflictError` when the endpoint is disabled."""
        async with self._sessions.begin() as db:
            endpoint = self._enabled(await self._webhooks.find(db, endpoint_id, owner), endpoint_id)
            before = await self._webhooks.find_delivery(db, delivery_id, endpoint.id)
            if before is None:
                raise NotFoundError(f"delivery {delivery_id} does not exist")
            names = ("message_id", "endpoint_id", "tenant_id", "job_id", "type", "data", "occurred_at")
            values = {name: getattr(before, name) for name in names}
            return await self._webhooks.add_delivery(db, {"id": new_id(), **values})

    async def list_deliveries(
        self, endpoint_id: UUID, reach: Reach, wanted: DeliveryFilter, cursor: str | None
    ) -> DeliveriesFound:
        """One page, newest first. Raises `InvalidError` for a foreign cursor."""
        scope = f"{endpoint_id}{scope_of(wanted)}"
        holder = reach.user_id or reach.tenant_id
        before_id = None if cursor is None else self._cursors.read(holder, cursor, scope)
        page = replace(wanted, before_id=before_id, limit=wanted.limit + 1)
        async with self._sessions() as db:
            endpoint = _found(await self._webhooks.find(db, endpoint_id, reach), endpoint_id)
            found = await self._webhooks.list_deliveries(db, endpoint.id, page)
            shown = found[: wanted.limit]
            tries: dict[UUID, list[WebhookTry]] = defaultdict(list)
            for each in await self._webhooks.list_tries(db, [delivery.id for delivery in shown]):
                tries[each.delivery_id].append(each)
        following = self._cursors.sign(holder, shown[-1].id, scope) if len(found) > wanted.limit else None
        return DeliveriesFound([(delivery, tries[delivery.id]) for delivery in shown], following)

    def _enabled(self, endpoint: WebhookEndpoint | None, endpoint_id: UUID) -> WebhookEndpoint:
        found = _found(endpoint, endpoint_id)
        if found.disabled_at is not None:
            raise ConflictError(f"webhook {endpoint_id} is disabled; enable it first")
        return found


def _found(endpoint: WebhookEndpoint | None, endpoint_id: UUID) -> WebhookEndpoint:
    if endpoint is None:
        raise _missing(endpoint_id)
    return endpoint


def _missing(endpoint_id: UUID) -> NotFoundError:
    return NotFoundError(f"webhook {endpoint_id} does not exist")
