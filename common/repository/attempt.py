"""Queries about jobs from the worker's side: claim, report, finish. Every write names the attempt: the fence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import Integer, Uuid

from common.queue.status import AttemptOutcome, JobStatus
from common.repository.sql import INTERVALS, INTS, TEXTS, UUIDS, AnyExecutor, fetch, statement


@dataclass(frozen=True, slots=True)
class DueJob:
    """A waiting row whose hint is missing or late."""

    id: UUID
    owner_id: UUID
    kind: str
    queue: str
    priority: int
    dispatch_no: int


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that this worker may run now. `payload` is its JSON text; `attempt` is the fence."""

    id: UUID
    tenant_id: UUID
    owner_id: UUID
    kind: str
    queue: str
    priority: int
    payload: str
    attempt: int
    failures: int
    crashes: int
    max_attempts: int
    timeout: timedelta
    run_at: datetime
    started_at: datetime
    request_id: str | None
    limit_keys: list[str] | None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an attempt ended and where its job goes: a terminal status, or `queued` to run again after `delay`."""

    job_id: UUID
    attempt: int
    outcome: AttemptOutcome
    status: JobStatus
    result: str | None = None
    error: dict[str, Any] | None = None
    delay: timedelta = timedelta(0)
    counts_as_failure: bool = False
    waiting: str | None = None

    @property
    def error_json(self) -> str | None:
        return None if self.error is None else to_json(self.error).decode()


_CLAIMED = """
    jobs.id, tenant_id, owner_id, kind, queue, priority, payload::text AS payload, attempt, failures, crashes,
    max_attempts, timeout, run_at, started_at, request_id, limit_keys, traceparent
"""
_NOT_HELD_BACK = """
    pending_after = 0 AND run_at <= clock_timestamp() AND cancel_requested_at IS NULL
    AND (expires_at IS NULL OR expires_at > clock_timestamp())
    AND NOT EXISTS (SELECT FROM queues WHERE queues.name = jobs.queue AND is_paused)
"""
STARTABLE = f"status = 'queued' AND {_NOT_HELD_BACK}"
# The same, compared in a way that no index offers: before its first ANALYZE, a table's planner takes the index of all
# waiting rows for that of one, and reads it whole for each id.
STARTABLE_BY_KEY = f"status || '' = 'queued' AND {_NOT_HELD_BACK}"


def claim_sql(which: str) -> str:
    """The claim of the startable rows that `which` names: attempt raised, lease set, whole jobs returned."""
    return _claim(_startable(which))


def _startable(which: str) -> str:
    return f"""
        SELECT id FROM jobs
        WHERE {which} AND {STARTABLE_BY_KEY}
          AND EXISTS (SELECT FROM workers WHERE workers.id = :worker AND stopped_at IS NULL AND NOT is_draining
                                            AND lease_expires_at > clock_timestamp())
        FOR UPDATE SKIP LOCKED
    """


def _claim(startable: str) -> str:
    return f"""
        UPDATE jobs SET status = 'running', attempt = jobs.attempt + 1, lease_owner = :worker, waiting = NULL,
                        started_at = clock_timestamp(), updated_at = clock_timestamp()
        FROM ({startable}) AS due
        WHERE jobs.id = due.id
        RETURNING {_CLAIMED}
    """


# One look-up by key for each hint, whatever the statistics say: a scan of all waiting rows would cost with their depth.
_HINTED = f"""
    SELECT one.id FROM unnest(:ids) AS wanted(id)
    CROSS JOIN LATERAL ({_startable("jobs.id = wanted.id AND limit_keys IS NULL")}) AS one
"""
_CLAIM_HINTED = statement(_claim(_HINTED), worker=Uuid(), ids=UUIDS)
# The head of each queue by its index, then the best of these: sorting a whole backlog would cost with its depth. No
# due row ranks later than the lowest priority's 100 minutes from now, which bounds a scan past delayed ones.
_HEADS = """
    id IN (SELECT head.id FROM unnest(:queues) AS wanted(name) CROSS JOIN LATERAL (
               SELECT id, rank_at FROM jobs
               WHERE queue = wanted.name AND status = 'queued' AND limit_keys IS NULL AND pending_after = 0
                 AND run_at <= clock_timestamp() AND rank_at <= statement_timestamp() + interval '100 minutes'
               ORDER BY rank_at LIMIT :limit FOR UPDATE SKIP LOCKED) AS head
           ORDER BY head.rank_at LIMIT :limit)
