"""`webhook.deliver`: one signed call of one endpoint, tried again by the endpoint's schedule."""

from datetime import timedelta
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from common.queue.context import JobContext
from common.queue.definition import Retry, job

# The schedule of the calls ends a delivery; this is only what lies far behind it.
_FAR = 50


class WebhookDeliverPayload(BaseModel):
    """Which delivery."""

    model_config = ConfigDict(extra="forbid")

    delivery_id: UUID


class WebhookDeliverResult(BaseModel):
    """What the receiver answered."""

    status_code: int


@job(
    "webhook.deliver",
    timeout=timedelta(minutes=2),
    retry=Retry(max_attempts=_FAR),
    retention=timedelta(days=7),
    internal=True,
)
async def webhook_deliver(ctx: JobContext, payload: WebhookDeliverPayload) -> WebhookDeliverResult:
    """Call an endpoint with its message, and leave a record of the call."""
    status_code = await ctx.ports.webhooks.deliver(payload.delivery_id, ctx.attempt)
    return WebhookDeliverResult(status_code=status_code)
