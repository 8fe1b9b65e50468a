"""What every process counts about jobs. Kinds, queues and outcomes are labels; tenants, users and jobs never are."""

from collections.abc import Iterable
from typing import Protocol

from common.metrics.registry import MetricRegistry


class _Described(Protocol):
    @property
    def kind(self) -> str: ...

    @property
    def queue(self) -> str: ...


class JobMetrics:
    """Jobs on their way through this process."""

    def __init__(self, registry: MetricRegistry) -> None:
        self._submitted = registry.counter("jobs_submitted", "Jobs accepted.", "kind", "queue")
        self._finished = registry.counter("jobs_finished", "Jobs that ended.", "kind", "queue", "outcome")
        self.events_published = registry.counter("events_published", "Events that got a number.")

    def submitted(self, jobs: Iterable[_Described]) -> None:
        """New rows, committed."""
        for job in jobs:
            self._submitted.add(job.kind, job.queue)

    def finished(self, job: _Described, outcome: str) -> None:
        """A job came to its end; `outcome` is its status."""
        self._finished.add(job.kind, job.queue, outcome)
