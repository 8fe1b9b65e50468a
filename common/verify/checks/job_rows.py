"""Job rows: what no statement of ours leaves behind, and what would hold a job up for ever."""

from common.repository.sql import UUIDS, statement
from common.verify.check import RowCheck

CHECKS = [
    RowCheck(
        "leases",
        "every running job belongs to a lease that exists",
        statement(
            """
            SELECT id, 'runs under the lease ' || lease_owner || ', which does not exist' FROM jobs
            WHERE status = 'running' AND NOT EXISTS (SELECT FROM workers WHERE workers.id = jobs.lease_owner)
            LIMIT :limit
            """
        ),
        # A lease that has ended: the reaper of any worker takes its jobs back, with events and hints.
        statement(
            """
            INSERT INTO workers (id, process_id, host, boot_id, pid, queues, concurrency, lease_expires_at, stopped_at)
            SELECT DISTINCT lease_owner, lease_owner, 'unknown', '', 0, ARRAY[]::text[], 0, now(), now()
            FROM jobs WHERE id = ANY(:ids) AND status = 'running' ON CONFLICT DO NOTHING
            """,
            ids=UUIDS,
        ),
    ),
    RowCheck(
        "dependency-counts",
        "a job waits for as many others as are listed for it",
        statement(
            """
            SELECT jobs.id, format('waits for %s jobs, but %s are listed', pending_after, coalesce(listed.jobs, 0))
            FROM jobs LEFT JOIN (SELECT job_id, count(*) AS jobs FROM job_dependencies GROUP BY 1) AS listed
                 ON listed.job_id = jobs.id
            WHERE status = 'queued' AND pending_after <> coalesce(listed.jobs, 0) LIMIT :limit
            """
        ),
        statement(
            """
            UPDATE jobs SET pending_after = (SELECT count(*) FROM job_dependencies WHERE job_id = jobs.id),
                            next_dispatch_at = greatest(run_at, clock_timestamp()), updated_at = clock_timestamp()
            WHERE id = ANY(:ids) AND status = 'queued'
            """,
            ids=UUIDS,
        ),
    ),
    RowCheck(
        "unaccounted-ends",
        "whoever waits for a job that has ended will be told",
        statement(
            """
            SELECT jobs.id, format('has %s, and %s jobs still wait for it', status, count(*))
            FROM job_dependencies JOIN jobs ON jobs.id = depends_on_id
            WHERE finished_at IS NOT NULL AND NOT has_dependants GROUP BY jobs.id LIMIT :limit
            """
        ),
        statement("UPDATE jobs SET has_dependants = true WHERE id = ANY(:ids) AND finished_at IS NOT NULL", ids=UUIDS),
    ),
    RowCheck(
        "dispatch-times",
        "a job that may start is looked at every five minutes",
        statement(
            """
            SELECT id, 'may start, but nobody would look at it before ' || next_dispatch_at FROM jobs
            WHERE status = 'queued' AND pending_after = 0
              AND next_dispatch_at > greatest(run_at, clock_timestamp()) + interval '6 minutes' LIMIT :limit
            """
        ),
        statement(
            """
            UPDATE jobs SET next_dispatch_at = greatest(run_at, clock_timestamp())
            WHERE id = ANY(:ids) AND status = 'queued'
            """,
            ids=UUIDS,
        ),
    ),
    RowCheck(
        "ranks",
        "a job's rank is its time less its priority",
        statement(
            """
            SELECT id, format('has the rank %s at the time %s with priority %s', rank_at, run_at, priority) FROM jobs
            WHERE status = 'queued' AND abs(extract(epoch FROM rank_at - run_at) + priority * 60) > 1 LIMIT :limit
            """
        ),
        statement(
            """
            UPDATE jobs SET rank_at = run_at - priority * interval '1 minute'
            WHERE id = ANY(:ids) AND status = 'queued'
            """,
            ids=UUIDS,
        ),
    ),
    RowCheck(
        "fences",
        "a job's attempt number is not below that of an attempt that was recorded",
        statement(
            """
            SELECT jobs.id, format('is at attempt %s, but attempt %s is recorded', jobs.attempt, last.attempt)
            FROM (SELECT job_id, max(attempt) AS attempt FROM attempts GROUP BY 1) AS last
            JOIN jobs ON jobs.id = last.job_id
            WHERE jobs.attempt < last.attempt AND status IN ('queued', 'running') LIMIT :limit
            """
        ),
        statement(
            """
            UPDATE jobs SET attempt = (SELECT max(attempt) FROM attempts WHERE job_id = jobs.id)
            WHERE id = ANY(:ids) AND status = 'queued'
            """,
            ids=UUIDS,
        ),
    ),
    RowCheck(
        "limits",
        "every limit of a job has a value",
        statement(
            """
            SELECT id, format('has %s limits with %s values', cardinality(limit_keys), cardinality(limit_values))
            FROM jobs WHERE status IN ('queued', 'running')
              AND cardinality(limit_keys) IS DISTINCT FROM cardinality(limit_values) LIMIT :limit
            """
        ),
        # The strictest limit that cannot hold it for ever: one at a time.
        statement(
            """
            UPDATE jobs SET limit_values = (SELECT array_agg(coalesce(limit_values[place], 1) ORDER BY place)
                                            FROM generate_subscripts(limit_keys, 1) AS place)
            WHERE id = ANY(:ids)
            """,
            ids=UUIDS,
        ),
    ),
    RowCheck(
        "results",
        "a result that is kept apart is there",
        statement(
            """
            SELECT id, 'has lost its result; retry it' FROM jobs
            WHERE is_result_apart AND status = 'succeeded'
              AND NOT EXISTS (SELECT FROM job_results WHERE job_id = jobs.id) LIMIT :limit
            """
        ),
    ),
]
