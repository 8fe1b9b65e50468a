"""Usage and cost as users see them."""

from datetime import date
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field


class UsageTotal(BaseModel):
    """What calls of models came to."""

    model_config = ConfigDict(from_attributes=True)

    calls: int
    cached_calls: int = Field(description="Those of them that were answered from Letuin's cache, which cost nothing.")
    input_tokens: int
    output_tokens: int
    cached_tokens: int = Field(description="Of the input, what providers had read before, at a lower price.")
    cost: Decimal = Field(description="US dollars, by the prices of the models' settings.")


class UsageRow(UsageTotal):
    """The sum of one group; what was not grouped by is null."""

    day: date | None = Field(description="UTC.")
    model: str | None
    kind: str | None = Field(description="The kind of the jobs that made the calls.")


class UsageReport(BaseModel):
    """Sums by group, newest day first, and of all."""

    since: date
    until: date
    items: list[UsageRow]
    total: UsageTotal
