"""Requests, tokens and calls at once of each model and tenant, counted in Redis over all workers."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from time import monotonic
from typing import Literal, Self
from uuid import UUID

from arq.connections import ArqRedis
from loguru import logger
from redis.exceptions import RedisError

from common.errors import Snooze
from common.ids import new_id
from common.queue.group_commit import GroupCommit
from common.redis import RedisKeys, ScriptCall, run_scripts
from worker.config import WorkerSettings
from worker.llm.flow_limits import FlowLimits, FlowRules
from worker.llm.flow_scripts import ACQUIRE, COOL_DOWN, RENEW, SETTLE

_AWAY = (RedisError, OSError, TimeoutError)
_LONGEST_DELAY = timedelta(minutes=1)
_DELAY_WITHOUT_REDIS = timedelta(seconds=5)
_RENEWALS_PER_LEASE = 3


class FlowReason(StrEnum):
    """Why a call has to wait."""

    RATE = "rate"
    CONCURRENCY = "concurrency"
    COOLDOWN = "cooldown"
    UNAVAILABLE = "limits_unavailable"


@dataclass(frozen=True, slots=True)
class FlowCall:
    """A call that wants to go out.

    `tokens` is what it may use, guessed. `waiter` names it when it comes back, for instance by its job's id. `limits`
    are the model's own. `side`: count it on one side only, where calls of several tenants go to the provider as one.
    """

    model: str
    tokens: int
    waiter: str
    tenant_id: UUID | None = None
    limits: FlowLimits = field(default_factory=FlowLimits)
    side: Literal["both", "model", "tenant"] = "both"


@dataclass(frozen=True, slots=True)
class Permit:
    """A call may go out. Give it back with `settle` or `refund`."""

    id: str
    scopes: tuple[str, ...]
    tokens: int
    cell: int
    begun: float = field(default_factory=monotonic)
    has_slot: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Not now: `delay` is when the caller's turn is expected, a minute at most."""

    delay: timedelta
    reason: FlowReason

    def to_snooze(self) -> Snooze:
        """The error that puts the caller's job off."""
        return Snooze(self.delay, self.reason.value)


