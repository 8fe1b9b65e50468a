"""A provider that asks for patience: how long a job is put off, and when that has been long enough."""

import random
from datetime import timedelta

from common.database.direct import DirectPool
from common.errors import JobError, Snooze, TransientError
from common.ports import CallOrigin
from common.repository.run_so_far import RunSoFarRepository
from worker.llm.errors import OverloadedError
from worker.llm.flow import FlowReason
from worker.outlast import outlast

_SHORTEST = timedelta(seconds=1)
_SPREAD = 1.1


def put_off(error: OverloadedError, cooldown: timedelta) -> Snooze:
    """The wait that a 429 asks for, a little spread; `cooldown` where it names no time."""
    delay = cooldown if error.retry_after is None else error.retry_after
    return Snooze(max(delay, _SHORTEST) * random.uniform(1, _SPREAD), FlowReason.COOLDOWN.value)


class CoolingPatience:
    """Bounds how long a job may be put off because models cool down, from its first attempt on."""

    def __init__(self, patience: timedelta, direct: DirectPool, runs: RunSoFarRepository) -> None:
        self._patience = patience
        self._direct = direct
        self._runs = runs

    async def judge(self, origin: CallOrigin, wait: Snooze, cause: TransientError | None = None) -> JobError:
        """What to raise: `wait`, or when a cooling model has made the job wait for too long, a failure of the attempt.

        `cause` is the provider's refusal, if it was met now.
        """
        if wait.message != FlowReason.COOLDOWN:
            return wait
        left = self._patience - await self._waited(origin)
        if left > timedelta(0):
            return Snooze(max(min(wait.delay, left), _SHORTEST), wait.message)
        told = "the model cools down" if cause is None else cause.message
        return TransientError(f"{told}; that has lasted longer than LLM_COOLDOWN_PATIENCE")

    async def _waited(self, origin: CallOrigin) -> timedelta:
        if origin.attempt <= 1:
            return timedelta(0)
        return (await outlast(lambda: self._runs.read(self._direct, origin), what="call")).since
