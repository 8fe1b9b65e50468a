"""Where paid calls are let out and settled: limits, budgets, cooling models, usage. Chats and embeddings share it."""

import random
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import UUID

from common.errors import PermanentError, Snooze
from common.ids import new_id
from common.ports import CallOrigin, Usage
from common.repository.paid_call import CallKey, Refusal, Reserve, Settlement, Spending
from worker.config import WorkerSettings
from worker.llm.breaker import Breaker
from worker.llm.card import ModelCard
from worker.llm.cooling import CoolingPatience, put_off
from worker.llm.errors import OverloadedError
from worker.llm.flow import FlowCall, FlowControl, Permit
from worker.llm.flow import Refusal as FlowRefusal
from worker.llm.flow_limits import FlowLimits
from worker.llm.ledger import PaidLedger

_NOTHING = Usage()
_TURN_SPREAD = 30.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """How much a call will count. `tokens` is a guess for the limits; the `most_` are what budgets keep back."""

    tokens: int
    most_input: int
    most_output: int = 0

    @property
    def most(self) -> Usage:
        """The dearest that the call can become."""
        total = self.most_input + self.most_output
        return Usage(input_tokens=self.most_input, output_tokens=self.most_output, total_tokens=total)


class OpenCall:
    """A call that may go out. Exactly one of `settle`, `fail` and `drop` ends it."""

    def __init__(
        self, desk: "CallDesk", origin: CallOrigin, card: ModelCard, permit: Permit | None, call_id: UUID
    ) -> None:
        self._desk, self._origin, self._card, self._permit, self._id = desk, origin, card, permit, call_id
        self._begun = monotonic()

    async def settle(
        self, usage: Usage, *, is_estimated: bool = False, key: CallKey | None = None, response: Any = None
    ) -> Spending:
        """The call was answered: write usage and cost, give back the rest, keep `response` under `key` for retries.

        Raises as `PaidLedger.settle` does.
        """
        spending = self._spend(usage, is_estimated=is_estimated)
        self._desk.breaker.succeeded(self._card.name)
        try:
            # First of all, before Redis is waited for: what is not written yet would be paid again.
            await self._desk.ledger.settle(self._settlement(spending, key=key, response=response))
        finally:
            await self._desk.give_back(self._permit, usage.total_tokens)
        return spending

    async def fail(self, error: Exception, usage: Usage = _NOTHING) -> None:
        """The provider did not do its part; `usage` is what it may bill all the same, guessed."""
        await self._desk.breaker.failed(self._card.name, error)
        await self.drop(usage)

    async def drop(self, usage: Usage = _NOTHING) -> None:
        """The call ended without an answer. Raises nothing."""
        spending = self._spend(usage, is_estimated=True) if usage.total_tokens else None
        await self._desk.give_back(self._permit, usage.total_tokens)
        await self._desk.ledger.settle_anyway(self._settlement(spending))

    def _spend(self, usage: Usage, *, is_estimated: bool) -> Spending:
        cost, spent = self._card.prices.cost(usage), self._origin.spent
        spent.calls += 1
        spent.input_tokens += usage.input_tokens
        spent.output_tokens += usage.output_tokens
        spent.cost += cost
        return Spending(
            model=self._card.name,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cached_tokens=usage.cached_tokens,
            cost=cost,
            is_estimated=is_estimated,
        )

    def _settlement(self, spending: Spending | None, *, key: CallKey | None = None, response: Any = None) -> Settlement:
        return Settlement(self._id, self._origin, monotonic() - self._begun, spending, key, response)


class CallDesk:
    """One a process."""

    def __init__(
        self,
        settings: WorkerSettings,
        ledger: PaidLedger,
        flow: FlowControl,
        breaker: Breaker,
        cooling: CoolingPatience,
    ) -> None:
        self.judge_wait = cooling.judge
        self._cooldown = settings.llm_cooldown
        self._patience = settings.llm_limit_patience
        self._fails_over_budget = settings.llm_over_budget == "fail"
        self.ledger = ledger
        self.breaker = breaker
        self._flow = flow

    async def open(
        self, origin: CallOrigin, card: ModelCard, estimate: Estimate, *, is_admitted: bool = False
    ) -> OpenCall:
        """Leave for one call, with what it may cost kept back. `is_admitted`: whoever calls sees to the limits.

        Raises `Snooze` when it has to wait for a limit, a cooling model or a budget, and `PermanentError` when no
        budget would ever let it out, or the setting says so.
        """
        permit = None if is_admitted else await self._admit(origin, card, estimate)
        call_id = new_id()
        try:
            most = estimate.most
            reserve = Reserve(call_id, origin, card.name, card.prices.cost(most), most.total_tokens)
            refusal = await self.ledger.reserve(reserve)
        except BaseException:
            await self._refund(permit)
            raise
        if refusal is not None:
            await self._refund(permit)
            raise self._over_budget(card, refusal)
        return OpenCall(self, origin, card, permit, call_id)

    def put_off(self, error: OverloadedError) -> Snooze:
        """The wait that a provider's 429 asks for."""
        return put_off(error, self._cooldown)

    async def note_cached(self, origin: CallOrigin, card: ModelCard, key: CallKey, response: Any) -> None:
        """Write down that a call was answered without asking the provider."""
        spending = Spending(card.name, 0, 0, 0, card.prices.cost(_NOTHING), is_cached=True)
        await self.ledger.settle(Settlement(new_id(), origin, 0.0, spending, key, response))

    async def give_back(self, permit: Permit | None, tokens: int) -> None:
        """The call ended and used `tokens`."""
        if permit is not None:
            await self._flow.settle(permit, tokens)

    async def _refund(self, permit: Permit | None) -> None:
        if permit is not None:
            await self._flow.refund(permit)

    async def _admit(self, origin: CallOrigin, card: ModelCard, estimate: Estimate) -> Permit:
        call = FlowCall(
            card.name, estimate.tokens, f"job:{origin.job_id}", tenant_id=origin.tenant_id, limits=flow_limits(card)
        )
        if isinstance(found := await self._flow.acquire_within(call, self._patience), FlowRefusal):
            raise found.to_snooze()
        return found

    def _over_budget(self, card: ModelCard, refusal: Refusal) -> Exception:
        if refusal.is_never:
            return PermanentError(
                f"one call of {card.name} may cost more than the whole budget; ask for less with max_tokens, "
                "or have the budget raised"
            )
        if self._fails_over_budget and refusal.is_spent:
            return PermanentError(f"the budget for {card.name} is used up")
        spread = random.uniform(0, _TURN_SPREAD)
        if refusal.is_spent:
            return Snooze(refusal.wait + timedelta(seconds=spread), "budget")
        # Only what others have reserved is in the way: most of it comes back when their calls end.
        return Snooze(timedelta(seconds=1 + spread / 15), "budget")


def flow_limits(card: ModelCard) -> FlowLimits:
    """The model's own limits, as the flow control takes them."""
    limits = card.limits
    return FlowLimits(limits.requests_per_minute or 0, limits.tokens_per_minute or 0, limits.concurrency or 0)
