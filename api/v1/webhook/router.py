"""/webhooks: where to be called when jobs end or go on, by Standard Webhooks 1.0.0."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Response, status

from api.dependencies import CallerDep, SettingsDep, from_state
from api.feature import feature_router
from api.v1.webhook.schema import (
    DeliveryPage,
    DeliveryRead,
    RotateRequest,
    WebhookCreate,
    WebhookList,
    WebhookRead,
    WebhookSecret,
    WebhookUpdate,
)
from api.v1.webhook.service import WebhookService
from common.database.model import DeliveryStatus
from common.errors import InvalidError, NotFoundError
from common.repository.webhook import DeliveryFilter

router = feature_router("/webhooks", tag="webhooks")

WebhookServiceDep = Annotated[WebhookService, from_state("webhooks")]


def _parse(what: str, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFoundError(f"{what} {text[:64]} does not exist") from None


async def get_webhook_id(webhook_id: Annotated[str, Path(description="The endpoint's id.")]) -> UUID:
    """The id from the path. A text that cannot be an id belongs to no endpoint."""
    return _parse("webhook", webhook_id)


async def get_delivery_id(delivery_id: Annotated[str, Path(description="The delivery's id.")]) -> UUID:
    """The id from the path. A text that cannot be an id belongs to no delivery."""
    return _parse("delivery", delivery_id)


WebhookIdDep = Annotated[UUID, Depends(get_webhook_id)]
DeliveryIdDep = Annotated[UUID, Depends(get_delivery_id)]


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_webhook(
    body: WebhookCreate, caller: CallerDep, service: WebhookServiceDep, response: Response
) -> WebhookSecret:
    """A new endpoint. Keep the `secret`: it verifies what you get, and is not shown again."""
    made = await service.create(caller.owner, body)
    response.headers["Location"] = f"/api/v1/webhooks/{made.endpoint.id}"
    return WebhookSecret.of(made.endpoint, made.secret)


@router.get("")
async def list_webhooks(
    caller: CallerDep,
    service: WebhookServiceDep,
    everybody: Annotated[bool, Query(description="Of your whole tenant; for operators and admins.")] = False,
) -> WebhookList:
    """All of your endpoints."""
    if everybody:
        caller.require_operator()
    found = await service.list(caller.reach if everybody else caller.owner)
    return WebhookList(items=[WebhookRead.model_validate(each) for each in found])


@router.get("/{webhook_id}")
async def get_webhook(webhook_id: WebhookIdDep, caller: CallerDep, service: WebhookServiceDep) -> WebhookRead:
    """One endpoint."""
    return WebhookRead.model_validate(await service.get(webhook_id, caller.reach))


@router.patch("/{webhook_id}")
async def update_webhook(
    webhook_id: WebhookIdDep, body: WebhookUpdate, caller: CallerDep, service: WebhookServiceDep
) -> WebhookRead:
    """Change an endpoint, switch it off or on."""
    return WebhookRead.model_validate(await service.change(webhook_id, caller.owner, body))


@router.delete("/{webhook_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_webhook(webhook_id: WebhookIdDep, caller: CallerDep, service: WebhookServiceDep) -> None:
    """Remove an endpoint and what it was told."""
    await service.delete(webhook_id, caller.owner)


@router.post("/{webhook_id}/rotate")
async def rotate_webhook_secret(
    webhook_id: WebhookIdDep, caller: CallerDep, service: WebhookServiceDep, body: RotateRequest | None = None
) -> WebhookSecret:
    """A new secret. Until the overlap is over, every message is signed with both."""
    overlap = timedelta(seconds=(body or RotateRequest()).overlap)
    made = await service.rotate(webhook_id, caller.owner, overlap)
    return WebhookSecret.of(made.endpoint, made.secret)


@router.post("/{webhook_id}/ping", status_code=status.HTTP_202_ACCEPTED)
async def ping_webhook(webhook_id: WebhookIdDep, caller: CallerDep, service: WebhookServiceDep) -> DeliveryRead:
    """Send a `webhook.ping`, to try the endpoint out. 409 when it is disabled."""
    return DeliveryRead.of(await service.ping(webhook_id, caller.owner), [])


@router.get("/{webhook_id}/deliveries")
async def list_deliveries(
    webhook_id: WebhookIdDep,
    caller: CallerDep,
    service: WebhookServiceDep,
    settings: SettingsDep,
    wanted: Annotated[DeliveryStatus | None, Query(alias="status", description="Only these.")] = None,
    limit: Annotated[int | None, Query(ge=1)] = None,
    cursor: Annotated[str | None, Query(max_length=128, description="`next_cursor` of the page before.")] = None,
) -> DeliveryPage:
    """What the endpoint was told, newest first, with every call."""
    if limit is not None and limit > settings.max_page_limit:
        raise InvalidError(f"MAX_PAGE_LIMIT allows {settings.max_page_limit} a page", path=("query", "limit"))
    page = DeliveryFilter(wanted, limit=limit or settings.page_limit)
    found = await service.list_deliveries(webhook_id, caller.reach, page, cursor)
    return DeliveryPage(items=[DeliveryRead.of(*each) for each in found.items], next_cursor=found.next_cursor)


@router.post("/{webhook_id}/deliveries/{delivery_id}/replay", status_code=status.HTTP_202_ACCEPTED)
async def replay_delivery(
    webhook_id: WebhookIdDep, delivery_id: DeliveryIdDep, caller: CallerDep, service: WebhookServiceDep
) -> DeliveryRead:
    """Send a message again, under the same `webhook-id`. 409 when the endpoint is disabled."""
    return DeliveryRead.of(await service.replay(webhook_id, delivery_id, caller.owner), [])
