"""Which queues are paused or served by nobody, known well enough to tell those who ask about their jobs."""

import asyncio
from time import monotonic

from loguru import logger

from common.database.direct import DirectPool
from common.database.outage import DATABASE_ERRORS
from common.queue.waiting import Lanes
from common.repository.fleet import FleetRepository

_LIFETIME = 1.0
_PATIENCE = 0.25


class LaneWatch:
    """Looks at most once a second, however many ask."""

    def __init__(self, direct: DirectPool, fleet: FleetRepository) -> None:
        self._direct = direct
        self._fleet = fleet
        self._lanes: Lanes | None = None
        self._next_look = 0.0

    async def look(self) -> Lanes | None:
        """What was so within the last second; what was known before while PostgreSQL is away or slow."""
        if monotonic() >= self._next_look:
            self._next_look = monotonic() + _LIFETIME  # the others go on with what is known
            try:
                async with asyncio.timeout(_PATIENCE):
                    self._lanes = await self._fleet.find_lanes(self._direct)
            except DATABASE_ERRORS as error:
                logger.debug("The queues cannot be looked at: {}", type(error).__name__)
        return self._lanes
