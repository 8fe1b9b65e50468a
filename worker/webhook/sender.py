"""The `WebhookSender` port: signs, calls, keeps a record, and says when to try again."""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from loguru import logger
from pydantic_core import to_json

from common.database.model import DeliveryStatus, WebhookDelivery, WebhookEndpoint
from common.database.session import Sessions
from common.errors import PermanentError, TransientError
from common.repository.webhook import Call, WebhookRepository
from common.vault import Vault
from common.webhook.signature import sign
from worker.metrics import WorkerMetrics
from worker.webhook.caller import Answer, BlockedAddressError, WebhookCaller
from worker.webhook.secrets import open_secret

_GONE = 410
_JITTER = 0.1


class WebhookSender:
    """`schedule` holds the waits between calls; after the last one a delivery is given up. Each call sets `called`."""

    def __init__(
        self,
        sessions: Sessions,
        webhooks: WebhookRepository,
        caller: WebhookCaller,
        schedule: Sequence[timedelta],
        metrics: WorkerMetrics,
        vault: Vault,
        called: asyncio.Event,
    ) -> None:
        self._sessions = sessions
        self._webhooks = webhooks
        self._caller = caller
        self._schedule = schedule
        self._metrics = metrics
        self._vault = vault
        self._called = called

    async def deliver(self, delivery_id: UUID, attempt: int) -> int:
        """Part of `common.ports.WebhookSender`."""
        try:
            return await self._deliver(delivery_id, attempt)
        finally:
            self._called.set()

    async def _deliver(self, delivery_id: UUID, attempt: int) -> int:
        async with self._sessions() as db:
            found = await self._webhooks.load(db, delivery_id)
        if found is None:
            raise PermanentError("the endpoint or its delivery was removed")
        delivery, endpoint = found
        if endpoint.disabled_at is not None:
            await self._give_up(delivery)
            raise PermanentError(f"the endpoint is disabled: {endpoint.disabled_reason}")
        answer = await self._call(delivery, endpoint)
        is_taken = answer.status_code is not None and 200 <= answer.status_code < 300
        is_over = not is_taken and (answer.status_code == _GONE or delivery.tries >= len(self._schedule))
        status = DeliveryStatus.DELIVERED if is_taken else DeliveryStatus.FAILED if is_over else DeliveryStatus.PENDING
        await self._record(delivery, attempt, answer, status)
        self._metrics.deliveries.add(str(status))
        if is_taken:
            return answer.status_code or 0
        raise self._verdict(delivery, answer, is_over=is_over)

    async def _call(self, delivery: WebhookDelivery, endpoint: WebhookEndpoint) -> Answer:
        body = to_json({"type": delivery.type, "timestamp": delivery.occurred_at, "data": delivery.data})
        now, message_id = datetime.now(UTC), f"msg_{delivery.message_id}"
        sealed = [endpoint.secret]
        if endpoint.previous_secret and endpoint.previous_secret_until and endpoint.previous_secret_until > now:
            sealed.append(endpoint.previous_secret)
        keys = [open_secret(self._vault, each, endpoint.id) for each in sealed]
        timestamp = int(now.timestamp())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Letuin-Webhooks/1",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(keys, message_id, timestamp, body),
        }
        try:
            return await self._caller.post(endpoint.url, body, headers)
        except BlockedAddressError as error:
            await self._give_up(delivery)
            logger.warning("A webhook leads to an address that may not be called: endpoint={}", endpoint.id)
            raise PermanentError(error.message) from error

    async def _record(self, delivery: WebhookDelivery, attempt: int, answer: Answer, status: DeliveryStatus) -> None:
        call = Call(attempt, answer.status_code, _error(answer), answer.text, round(answer.seconds * 1000))
        async with self._sessions.begin() as db:
            await self._webhooks.record(db, delivery, call, status)
            if status is not DeliveryStatus.FAILED:
                return
            if answer.status_code == _GONE:
                await self._webhooks.disable(db, delivery.endpoint_id, "gone")
            else:
                since = delivery.created_at
                await self._webhooks.disable(db, delivery.endpoint_id, "failing", unless_success_since=since)

    async def _give_up(self, delivery: WebhookDelivery) -> None:
        async with self._sessions.begin() as db:
            await self._webhooks.give_up(db, delivery.id)

    def _verdict(self, delivery: WebhookDelivery, answer: Answer, *, is_over: bool) -> Exception:
        reason = _error(answer) or "no answer"
        if is_over:
            return PermanentError(reason)
        wait = self._schedule[delivery.tries] * random.uniform(1, 1 + _JITTER)
        return TransientError(reason, retry_after=max(wait, answer.retry_after or timedelta(0)))


def _error(answer: Answer) -> str | None:
    if answer.status_code is None:
        return answer.error
    if 200 <= answer.status_code < 300:
        return None
    return f"answered {answer.status_code}" + (", and redirects are not followed" if answer.status_code < 400 else "")
