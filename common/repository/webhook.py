"""Queries about webhooks. Every query of a user names tenant and owner; deliveries are reached through endpoints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Text, and_, cast, delete, exists, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import aliased

from common.database.model import DeliveryStatus, Job, JobWebhook, WebhookDelivery, WebhookEndpoint, WebhookTry
from common.repository.job import Owner
from common.repository.reach import Reach, within
from common.repository.sql import AnyExecutor, Executor, fetch, statement
from common.webhook.words import PROGRESS

_LONGEST_TURN = timedelta(minutes=5)
_HAS_NEW = statement("SELECT EXISTS (SELECT FROM webhook_deliveries WHERE queued_at IS NULL)")


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries of an endpoint to list, newest first."""

    status: DeliveryStatus | None = None
    before_id: UUID | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a job comes from, for the log lines and spans of what it leads to."""

    request_id: str | None
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Call:
    """How one call went."""

    attempt: int
    status_code: int | None
    error: str | None
    response: str | None
    duration_ms: int


class WebhookRepository:
    """Endpoints, deliveries and calls."""

    async def create(self, db: Executor, owner: Owner, values: Mapping[str, Any]) -> WebhookEndpoint:
        """Insert an endpoint."""
        row = {**values, "tenant_id": owner.tenant_id, "owner_id": owner.user_id}
        query = insert(WebhookEndpoint).values(row).returning(WebhookEndpoint)
        return (await db.execute(query)).scalar_one()

    async def count(self, db: Executor, owner: Owner) -> int:
        """How many endpoints the owner has."""
        return (await db.execute(select(func.count()).select_from(WebhookEndpoint).where(_of(owner)))).scalar_one()

    async def list(self, db: Executor, reach: Reach) -> Sequence[WebhookEndpoint]:
        """The endpoints within reach, oldest first."""
        query = select(WebhookEndpoint).where(*within(WebhookEndpoint, reach)).order_by(WebhookEndpoint.id)
        return (await db.execute(query)).scalars().all()

    async def find(self, db: Executor, endpoint_id: UUID, reach: Reach) -> WebhookEndpoint | None:
        """The endpoint, if it is within reach."""
        query = select(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id, *within(WebhookEndpoint, reach))
        return (await db.execute(query)).scalar_one_or_none()

    async def change(
        self, db: Executor, endpoint_id: UUID, owner: Owner, values: Mapping[str, Any]
    ) -> WebhookEndpoint | None:
        """Change an endpoint and return it."""
        query = (
            update(WebhookEndpoint)
            .where(WebhookEndpoint.id == endpoint_id, _of(owner))
            .values({**values, "updated_at": func.now()})
            .returning(WebhookEndpoint)
            .execution_options(populate_existing=True)
        )
        return (await db.execute(query)).scalar_one_or_none()

    async def delete(self, db: Executor, endpoint_id: UUID, owner: Owner) -> bool:
        """Remove an endpoint with all of its deliveries."""
        query = delete(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id, _of(owner))
        return (await db.execute(query.returning(WebhookEndpoint.id))).first() is not None

    async def attach(self, db: Executor, job_id: UUID, owner: Owner, wanted: str) -> bool:
        """Tell one of the owner's enabled endpoints, by id or URL, of the end of a job. False when there is none."""
        is_wanted = (cast(WebhookEndpoint.id, Text) == wanted.lower()) | (WebhookEndpoint.url == wanted)
        found = (
            select(WebhookEndpoint.id)
            .where(_of(owner), is_wanted, WebhookEndpoint.disabled_at.is_(None))
            .order_by(WebhookEndpoint.id)
            .limit(1)
        )
        endpoint_id = (await db.execute(found)).scalar_one_or_none()
        if endpoint_id is not None:
            row = {"job_id": job_id, "endpoint_id": endpoint_id}
            await db.execute(upsert(JobWebhook).values(row).on_conflict_do_nothing())
        return endpoint_id is not None

    async def add_delivery(self, db: Executor, values: Mapping[str, Any]) -> WebhookDelivery:
        """Insert a delivery; a dispatcher finds it."""
        query = insert(WebhookDelivery).values(dict(values)).returning(WebhookDelivery)
        return (await db.execute(query)).scalar_one()

    async def list_deliveries(
        self, db: Executor, endpoint_id: UUID, wanted: DeliveryFilter
    ) -> Sequence[WebhookDelivery]:
        """Deliveries of an endpoint, newest first."""
        query = select(WebhookDelivery).where(WebhookDelivery.endpoint_id == endpoint_id)
        if wanted.status is not None:
            query = query.where(WebhookDelivery.status == str(wanted.status))
        if wanted.before_id is not None:
            query = query.where(WebhookDelivery.id < wanted.before_id)
        return (await db.execute(query.order_by(WebhookDelivery.id.desc()).limit(wanted.limit))).scalars().all()

    async def find_delivery(self, db: Executor, delivery_id: UUID, endpoint_id: UUID) -> WebhookDelivery | None:
        """One delivery of an endpoint."""
        query = select(WebhookDelivery).where(
            WebhookDelivery.id == delivery_id, WebhookDelivery.endpoint_id == endpoint_id
        )
        return (await db.execute(query)).scalar_one_or_none()

    async def list_tries(self, db: Executor, delivery_ids: Sequence[UUID]) -> Sequence[WebhookTry]:
        """The calls of these deliveries, oldest first."""
        query = select(WebhookTry).where(WebhookTry.delivery_id.in_(delivery_ids))
        return (await db.execute(query.order_by(WebhookTry.delivery_id, WebhookTry.attempt))).scalars().all()

    async def has_new(self, db: AnyExecutor) -> bool:
        """Whether there are deliveries without a job."""
        [row] = await fetch(db, _HAS_NEW, {})
        return bool(row[0])

    async def take_new(
        self, db: Executor, limit: int, *, progress_interval: timedelta = timedelta(0)
    ) -> Sequence[WebhookDelivery]:
        """Deliveries without a job, locked until the transaction ends and marked as queued by it.

        One waits for the first call of those before it about the same job, and progress for `progress_interval` after
        the last.
        """
        new = (
            select(WebhookDelivery.id)
            .where(WebhookDelivery.queued_at.is_(None), ~_has_uncalled(), ~_is_early(progress_interval))
            .order_by(WebhookDelivery.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        query = (
            update(WebhookDelivery)
            .where(WebhookDelivery.id.in_(new.scalar_subquery()))
            .values(queued_at=func.now())
            .returning(WebhookDelivery)
        )
        return (await db.execute(query)).scalars().all()

    async def find_origins(self, db: Executor, deliveries: Sequence[WebhookDelivery]) -> dict[UUID, Origin]:
        """Where the jobs come from that these deliveries tell of, by the ids of the deliveries."""
        if not deliveries:
            return {}
        query = (
            select(WebhookDelivery.id, Job.request_id, Job.traceparent)
            .join(Job, (Job.id == WebhookDelivery.job_id) & (Job.tenant_id == WebhookDelivery.tenant_id))
            .where(WebhookDelivery.id.in_([each.id for each in deliveries]))
        )
        return {delivery_id: Origin(*origin) for delivery_id, *origin in (await db.execute(query)).all()}

    async def load(self, db: Executor, delivery_id: UUID) -> tuple[WebhookDelivery, WebhookEndpoint] | None:
        """A delivery and where it goes."""
        query = (
            select(WebhookDelivery, WebhookEndpoint)
            .join(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id)
            .where(WebhookDelivery.id == delivery_id)
        )
        row = (await db.execute(query)).first()
        return None if row is None else (row[0], row[1])

    async def record(self, db: Executor, delivery: WebhookDelivery, call: Call, status: DeliveryStatus) -> None:
        """Keep a call and where it leaves its delivery; the same call twice is one."""
        row = {
            "delivery_id": delivery.id,
            "attempt": call.attempt,
            "status_code": call.status_code,
            "error": call.error,
            "response": call.response,
            "duration_ms": call.duration_ms,
        }
        kept = upsert(WebhookTry).values(row).on_conflict_do_nothing().returning(WebhookTry.attempt)
        if (await db.execute(kept)).first() is None:
            return
        is_delivered = status is DeliveryStatus.DELIVERED
        changes: dict[str, Any] = {"tries": WebhookDelivery.tries + 1, "status": str(status)}
        changes |= {"delivered_at": func.now()} if is_delivered else {}
        await db.execute(update(WebhookDelivery).where(WebhookDelivery.id == delivery.id).values(changes))
        if is_delivered:
            success = update(WebhookEndpoint).where(WebhookEndpoint.id == delivery.endpoint_id)
            await db.execute(success.values(last_success_at=func.now()))

    async def give_up(self, db: Executor, delivery_id: UUID) -> None:
        """No call comes any more."""
        query = update(WebhookDelivery).where(WebhookDelivery.id == delivery_id)
        await db.execute(query.values(status=str(DeliveryStatus.FAILED)))

    async def disable(
        self, db: Executor, endpoint_id: UUID, reason: str, *, unless_success_since: datetime | None = None
    ) -> bool:
        """Call an endpoint no more; not when it took something since `unless_success_since`."""
        query = update(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id, WebhookEndpoint.disabled_at.is_(None))
        if unless_success_since is not None:
            last = WebhookEndpoint.last_success_at
            query = query.where(last.is_(None) | (last < unless_success_since))
        values = {"disabled_at": func.now(), "disabled_reason": reason, "updated_at": func.now()}
        return (await db.execute(query.values(values).returning(WebhookEndpoint.id))).first() is not None

    async def lock_sealed_otherwise(
        self, db: Executor, mark: str, after: UUID, limit: int
    ) -> Sequence[WebhookEndpoint]:
        """Endpoints behind `after` with a secret that does not begin with `mark`, locked until the transaction ends."""
        is_other = ~WebhookEndpoint.secret.startswith(mark, autoescape=True) | ~func.coalesce(
            WebhookEndpoint.previous_secret, mark
        ).startswith(mark, autoescape=True)
        query = select(WebhookEndpoint).where(WebhookEndpoint.id > after, is_other).order_by(WebhookEndpoint.id)
        return (await db.execute(query.limit(limit).with_for_update(skip_locked=True))).scalars().all()

    async def purge(self, db: Executor, retention: timedelta, limit: int) -> int:
        """Remove deliveries that were written longer ago; returns how many."""
        old = select(WebhookDelivery.id).where(WebhookDelivery.created_at < func.now() - retention).limit(limit)
        query = delete(WebhookDelivery).where(WebhookDelivery.id.in_(old.scalar_subquery()))
        return len((await db.execute(query.returning(WebhookDelivery.id))).all())


def _has_uncalled() -> ColumnElement[bool]:
    """Whether an earlier message about the same job was not sent yet; not for long, whatever became of it."""
    before = aliased(WebhookDelivery)
    return exists().where(
        before.endpoint_id == WebhookDelivery.endpoint_id,
        before.job_id == WebhookDelivery.job_id,
        before.occurred_at < WebhookDelivery.occurred_at,
        before.status == str(DeliveryStatus.PENDING),
        before.tries == 0,
        before.created_at > func.now() - _LONGEST_TURN,
    )


def _is_early(interval: timedelta) -> ColumnElement[bool]:
    last = aliased(WebhookDelivery)
    return (WebhookDelivery.type == PROGRESS) & exists().where(
        last.endpoint_id == WebhookDelivery.endpoint_id,
        last.job_id == WebhookDelivery.job_id,
        last.type == PROGRESS,
        last.queued_at > func.now() - interval,
    )


def _of(owner: Owner) -> ColumnElement[bool]:
    return and_(WebhookEndpoint.tenant_id == owner.tenant_id, WebhookEndpoint.owner_id == owner.user_id)
