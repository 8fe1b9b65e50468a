"""What a job has paid for, seen by one attempt: which call comes next, and whether it was answered before."""

from collections import Counter
from collections.abc import Awaitable, Callable
from hashlib import sha256
from time import monotonic
from typing import Any

from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, to_json

from common.errors import PermanentError
from common.ids import new_id
from common.ports import CallOrigin
from common.repository.paid_call import CallKey, Settlement
from worker.llm.ledger import PaidLedger


class AttemptJournal:
    """Implements `common.ports.Journal` for one attempt; the gateways of models share its count of equal calls."""

    def __init__(self, ledger: PaidLedger, origin: CallOrigin) -> None:
        self._ledger = ledger
        self._origin = origin
        self._counts: Counter[tuple[str, str]] = Counter()

    def next_key(self, port: str, step: str | None, request: Any) -> CallKey:
        """The key of the call that is about to be made through `port`. Call it once for each, in their order."""
        text = to_json([port, request], inf_nan_mode="strings")
        name, digest = step or "", sha256(text).hexdigest()
        ordinal = self._counts[name, digest]
        self._counts[name, digest] += 1
        return CallKey(self._origin.job_id, name, digest, ordinal)

    async def find(self, key: CallKey) -> tuple[bool, Any]:
        """Whether an earlier attempt was answered, and the answer. The first attempt knows without looking."""
        if self._origin.attempt <= 1:
            return False, None
        return await self._ledger.find(key)

    async def once(self, step: str, request: JsonValue, call: Callable[[], Awaitable[JsonValue]]) -> Any:
        """See `Journal.once`."""
        key = self.next_key("once", step, request)
        is_known, answer = await self.find(key)
        if is_known:
            return answer
        begun = monotonic()
        answer = await call()
        try:
            to_json(answer)
        except PydanticSerializationError as error:
            raise PermanentError(f"the result of step {step!r} cannot be stored") from error
        await self._ledger.settle(
            Settlement(new_id(), self._origin, seconds=monotonic() - begun, key=key, response=answer)
        )
        return answer
