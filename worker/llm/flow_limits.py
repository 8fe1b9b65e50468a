"""How much of a model may be used at a time: values, and which of them count for a call."""

from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, slots=True)
class FlowLimits:
    """Most requests and tokens a minute, and most calls at the same time; 0 means no limit."""

    requests: int = 0
    tokens: int = 0
    concurrency: int = 0

    def __bool__(self) -> bool:
        return bool(self.requests or self.tokens or self.concurrency)

    def over(self, general: "FlowLimits") -> "FlowLimits":
        """These limits, and `general` where they say nothing."""
        return FlowLimits(
            self.requests or general.requests,
            self.tokens or general.tokens,
            self.concurrency or general.concurrency,
        )


@dataclass(frozen=True, slots=True)
class FlowRules:
    """The limits of each model that has none of its own, and of each tenant with each model."""

    model: FlowLimits = field(default_factory=FlowLimits)
    tenant: FlowLimits = field(default_factory=FlowLimits)

    def of_model(self, model: str, own: FlowLimits) -> dict[str, FlowLimits]:
        """What a call counts against on the provider's side, by the scope's name."""
        limits = own.over(self.model)
        return {f"model:{model}": limits} if limits else {}

    def of_tenant(self, model: str, tenant_id: UUID) -> dict[str, FlowLimits]:
        """What it counts against on the tenant's side."""
        return {f"tenant:{tenant_id}:{model}": self.tenant} if self.tenant else {}
