"""The books of paid calls in PostgreSQL, written in groups and through outages."""

import asyncio
from collections.abc import Sequence
from typing import Any

from loguru import logger

from common.database.direct import DirectPool
from common.errors import TransientError
from common.queue.group_commit import GroupCommit
from common.repository.paid_call import CallKey, PaidCallRepository, Refusal, Reserve, Settlement
from worker.outlast import outlast

_LAST_WRITE = 5.0
_WHAT = "call"
_TAKEN_OVER = "another attempt has taken over"


class PaidLedger:
    """One a process: what concurrent calls read and write travels in shared statements."""

    def __init__(self, direct: DirectPool, calls: PaidCallRepository) -> None:
        self._direct = direct
        self._calls = calls
        self._finds = GroupCommit(self._find)
        self._reserves = GroupCommit(self._reserve)
        self._settles = GroupCommit(self._settle)

    async def find(self, key: CallKey) -> tuple[bool, Any]:
        """Whether an answer was kept under `key`, and the answer."""
        return await outlast(lambda: self._finds.submit(key), what=_WHAT)

    async def reserve(self, call: Reserve) -> Refusal | None:
        """Keep back what a call may cost; None is granted. Raises `TransientError` when the attempt is outdated."""
        is_current, refusal = await outlast(lambda: self._reserves.submit(call), what=_WHAT)
        if not is_current:
            raise TransientError(_TAKEN_OVER)
        return refusal

    async def settle(self, call: Settlement) -> None:
        """Write the end of a call down.

        Raises `TransientError` when its attempt is outdated, `PermanentError` for an answer that cannot be stored.
        """
        if not await outlast(lambda: self._settles.submit(call), what=_WHAT):
            raise TransientError(_TAKEN_OVER)

    async def settle_anyway(self, call: Settlement) -> None:
        """Write the end of a call that failed or was stopped; what fails here the reconciler sweeps."""
        writing = asyncio.ensure_future(self._settles.submit(call))
        await asyncio.wait([writing], timeout=_LAST_WRITE)
        if writing.done() and not writing.cancelled() and (error := writing.exception()) is not None:
            logger.warning("The end of a paid call was not written: {}", type(error).__name__)

    async def _find(self, keys: Sequence[CallKey]) -> list[tuple[bool, Any]]:
        found = await self._calls.find(self._direct, keys)
        return [(key in found, found.get(key)) for key in keys]

    async def _reserve(self, calls: Sequence[Reserve]) -> list[tuple[bool, Refusal | None]]:
        found = await self._calls.reserve(self._direct, calls)
        return [(call.call_id in found, found.get(call.call_id)) for call in calls]

    async def _settle(self, calls: Sequence[Settlement]) -> list[bool]:
        current = await self._calls.settle(self._direct, calls)
        return [call.call_id in current for call in calls]