"""
_CLAIM_NEXT = statement(claim_sql(_HEADS), worker=Uuid(), queues=TEXTS)

_HELD = statement(
    f"SELECT {_CLAIMED} FROM jobs WHERE lease_owner = :worker AND status = 'running' AND id <> ALL(:known)",
    worker=Uuid(),
    known=UUIDS,
)

# A job whose cancel was requested can only end as cancelled, and only such a job can. The status is compared in a way
# that no index offers: rows are found by key, never among all that run.
_FINISH = statement(
    """
    WITH verdict AS (
        SELECT *, coalesce(octet_length(v.result) > :inline_bytes, false) AS is_apart
        FROM unnest(:ids, :attempts, :outcomes, :statuses, :results, :errors, :delays, :failed, :waiting)
            AS v(id, attempt, outcome, status, result, error, delay, failed, waiting)
    ), ended AS (
        UPDATE jobs SET status = v.status, error = v.error::jsonb, waiting = v.waiting, is_result_apart = v.is_apart,
                        result = CASE WHEN NOT v.is_apart THEN v.result::jsonb END,
                        failures = failures + v.failed, lease_owner = NULL, updated_at = clock_timestamp(),
                        finished_at = CASE WHEN v.status <> 'queued' THEN clock_timestamp() END,
                        run_at = CASE WHEN v.status = 'queued' THEN now() + v.delay ELSE run_at END,
                        rank_at = CASE WHEN v.status = 'queued' THEN now() + v.delay - priority * interval '1 minute'
                                       ELSE rank_at END,
                        dispatch_no = dispatch_no + (v.status = 'queued')::int,
                        next_dispatch_at = now() + v.delay + interval '10 seconds'
        FROM verdict AS v
        WHERE jobs.id = v.id AND jobs.attempt = v.attempt AND jobs.status || '' = 'running'
          AND (jobs.cancel_requested_at IS NOT NULL) = (v.status = 'cancelled')
        RETURNING jobs.id, jobs.attempt, v.outcome, v.error, jobs.started_at, jobs.run_at, jobs.dispatch_no,
                  jobs.has_dependants AND jobs.finished_at IS NOT NULL AS frees_others, v.is_apart, v.result
    ), kept AS (
        INSERT INTO attempts (job_id, attempt, worker_id, outcome, error, started_at, finished_at)
        SELECT id, attempt, :worker, outcome, error::jsonb, started_at, clock_timestamp() FROM ended
    ), apart AS (
        INSERT INTO job_results (job_id, result) SELECT id, result::jsonb FROM ended WHERE is_apart
        ON CONFLICT (job_id) DO UPDATE SET result = EXCLUDED.result
    )
    SELECT id, attempt, run_at, dispatch_no, frees_others FROM ended
    """,
    inline_bytes=Integer(),
    worker=Uuid(),
    ids=UUIDS,
    attempts=INTS,
    outcomes=TEXTS,
    statuses=TEXTS,
    results=TEXTS,
    errors=TEXTS,
    delays=INTERVALS,
    failed=INTS,
    waiting=TEXTS,
)

_LOOK = statement(
    """
    SELECT v.id, v.attempt, jobs.run_at, jobs.dispatch_no,
           jobs.cancel_requested_at IS NOT NULL AND jobs.status = 'running' AS is_cancelling,
           EXISTS (SELECT FROM attempts AS a WHERE a.job_id = v.id AND a.attempt = v.attempt
                                               AND a.worker_id = :worker AND a.outcome = v.outcome) AS is_recorded
    FROM unnest(:ids, :attempts, :outcomes) AS v(id, attempt, outcome)
    LEFT JOIN jobs ON jobs.id = v.id AND jobs.attempt = v.attempt
    """,
    worker=Uuid(),
    ids=UUIDS,
    attempts=INTS,
    outcomes=TEXTS,
)

_PROGRESS = statement(
    """
    UPDATE jobs SET progress = v.progress::jsonb, updated_at = clock_timestamp()
    FROM unnest(:ids, :attempts, :progress) AS v(id, attempt, progress)
    WHERE jobs.id = v.id AND jobs.attempt = v.attempt AND jobs.status = 'running'
    RETURNING jobs.id
    """,
    ids=UUIDS,
    attempts=INTS,
    progress=TEXTS,
)


@dataclass(frozen=True, slots=True)
class Ended:
    """A verdict that the row accepted; for a job that runs again, when and under which dispatch number.

    `frees_others` says that the job has ended and that others wait for its end.
    """

    job_id: UUID
    attempt: int
    run_at: datetime
    dispatch_no: int
    frees_others: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """What the row says about a verdict it did not accept."""

    is_cancelling: bool
    already_recorded: Ended | None


class AttemptRepository:
    """The worker's view of jobs. Results over `result_inline_bytes` are kept apart from the rows."""

    def __init__(self, result_inline_bytes: int = 64 * 1024) -> None:
        self._result_inline_bytes = result_inline_bytes

    async def claim(self, db: AnyExecutor, worker_id: UUID, ids: Sequence[UUID]) -> list[ClaimedJob]:
        """Those of the hinted jobs that may start now, each with its attempt raised."""
        return claimed(await fetch(db, _CLAIM_HINTED, {"worker": worker_id, "ids": list(ids)}))

    async def claim_next(self, db: AnyExecutor, worker_id: UUID, queues: Sequence[str], limit: int) -> list[ClaimedJob]:
        """The next due jobs of some queues, without any hint."""
        values = {"worker": worker_id, "queues": list(queues), "limit": limit}
        return claimed(await fetch(db, _CLAIM_NEXT, values))

    async def find_held(self, db: AnyExecutor, worker_id: UUID, *, except_for: Sequence[UUID]) -> list[ClaimedJob]:
        """The running jobs of this worker but for those that it knows of."""
        return claimed(await fetch(db, _HELD, {"worker": worker_id, "known": list(except_for)}))

    async def finish(self, db: AnyExecutor, worker_id: UUID, verdicts: Sequence[Verdict]) -> dict[UUID, Ended]:
        """Write the ends of attempts in one statement; what is missing in the answer was refused."""
        values = {
            "worker": worker_id,
            "ids": [v.job_id for v in verdicts],
            "attempts": [v.attempt for v in verdicts],
            "outcomes": [str(v.outcome) for v in verdicts],
            "statuses": [str(v.status) for v in verdicts],
            "results": [v.result for v in verdicts],
            "errors": [v.error_json for v in verdicts],
            "delays": [v.delay for v in verdicts],
            "failed": [int(v.counts_as_failure) for v in verdicts],
            "waiting": [v.waiting for v in verdicts],
            "inline_bytes": self._result_inline_bytes,
        }
        return {row[0]: Ended(*row) for row in await fetch(db, _FINISH, values)}

    async def look_at_refused(
        self, db: AnyExecutor, worker_id: UUID, verdicts: Sequence[Verdict]
    ) -> dict[UUID, Refused]:
        """Why verdicts were refused: a cancel came first, a lost reply hid an earlier success, or outdated."""
        values = {
            "worker": worker_id,
            "ids": [v.job_id for v in verdicts],
            "attempts": [v.attempt for v in verdicts],
            "outcomes": [str(v.outcome) for v in verdicts],
        }
        found = {}
        for job_id, attempt, run_at, dispatch_no, is_cancelling, is_recorded in await fetch(db, _LOOK, values):
            ended = Ended(job_id, attempt, run_at, dispatch_no) if is_recorded else None
            found[job_id] = Refused(bool(is_cancelling), ended)
        return found

    async def report_progress(self, db: AnyExecutor, reports: Sequence[tuple[UUID, int, dict[str, Any]]]) -> set[UUID]:
        """Keep the newest progress of running attempts; the ids whose attempt is still the current one."""
        values = {
            "ids": [job_id for job_id, _, _ in reports],
            "attempts": [attempt for _, attempt, _ in reports],
            "progress": [to_json(progress).decode() for _, _, progress in reports],
        }
        return {job_id for (job_id,) in await fetch(db, _PROGRESS, values)}


def claimed(rows: Sequence[Sequence[Any]]) -> list[ClaimedJob]:
    """The answer of a claim."""
    return [ClaimedJob(*row) for row in rows]
