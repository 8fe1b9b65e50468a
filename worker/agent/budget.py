"""What a run has used, against what it may use: all attempts of its job together."""

from common.agents import AgentLimits
from common.errors import LimitReachedError
from common.ports import CallTally, Usage
from common.repository.run_so_far import RunSoFar


class Budget:
    """Counts for one run. `spent` is what this attempt's calls come to, `before` what earlier attempts came to.

    Every method raises `LimitReachedError` that names the limit which was reached.
    """

    def __init__(self, limits: AgentLimits, spent: CallTally | None = None, before: RunSoFar | None = None) -> None:
        self.limits = limits
        self.steps = 0
        self._spent = spent or CallTally()
        self._before = before or RunSoFar()
        self.tool_calls = self._before.tool_calls

    @property
    def usage(self) -> Usage:
        """Tokens of every call of a model that the run has paid for."""
        read = self._before.input_tokens + self._spent.input_tokens
        written = self._before.output_tokens + self._spent.output_tokens
        return Usage(input_tokens=read, output_tokens=written, total_tokens=read + written)

    @property
    def cost(self) -> float | None:
        """What they cost, US dollars; None when no model was asked."""
        has_asked = self._before.calls + self._spent.calls > 0
        return float(self._before.cost + self._spent.cost) if has_asked else None

    @property
    def round(self) -> int:
        """Another number each time that the job's owner has it done again."""
        return self._before.round

    def seconds_left(self) -> float:
        """How long this attempt may run."""
        ran, most = self._before.ran.total_seconds(), self.limits.max_seconds
        if ran >= most:
            raise self.out_of_time()
        return most - ran

    def out_of_time(self) -> LimitReachedError:
        """The error for a run that took too long."""
        most = self.limits.max_seconds
        return _reached(f"the run took more than {most:g} s", "max_seconds", most)

    def take_steps(self, steps: int, *, wants_more: bool) -> None:
        """So many steps of the graph are done."""
        self.steps = steps
        if wants_more and steps >= self.limits.max_steps:
            raise self.out_of_steps()

    def out_of_steps(self) -> LimitReachedError:
        """The error for a run that does not come to its end."""
        most = self.limits.max_steps
        return _reached(f"the run wanted more than {most} steps", "max_steps", most)

    def take_tool_call(self) -> None:
        """Before a tool is called."""
        most = self.limits.max_tool_calls
        if self.tool_calls >= most:
            raise _reached(f"the run wanted more than {most} tool calls", "max_tool_calls", most)
        self.tool_calls += 1

    def check(self) -> None:
        """Before a model is called."""
        tokens, cost, limits = self.usage.total_tokens, self.cost or 0.0, self.limits
        if limits.max_tokens is not None and tokens >= limits.max_tokens:
            raise _reached(f"the run used {tokens} tokens", "max_tokens", limits.max_tokens)
        if limits.max_cost is not None and cost >= limits.max_cost:
            raise _reached(f"the run cost {cost:.6g} US dollars", "max_cost", limits.max_cost)


def _reached(what: str, limit: str, allowed: float) -> LimitReachedError:
    return LimitReachedError(f"{what}; limits.{limit} is {allowed:g}", limit=limit, allowed=allowed)
