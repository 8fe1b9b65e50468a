"""From deliveries that a trigger wrote to the jobs that make them."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from time import monotonic

from loguru import logger
from pydantic_core import to_json

from common.database.direct import DirectPool
from common.database.model import Job
from common.database.session import Sessions
from common.jobs.webhook_deliver import webhook_deliver
from common.queue.announcer import Announcer
from common.repository.job import JobRepository, NewJob, Owner
from common.repository.webhook import Origin, WebhookRepository
from common.vault import Vault
from common.webhook.words import DELIVERING_USER_ID
from worker.webhook.secrets import renew_seals

_BATCH = 200
_PURGE_EVERY = 600.0
_CALLS_AT_ONCE = 4
_NOWHERE = Origin(None, None)


class WebhookDispatcher:
    """A loop of every worker. Rows are taken with SKIP LOCKED, so several may look at the same time.

    A delivery's job has the delivery's id, and both are written in one transaction: none is missed, none doubled.
    """

    def __init__(
        self,
        sessions: Sessions,
        webhooks: WebhookRepository,
        jobs: JobRepository,
        announcer: Announcer,
        interval: timedelta,
        retention: timedelta,
        vault: Vault,
        progress_interval: timedelta,
        called: asyncio.Event,
        direct: DirectPool,
    ) -> None:
        self._sessions = sessions
        self._webhooks = webhooks
        self._jobs = jobs
        self._announcer = announcer
        self._interval = interval.total_seconds()
        self._retention = retention
        self._vault = vault
        self._progress_interval = progress_interval
        self._called = called
        self._direct = direct
        self._purge_at = monotonic() + _PURGE_EVERY
        self._renew_at = monotonic()

    async def run(self) -> None:
        """Look every interval, and after each call, until cancelled."""
        while True:
            try:
                while await self._webhooks.has_new(self._direct) and len(await self.dispatch()) == _BATCH:
                    pass
                await self._purge()
                await self._renew()
            except Exception as error:
                logger.warning("Webhooks wait: {}", type(error).__name__)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._called.wait(), self._interval)
            self._called.clear()

    async def dispatch(self) -> list[Job]:
        """Make the jobs of the deliveries that have none."""
        async with self._sessions.begin() as db:
            new = await self._webhooks.take_new(db, _BATCH, progress_interval=self._progress_interval)
            origins = await self._webhooks.find_origins(db, new)
            rows = [
                NewJob(
                    id=delivery.id,
                    owner=Owner(delivery.tenant_id, DELIVERING_USER_ID),
                    kind=webhook_deliver.name,
                    queue=webhook_deliver.queue,
                    payload_json=to_json({"delivery_id": delivery.id}).decode(),
                    max_attempts=webhook_deliver.retry.max_attempts,
                    timeout=webhook_deliver.timeout,
                    # None for a call that is about no job, and for a job that is gone already.
                    request_id=origins.get(delivery.id, _NOWHERE).request_id,
                    traceparent=origins.get(delivery.id, _NOWHERE).traceparent,
                    # A slow receiver must not take all the places of a worker.
                    limits={f"webhook:{delivery.endpoint_id}": _CALLS_AT_ONCE},
                )
                for delivery in new
            ]
            jobs = await self._jobs.insert(db, rows) if rows else []
        if jobs:
            await self._announcer.announce_many(jobs)
        return jobs

    async def _purge(self) -> None:
        if monotonic() < self._purge_at:
            return
        self._purge_at = monotonic() + _PURGE_EVERY
        async with self._sessions.begin() as db:
            await self._webhooks.purge(db, self._retention, _BATCH * 10)

    async def _renew(self) -> None:
        if monotonic() < self._renew_at:
            return
        self._renew_at = monotonic() + _PURGE_EVERY
        await renew_seals(self._sessions, self._webhooks, self._vault)
