"""Queries about paid calls: answers kept for retries, money kept back before a call, and what it came to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic_core import from_json, to_json

from common.ports import CallOrigin
from common.repository.paid_call_sql import FIND, RELEASE_DEAD, RESERVE, SETTLE
from common.repository.sql import AnyExecutor, fetch


@dataclass(frozen=True, slots=True)
class CallKey:
    """What tells the paid calls of a job apart. `ordinal` counts equal calls of one step, from 0."""

    job_id: UUID
    step: str
    input_hash: str
    ordinal: int


@dataclass(frozen=True, slots=True)
class Reserve:
    """The most that a call may cost (US dollars) and count (tokens), to be kept back before it begins."""

    call_id: UUID
    origin: CallOrigin
    model: str
    cost: Decimal
    tokens: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """A budget has no room. `wait` is until its window turns; with `is_spent` unset what others reserved is in the way.

    `is_never` says that the call alone is more than the budget.
    """

    wait: timedelta
    is_spent: bool
    is_never: bool


@dataclass(frozen=True, slots=True)
class Spending:
    """What a call came to, as the provider counted it or, with `is_estimated`, as we guess. Cost in US dollars."""

    model: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost: Decimal
    is_cached: bool = False
    is_estimated: bool = False


@dataclass(frozen=True, slots=True)
class Settlement:
    """The end of a call: what it came to, if it cost anything, and the answer to keep, if it is whole."""

    call_id: UUID
    origin: CallOrigin
    seconds: float = 0.0
    spending: Spending | None = None
    key: CallKey | None = None
    response: Any = None

    def as_row(self) -> dict[str, Any]:
        """The settlement as the statement reads it."""
        origin, key, spent = self.origin, self.key, self.spending
        row: dict[str, Any] = {
            "call_id": self.call_id,
            "job_id": origin.job_id,
            "attempt": origin.attempt,
            "tenant_id": origin.tenant_id,
            "owner_id": origin.owner_id,
            "seconds": self.seconds,
        }
        if key is not None:
            row |= {"step": key.step, "input_hash": key.input_hash, "ordinal": key.ordinal, "response": self.response}
        if spent is not None:
            row |= {
                "model": spent.model,
                "input_tokens": spent.input_tokens,
                "output_tokens": spent.output_tokens,
                "cached_tokens": spent.cached_tokens,
                "cost": spent.cost,
                "is_cached": spent.is_cached,
                "is_estimated": spent.is_estimated,
            }
        return row


class PaidCallRepository:
    """The books of paid calls. Every statement stands alone and takes many calls at once."""

    async def find(self, db: AnyExecutor, keys: Sequence[CallKey]) -> dict[CallKey, Any]:
        """The answers that were kept, by key."""
        values = {
            "job_ids": [key.job_id for key in keys],
            "steps": [key.step for key in keys],
            "hashes": [key.input_hash for key in keys],
            "ordinals": [key.ordinal for key in keys],
        }
        return {keys[number - 1]: from_json(response) for number, response in await fetch(db, FIND, values)}

    async def reserve(self, db: AnyExecutor, calls: Sequence[Reserve]) -> dict[UUID, Refusal | None]:
        """Keep back what each call may cost from every budget it counts in; a call that does not fit reserves nothing.

        None is granted. What is missing in the answer belongs to an outdated attempt.
        """
        rows = [
            {
                "call_id": call.call_id,
                "job_id": call.origin.job_id,
                "attempt": call.origin.attempt,
                "tenant_id": call.origin.tenant_id,
                "model": call.model,
                "cost": call.cost,
                "tokens": call.tokens,
            }
            for call in calls
        ]
        found: dict[UUID, Refusal | None] = {}
        for call_id, is_over, wait, is_spent, is_never in await fetch(db, RESERVE, {"calls": _json(rows)}):
            found[call_id] = Refusal(wait, bool(is_spent), bool(is_never)) if is_over else None
        return found

    async def settle(self, db: AnyExecutor, calls: Sequence[Settlement]) -> set[UUID]:
        """Write down what calls came to, give back what was reserved, keep the answers.

        The ids of the calls whose attempt is still the current one; of others the money counts, the answer does not.
        """
        rows = [call.as_row() for call in calls]
        return {row[0] for row in await fetch(db, SETTLE, {"calls": _json(rows)})}

    async def release_dead(self, db: AnyExecutor, *, limit: int) -> int:
        """Give back what attempts reserved that do not run any more; how many calls had nobody to write their end."""
        [row] = await fetch(db, RELEASE_DEAD, {"limit": limit})
        return int(row[0])


def _json(rows: list[dict[str, Any]]) -> str:
    return to_json(rows).decode()
