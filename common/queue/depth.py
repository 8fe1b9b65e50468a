"""How deep the queues are: refused submits instead of queues that nobody can work off. Never a count per request."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from time import monotonic

from loguru import logger

from common.config import CommonSettings
from common.database.outage import DATABASE_ERRORS
from common.database.session import Sessions
from common.errors import RateLimitedError, UnavailableError
from common.repository.depth import DepthRepository
from common.repository.job import Owner

_REFRESH = 1.0
_SHARE = 0.05
_RETRY_AFTER = timedelta(seconds=5)


class DepthGate:
    """Refuses submits to queues, and by owners, with too many waiting jobs.

    The counts are at most a second old, or twenty times as old as counting takes; what this process submits in
    between is added, so one process never goes over by more than what others submit meanwhile.
    """

    def __init__(self, sessions: Sessions, depths: DepthRepository, settings: CommonSettings) -> None:
        self._sessions = sessions
        self._depths = depths
        self._max_queue = settings.max_queue_depth
        self._max_owner = settings.max_owner_queue_depth
        self._queues: Counter[str] = Counter()
        self._owners: Counter[Owner] = Counter()
        self._next_refresh = 0.0

    async def admit(self, owner: Owner, wanted: Mapping[str, int]) -> None:
        """Let so many jobs into each queue. Raises `UnavailableError` for a full queue, `RateLimitedError` for an owner
        with too many waiting jobs."""
        if not (self._max_queue or self._max_owner):
            return
        if monotonic() >= self._next_refresh:
            await self._refresh()
        for queue, jobs in wanted.items():
            if self._max_queue and self._queues[queue] + jobs > self._max_queue:
                message = f"queue {queue} is full; MAX_QUEUE_DEPTH allows {self._max_queue} waiting jobs"
                raise UnavailableError(message, retry_after=_RETRY_AFTER)
        total = sum(wanted.values())
        if self._max_owner and self._owners[owner] + total > self._max_owner:
            message = f"too many of your jobs wait; MAX_OWNER_QUEUE_DEPTH allows {self._max_owner}"
            raise RateLimitedError(message, retry_after=_RETRY_AFTER)
        self._queues.update(wanted)
        self._owners[owner] += total

    async def _refresh(self) -> None:
        started = monotonic()
        self._next_refresh = float("inf")  # one caller counts, the others go on with what is known
        taken = _REFRESH
        try:
            async with self._sessions() as db:
                found = await self._depths.count(db)
            self._queues, self._owners = Counter(), Counter()
            for depth in found:
                self._queues[depth.queue] += depth.jobs
                self._owners[Owner(depth.tenant_id, depth.owner_id)] += depth.jobs
            taken = monotonic() - started
        except DATABASE_ERRORS as error:
            logger.debug("Waiting jobs cannot be counted: {}", type(error).__name__)
        finally:
            self._next_refresh = monotonic() + max(_REFRESH, taken / _SHARE)
