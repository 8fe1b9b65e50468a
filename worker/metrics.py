"""What a worker counts beyond what every process does."""

from common.metrics.job_metrics import JobMetrics
from common.metrics.registry import MetricRegistry
from common.repository.attempt import ClaimedJob, Verdict

_OUTDATED = "outdated"


class WorkerMetrics:
    """Attempts, leases, schedules and webhooks of this process."""

    def __init__(self, registry: MetricRegistry, jobs: JobMetrics) -> None:
        self.jobs = jobs
        self._attempts = registry.counter("job_attempts", "Attempts that ended.", "kind", "outcome")
        self._wait = registry.histogram(
            "job_wait_seconds", "From the time a job may start to its start, seconds.", "queue"
        )
        self.run = registry.histogram("job_run_seconds", "Length of attempts, seconds.", "kind")
        self.stale_writes = registry.counter(
            "stale_writes_rejected", "Ends of outdated attempts that their rows refused."
        )
        self.leases_expired = registry.counter("leases_expired", "Leases of other workers that ran out.")
        self.lease_renewals = registry.counter("lease_renewals", "Heartbeats, by what came of them.", "outcome")
        self.calls_lost = registry.counter(
            "llm_calls_lost", "Calls of models whose end nobody wrote down, as seen by budgets."
        )
        self.deliveries = registry.counter("webhook_deliveries", "Calls of webhooks.", "outcome")
        self.fires = registry.counter("schedule_fires", "Slots of schedules that were settled.", "outcome")
        self.fire_lag = registry.histogram("schedule_lag_seconds", "How late slots of schedules were settled, seconds.")

    def started(self, job: ClaimedJob) -> None:
        """An attempt begins; by the database's clock."""
        self._wait.observe(max(0.0, (job.started_at - job.run_at).total_seconds()), job.queue)

    def ended(self, job: ClaimedJob, verdict: Verdict | None) -> None:
        """An attempt's end was written; None when it was outdated before it had one."""
        if verdict is None:
            self._attempts.add(job.kind, _OUTDATED)
            return
        self._attempts.add(job.kind, verdict.outcome)
        if verdict.status.is_terminal:
            self.jobs.finished(job, verdict.status)

    def crashed(self, kind: str) -> None:
        """An attempt of a worker that is dead was taken back."""
        self._attempts.add(kind, "crashed")
