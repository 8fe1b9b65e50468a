"""Figures of the whole installation, asked of PostgreSQL when somebody looks, but not at each look and not for long."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from loguru import logger

from common.database.outage import DATABASE_ERRORS
from common.database.session import Sessions
from common.metrics.instruments import Labels
from common.metrics.registry import MetricRegistry
from common.repository.figures import FiguresRepository, OpenJobs

_FRESH_FOR = 5.0
_LIMIT = 3.0


class StoreFigures:
    """`refresh` before a look. All api processes tell the same, so dashboards take the greatest and never the sum.

    While PostgreSQL does not answer within two seconds these figures are left out, and the failure is counted.
    """

    def __init__(self, sessions: Sessions, figures: FiguresRepository, registry: MetricRegistry) -> None:
        self._sessions = sessions
        self._figures = figures
        self._open: Sequence[OpenJobs] | None = None
        self._reserved: float | None = None
        self._asked_at = float("-inf")
        self._turn = asyncio.Lock()
        self._failures = registry.counter("figures_failed", "Looks that PostgreSQL did not answer in time.")
        registry.gauge("jobs", "Jobs that have not ended.", self._jobs, "queue", "state")
        registry.gauge("job_blocked", "Waiting jobs that something holds back.", self._blocked, "reason")
        registry.gauge(
            "job_oldest_queued_seconds", "Age of the job that may start since longest.", self._oldest, "queue"
        )
        registry.gauge("budget_reserved_tokens", "Tokens set aside for calls under way.", lambda: self._reserved)
        registry.gauge("outbox_lag_seconds", "How late the dispatch of the latest job is.", self._outbox)

    async def refresh(self) -> None:
        """Ask again unless the last answer is at most five seconds old. Raises nothing."""
        async with self._turn:
            if monotonic() - self._asked_at < _FRESH_FOR:
                return
            self._asked_at = monotonic()
            try:
                async with asyncio.timeout(_LIMIT), self._sessions.begin() as db:
                    self._open = await self._figures.open_jobs(db)
                    self._reserved = await self._figures.reserved_tokens(db)
            except DATABASE_ERRORS as error:
                self._open = self._reserved = None
                self._failures.add()
                logger.warning("PostgreSQL gives no figures", error=type(error).__name__)

    def _jobs(self) -> Mapping[Labels, float] | None:
        return self._sum(lambda each: (each.queue, each.state))

    def _blocked(self) -> Mapping[Labels, float] | None:
        found = self._sum(lambda each: (each.reason,))
        return None if found is None else {labels: count for labels, count in found.items() if labels != ("",)}

    def _oldest(self) -> Mapping[Labels, float] | None:
        if self._open is None:
            return None
        oldest: dict[Labels, float] = defaultdict(float)
        for each in self._open:
            waits = each.oldest if each.state == "queued" else 0.0
            oldest[(each.queue,)] = max(oldest[(each.queue,)], waits)
        return oldest

    def _outbox(self) -> float | None:
        if self._open is None:
            return None
        return max([0.0, *(each.undispatched for each in self._open if each.state == "queued")])

    def _sum(self, labels_of: Callable[[OpenJobs], Labels]) -> Mapping[Labels, float] | None:
        if self._open is None:
            return None
        found: dict[Labels, float] = defaultdict(float)
        for each in self._open:
            found[labels_of(each)] += each.jobs
        return found
