"""What a run has used, against what it may use."""

from collections.abc import Callable

from common.agents import AgentLimits
from common.errors import PermanentError
from common.ports import Usage

type PriceOf = Callable[[str, Usage], float | None]


class Budget:
    """Counts for one attempt. Every method raises `PermanentError` that names the limit which was reached."""

    def __init__(self, limits: AgentLimits, price_of: PriceOf) -> None:
        self.limits = limits
        self.steps = 0
        self.tool_calls = 0
        self.usage = Usage(input_tokens=0, output_tokens=0, total_tokens=0)
        self.cost: float | None = None
        self._price_of = price_of

    def take_step(self) -> None:
        """One more node has run."""
        self.steps += 1

    def take_tool_call(self) -> None:
        """Before a tool is called."""
        if self.tool_calls >= self.limits.max_tool_calls:
            raise PermanentError(f"the run wanted more than {self.limits.max_tool_calls} tool calls (max_tool_calls)")
        self.tool_calls += 1

    def check(self) -> None:
        """Before a model is called."""
        limit = self.limits
        if limit.max_tokens is not None and self.usage.total_tokens >= limit.max_tokens:
            raise PermanentError(f"the run used {self.usage.total_tokens} tokens; max_tokens is {limit.max_tokens}")
        if limit.max_cost is not None and self.cost is not None and self.cost >= limit.max_cost:
            raise PermanentError(f"the run cost {self.cost:.4f}; max_cost is {limit.max_cost}")

    def add(self, model: str, usage: Usage) -> None:
        """After a model answered."""
        self.usage = Usage(
            input_tokens=self.usage.input_tokens + usage.input_tokens,
            output_tokens=self.usage.output_tokens + usage.output_tokens,
            total_tokens=self.usage.total_tokens + usage.total_tokens,
        )
        if (price := self._price_of(model, usage)) is not None:
            self.cost = (self.cost or 0.0) + price