class FlowControl:
    """One a process. Every decision is one script in Redis; those of concurrent calls share a round trip.

    `window` is what "a minute" means, `lease` how long a slot outlives a worker that died.
    """

    def __init__(
        self,
        redis: ArqRedis,
        keys: RedisKeys,
        rules: FlowRules,
        *,
        window: timedelta = timedelta(minutes=1),
        lease: timedelta = timedelta(seconds=30),
        without_redis: Literal["open", "closed"] = "open",
    ) -> None:
        self._redis, self._keys, self._rules = redis, keys, rules
        self._window, self._lease = _milliseconds(window), _milliseconds(lease)
        self._is_open = without_redis == "open"
        self._calls: GroupCommit[ScriptCall, list[bytes | int] | None] = GroupCommit(self._run)
        self._looks: GroupCommit[str, bool] = GroupCommit(self._look)
        self._held: dict[str, Permit] = {}
        self._renewing: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, settings: WorkerSettings, redis: ArqRedis, keys: RedisKeys) -> Self:
        """The one that the settings ask for."""
        rules = FlowRules(
            FlowLimits(settings.llm_requests_per_minute, settings.llm_tokens_per_minute, settings.llm_concurrency),
            FlowLimits(
                settings.llm_tenant_requests_per_minute,
                settings.llm_tenant_tokens_per_minute,
                settings.llm_tenant_concurrency,
            ),
        )
        return cls(redis, keys, rules, without_redis=settings.llm_limits_without_redis)

    async def acquire(self, call: FlowCall) -> Permit | Refusal:
        """Leave for one call to the provider, counted at once, or when to ask again. Raises nothing."""
        scopes = self._scopes(call)
        permit_id = str(new_id())
        if not scopes and not await self._may_wait(call):
            return Permit(permit_id, (), call.tokens, 0)
        answer = await self._calls.submit(self._acquisition(call, permit_id, scopes))
        if answer is None:
            if self._is_open:
                return Permit(permit_id, (), call.tokens, 0)
            return Refusal(_DELAY_WITHOUT_REDIS * random.uniform(1, 2), FlowReason.UNAVAILABLE)
        word, number = _text(answer[0]), int(answer[1])
        if word != "granted":
            return Refusal(timedelta(milliseconds=number), FlowReason(word))
        has_slot = any(limits.concurrency for limits in scopes.values())
        permit = Permit(permit_id, tuple(scopes), call.tokens, number, has_slot=has_slot)
        self._hold(permit)
        return permit

    async def acquire_within(self, call: FlowCall, patience: timedelta) -> Permit | Refusal:
        """As `acquire`; waits that fit into `patience` are waited for here."""
        deadline = monotonic() + patience.total_seconds()
        while isinstance(found := await self.acquire(call), Refusal):
            delay = found.delay.total_seconds()
            if monotonic() + delay > deadline:
                return found
            await asyncio.sleep(delay)
        return found

    async def settle(self, permit: Permit, tokens: int | None = None) -> None:
        """The call ended and used `tokens` (None: as guessed). Its slot is free; Redis away, the lease frees it."""
        await self._give_back(permit, 0, 0 if tokens is None else tokens - permit.tokens)

    async def refund(self, permit: Permit) -> None:
        """The call never reached the provider: nothing of it counts."""
        await self._give_back(permit, -1, -permit.tokens)

    async def cool_down(self, model: str, delay: timedelta) -> None:
        """Let no worker call `model` for `delay`. A longer one that runs already stays."""
        await self._calls.submit(ScriptCall(COOL_DOWN, [self._cooldown_key(model)], [_milliseconds(delay)]))

    @asynccontextmanager
    async def admit(self, call: FlowCall, *, patience: timedelta = timedelta(0)) -> AsyncIterator[Permit]:
        """Hold a permit for the block; when it fails, the guess stays counted.

        Waits in place for as long as `patience` allows. Raises `Snooze` when the wait is longer. Whoever knows the
        tokens settles inside the block.
        """
        if isinstance(found := await self.acquire_within(call, patience), Refusal):
            raise found.to_snooze()
        try:
            yield found
        finally:
            await self.settle(found)

    async def aclose(self) -> None:
        """Stop renewing; slots that are still held come back when their lease ends."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait([self._renewing])

    def _cooldown_key(self, model: str) -> str:
        return self._keys.flow(f"model:{model.lower()}", "cooldown")

    def _scopes(self, call: FlowCall) -> dict[str, FlowLimits]:
        # Users name models behind OPENAI_BASE_URL: another case of the letters is no way around a limit.
        model = call.model.lower()
        scopes = {} if call.side == "tenant" else self._rules.of_model(model, call.limits)
        if call.side != "model" and call.tenant_id is not None:
            scopes |= self._rules.of_tenant(model, call.tenant_id)
        return scopes

    async def _may_wait(self, call: FlowCall) -> bool:
        """Whether a call without limits has to wait: for a model that cools, which is asked on the model's side."""
        return call.side != "tenant" and await self._looks.submit(call.model)

    async def _look(self, models: Sequence[str]) -> list[bool]:
        """Whether each model cools. Many calls of one model look once."""
        keys = [self._cooldown_key(model) for model in models]
        try:
            cooling = {key for key in set(keys) if await self._redis.exists(key)}
        except _AWAY as error:
            _warn(error)
            return [not self._is_open] * len(models)
        return [key in cooling for key in keys]

    def _acquisition(self, call: FlowCall, permit_id: str, scopes: dict[str, FlowLimits]) -> ScriptCall:
        keys = [self._cooldown_key(call.model)]
        keys += [self._keys.flow(scope, part) for scope in scopes for part in ("window", "slots", "line", "tags")]
        tokens = max(call.tokens, 1)
        times = (self._window, self._lease, _milliseconds(_LONGEST_DELAY), random.random())
        bounds = [bound for each in scopes.values() for bound in (each.requests, each.tokens, each.concurrency)]
        return ScriptCall(ACQUIRE, keys, [permit_id, call.waiter, str(call.tenant_id), tokens, *times, *bounds])

    async def _give_back(self, permit: Permit, requests: int, tokens: int) -> None:
        if not permit.scopes or self._held.pop(permit.id, None) is None:
            return
        keys = [self._keys.flow(scope, part) for scope in permit.scopes for part in ("window", "slots")]
        held = int((monotonic() - permit.begun) * 1000)
        await self._calls.submit(ScriptCall(SETTLE, keys, [permit.id, permit.cell, requests, tokens, held]))

    async def _run(self, calls: Sequence[ScriptCall]) -> Sequence[list[bytes | int] | None]:
        try:
            return await run_scripts(self._redis, *calls)
        except _AWAY as error:
            _warn(error)
            return [None] * len(calls)

    def _hold(self, permit: Permit) -> None:
        if not permit.scopes:
            return
        self._held[permit.id] = permit
        if permit.has_slot and (self._renewing is None or self._renewing.done()):
            self._renewing = asyncio.create_task(self._renew(), name="flow-leases")

    async def _renew(self) -> None:
        while any(permit.has_slot for permit in self._held.values()):
            await asyncio.sleep(self._lease / 1000 / _RENEWALS_PER_LEASE)
            held = [permit for permit in self._held.values() if permit.has_slot]
            await self._run([self._renewal(permit) for permit in held])

    def _renewal(self, permit: Permit) -> ScriptCall:
        return ScriptCall(RENEW, [self._keys.flow(scope, "slots") for scope in permit.scopes], [permit.id, self._lease])


def _warn(error: Exception) -> None:
    logger.warning("Redis is away; limits of models are not counted: error={}", type(error).__name__)


def _milliseconds(duration: timedelta) -> int:
    return max(int(duration.total_seconds() * 1000), 1)


def _text(value: bytes | int) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
