"""Paid calls: what was answered, what it cost, and how much a tenant may spend."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Numeric, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from common.database.model.base import Base

_MONEY = Numeric(20, 10)
_NOUGHT = text("0")


class BudgetPeriod(StrEnum):
    """How long a budget lasts before it starts anew, at midnight UTC."""

    DAY = "day"
    MONTH = "month"


class PaidCall(Base):
    """The answer to one paid call of a job: a retry that asks the same again gets it from here."""

    __tablename__ = "paid_calls"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[str] = mapped_column(primary_key=True)
    input_hash: Mapped[str] = mapped_column(primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    attempt: Mapped[int]
    response: Mapped[Any] = mapped_column(JSONB(none_as_null=False))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class UsageRecord(Base):
    """One call and its price; it outlives its job. `started_at` is when the call began, by the database's clock.

    `is_cached` calls were answered by Letuin itself. `is_estimated`: the provider did not say what it counted.
    """

    __tablename__ = "usage_records"
    __table_args__ = (
        Index("ix_usage_records_tenant_id", "tenant_id", "started_at"),
        Index("ix_usage_records_owner_id", "owner_id", "started_at"),
        Index("ix_usage_records_started_at", "started_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    owner_id: Mapped[UUID]
    job_id: Mapped[UUID]
    attempt: Mapped[int]
    kind: Mapped[str]
    model: Mapped[str]
    input_tokens: Mapped[int] = mapped_column(BigInteger)
    output_tokens: Mapped[int] = mapped_column(BigInteger)
    cached_tokens: Mapped[int] = mapped_column(BigInteger)
    cost: Mapped[Decimal] = mapped_column(_MONEY)
    is_cached: Mapped[bool]
    is_estimated: Mapped[bool]
    started_at: Mapped[datetime]


class Budget(Base):
    """What a tenant may spend in a period, on one model or on all; the current window is in the row.

    Money in the currency of the prices (US dollars). What is `reserved` belongs to calls under way.
    """

    __tablename__ = "budgets"
    __table_args__ = (
        CheckConstraint("period IN ('day', 'month')", name="period"),
        CheckConstraint("max_cost IS NOT NULL OR max_tokens IS NOT NULL", name="limit"),
        CheckConstraint("reserved_cost >= 0 AND reserved_tokens >= 0", name="reserved"),
        Index("uq_budgets_tenant_id", "tenant_id", text("coalesce(model, '')"), "period", unique=True),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    model: Mapped[str | None]
    period: Mapped[str]
    max_cost: Mapped[Decimal | None] = mapped_column(_MONEY)
    max_tokens: Mapped[int | None] = mapped_column(BigInteger)
    is_imposed: Mapped[bool] = mapped_column(server_default=text("false"))
    window_start: Mapped[datetime]
    spent_cost: Mapped[Decimal] = mapped_column(_MONEY, server_default=_NOUGHT)
    spent_tokens: Mapped[int] = mapped_column(BigInteger, server_default=_NOUGHT)
    reserved_cost: Mapped[Decimal] = mapped_column(_MONEY, server_default=_NOUGHT)
    reserved_tokens: Mapped[int] = mapped_column(BigInteger, server_default=_NOUGHT)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class BudgetReservation(Base):
    """The most that a call under way may cost, kept back from one budget for one attempt of a job."""

    __tablename__ = "budget_reservations"
    __table_args__ = (Index("ix_budget_reservations_job_id", "job_id"),)

    call_id: Mapped[UUID] = mapped_column(primary_key=True)
    budget_id: Mapped[UUID] = mapped_column(ForeignKey("budgets.id", ondelete="CASCADE"), primary_key=True)
    job_id: Mapped[UUID]
    attempt: Mapped[int]
    window_start: Mapped[datetime]
    cost: Mapped[Decimal] = mapped_column(_MONEY)
    tokens: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
