"""How many mails a minute the provider takes, counted in Redis over all workers."""

import asyncio
from datetime import timedelta
from time import monotonic
from uuid import UUID

from common.errors import Snooze
from worker.llm.flow import FlowCall, FlowControl, Refusal
from worker.llm.flow_limits import FlowLimits

_PROVIDER = "mail"
_PATIENCE = timedelta(seconds=1)


class MailRate:
    """Leave for one mail after the other, in the order in which they asked; without Redis nothing is counted."""

    def __init__(self, flow: FlowControl, per_minute: int) -> None:
        self._flow = flow
        self._limits = FlowLimits(requests=per_minute)

    async def take(self, mail_id: UUID) -> None:
        """Count one mail. Waits a moment when its turn is near, else raises `Snooze` until then."""
        if not self._limits:
            return
        call = FlowCall(_PROVIDER, 1, str(mail_id), limits=self._limits, side="model")
        deadline = monotonic() + _PATIENCE.total_seconds()
        while isinstance(found := await self._flow.acquire(call), Refusal):
            if monotonic() + found.delay.total_seconds() > deadline:
                raise Snooze(found.delay, "mail_rate")
            await asyncio.sleep(found.delay.total_seconds())
        await self._flow.settle(found)
