"""Budgets as operators see and set them."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from common.chat import ModelName
from common.database.model import BudgetPeriod

_MOST_TOKENS = 2**53
Money = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=8, description="US dollars.")]
Tokens = Annotated[int, Field(ge=0, le=_MOST_TOKENS)]


class BudgetWrite(BaseModel):
    """What may be spent in a period; at least one of `max_cost` and `max_tokens`."""

    model_config = ConfigDict(extra="forbid")

    period: BudgetPeriod
    model: ModelName | None = Field(None, description="Only calls of this model count; left out, all do.")
    max_cost: Money | None = None
    max_tokens: Tokens | None = None
    tenant_id: UUID | None = Field(None, description="Another tenant than yours; for operators of the installation.")

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.max_cost is None and self.max_tokens is None:
            raise ValueError("give max_cost or max_tokens")
        return self


class BudgetChange(BaseModel):
    """Another limit; null lifts one. What is left out stays."""

    model_config = ConfigDict(extra="forbid")

    max_cost: Money | None = None
    max_tokens: Tokens | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("give max_cost or max_tokens")
        return self


class BudgetRead(BaseModel):
    """A budget and how much of its current window is used."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    tenant_id: UUID
    model: str | None
    period: BudgetPeriod
    max_cost: Decimal | None
    max_tokens: int | None
    is_imposed: bool = Field(description="Set by the installation's operators; only they change it.")
    window_start: datetime
    window_end: datetime = Field(description="When it starts anew.")
    spent_cost: Decimal
    spent_tokens: int
    reserved_cost: Decimal = Field(description="What calls under way may cost at most.")
    reserved_tokens: int
    created_at: datetime
    updated_at: datetime


class BudgetList(BaseModel):
    """Budgets, oldest first."""

    items: list[BudgetRead]
