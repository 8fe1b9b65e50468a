"""What uses a job's budgets and what does not, and what a handler hears of its time."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from common import jobs
from common.config import CommonSettings
from common.container import CommonContainer
from common.database.model import Attempt, Job
from common.queue.client import SubmitOptions
from common.queue.status import JobStatus
from common.repository.job import Owner
from tests.faults.kinds.wayward import Step, WaywardPayload, wayward
from tests.fixtures.workers import Watcher, running_worker

KINDS = Path(__file__).parents[1] / "faults" / "kinds"


@pytest.fixture(autouse=True)
def _kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker knows kinds that misbehave."""
    monkeypatch.setattr(jobs, "__path__", [*jobs.__path__, str(KINDS)])


class Life:
    """Runs one job to its end and keeps its attempts."""

    def __init__(self, container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher) -> None:
        self._container, self._settings, self._owner, self._watcher = container, settings, owner, watcher
        self.attempts: Sequence[Attempt] = ()

    async def run(self, *steps: Step, options: SubmitOptions | None = None, delay: float = 0.3) -> Job:
        async with running_worker(self._settings):
            payload = WaywardPayload(steps=list(steps), delay=delay)
            job = await self._container.queue().submit(wayward, payload, owner=self._owner, options=options)
            row = await self._watcher.ended(job)
        async with self._container.sessions()() as db:
            self.attempts = await self._container.jobs().list_attempts(db, job.id)
        return row

    @property
    def waits(self) -> list[timedelta]:
        """Between the end of each attempt and the start of the next."""
        pairs = zip(self.attempts, self.attempts[1:], strict=False)
        return [after.started_at - before.finished_at for before, after in pairs]


@pytest.fixture
def life(container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher) -> Life:
    return Life(container, settings, owner, watcher)


async def test_snoozes_use_no_budget_and_wait_as_long_as_asked(life: Life) -> None:
    row = await life.run("snooze", "snooze", "snooze", options=SubmitOptions(max_attempts=1))
    assert (row.status, row.attempt, row.failures, row.crashes) == (JobStatus.SUCCEEDED, 4, 0, 0)
    assert [attempt.outcome for attempt in life.attempts] == ["snoozed"] * 3 + ["succeeded"]
    assert all(timedelta(seconds=0.3) <= wait < timedelta(seconds=3) for wait in life.waits)


async def test_a_named_time_to_come_back_replaces_the_backoff(life: Life) -> None:
    row = await life.run("retry_after", "retry_after", options=SubmitOptions(max_attempts=3), delay=1.2)
    assert (row.status, row.attempt, row.failures) == (JobStatus.SUCCEEDED, 3, 2)
    assert all(timedelta(seconds=1.2) <= wait < timedelta(seconds=4) for wait in life.waits)


async def test_the_last_failure_ends_the_job_whatever_time_was_named(life: Life) -> None:
    row = await life.run("retry_after", options=SubmitOptions(max_attempts=1), delay=60)
    assert (row.status, row.failures, row.error and row.error["code"]) == (JobStatus.FAILED, 1, "retries_exhausted")


async def test_a_permanent_error_is_not_tried_again(life: Life) -> None:
    row = await life.run("permanent", options=SubmitOptions(max_attempts=9))
    assert (row.status, row.attempt, row.error and row.error["code"]) == (JobStatus.FAILED, 1, "permanent")


async def test_the_soft_deadline_is_told_before_the_hard_one(life: Life) -> None:
    options = SubmitOptions(max_attempts=1, timeout=timedelta(seconds=2))
    row = await life.run("wrap_up", options=options)
    assert row.status == JobStatus.SUCCEEDED
    assert row.result is not None
    assert row.result["is_late"]
    assert 0 < row.result["time_left"] <= 0.2


async def test_over_the_hard_deadline_the_attempt_has_failed(life: Life) -> None:
    options = SubmitOptions(max_attempts=1, timeout=timedelta(seconds=1))
    row = await life.run("overrun", options=options)
    assert (row.status, row.error and row.error["code"]) == (JobStatus.FAILED, "timeout")
