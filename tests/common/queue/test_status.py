"""What `common.queue.status` allows is exactly what the database accepts; the trigger refuses the rest."""

from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from common.ids import new_id
from common.queue.status import TERMINAL, JobStatus, is_allowed
from tests.fixtures.stores import Stores

type Connection = asyncpg.Connection[asyncpg.Record]

PAIRS = [(before, after) for before in JobStatus for after in JobStatus]
_INSERT = """
    INSERT INTO jobs (id, tenant_id, owner_id, kind, queue, payload, max_attempts, timeout, run_at, rank_at,
                      next_dispatch_at, status, attempt, lease_owner, finished_at, result, error)
    SELECT $1::uuid, $1::uuid, $1::uuid, 'system.echo', 'default', '{}', 3, '1 minute', now(), now(), now(),
           $2::text, 1, CASE WHEN $2::text = 'running' THEN $1::uuid END,
           CASE WHEN $2::text NOT IN ('queued', 'running') THEN now() END,
           CASE WHEN $2::text = 'succeeded' THEN '{"n": 1}'::jsonb END, NULL
"""
_MOVE = """
    UPDATE jobs SET status = $2::text, attempt = attempt + (status = 'queued' AND $2::text = 'running')::int,
                    lease_owner = CASE WHEN $2::text = 'running' THEN $1::uuid END,
                    finished_at = CASE WHEN $2::text NOT IN ('queued', 'running')
                                       THEN coalesce(finished_at, clock_timestamp()) END
    WHERE id = $1::uuid
"""


@pytest.fixture
async def connection(stores: Stores) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(stores.database_url)
    yield connection
    await connection.close()


async def insert(connection: Connection, status: JobStatus) -> UUID:
    job_id = new_id()
    await connection.execute(_INSERT, job_id, str(status))
    return job_id


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=[f"{before} to {after}" for before, after in PAIRS])
async def test_the_database_allows_exactly_the_transitions(
    connection: Connection, before: JobStatus, after: JobStatus
) -> None:
    job_id = await insert(connection, before)
    if is_allowed(before, after):
        await connection.execute(_MOVE, job_id, str(after))
    else:
        with pytest.raises(asyncpg.CheckViolationError) as refused:
            await connection.execute(_MOVE, job_id, str(after))
        assert refused.value.constraint_name == "job_transition"
    found = await connection.fetchval("SELECT status FROM jobs WHERE id = $1", job_id)
    assert found == (after if is_allowed(before, after) else before)


@pytest.mark.parametrize("status", JobStatus)
async def test_an_attempt_number_never_goes_back(connection: Connection, status: JobStatus) -> None:
    job_id = await insert(connection, status)
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await connection.execute("UPDATE jobs SET attempt = attempt - 1 WHERE id = $1", job_id)
    assert refused.value.constraint_name == "job_attempt"


@pytest.mark.parametrize("step", [0, 2])
async def test_a_claim_raises_the_attempt_by_exactly_one(connection: Connection, step: int) -> None:
    job_id = await insert(connection, JobStatus.QUEUED)
    claim = "UPDATE jobs SET status = 'running', lease_owner = id, attempt = attempt + $2 WHERE id = $1"
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await connection.execute(claim, job_id, step)
    assert refused.value.constraint_name == "job_attempt"


async def test_a_job_whose_cancel_was_requested_may_not_succeed(connection: Connection) -> None:
    job_id = await insert(connection, JobStatus.RUNNING)
    await connection.execute("UPDATE jobs SET cancel_requested_at = now() WHERE id = $1", job_id)
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await connection.execute(_MOVE, job_id, "succeeded")
    assert refused.value.constraint_name == "job_cancel"
    await connection.execute(_MOVE, job_id, "cancelled")


@pytest.mark.parametrize("column", ["result", "error", "finished_at", "attempt"])
@pytest.mark.parametrize("status", sorted(TERMINAL))
async def test_an_end_does_not_change(connection: Connection, status: JobStatus, column: str) -> None:
    job_id = await insert(connection, status)
    value = {"finished_at": "finished_at + interval '1 s'", "attempt": "attempt + 1"}.get(column, """'{"other": 2}'""")
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await connection.execute(f"UPDATE jobs SET {column} = {value} WHERE id = $1", job_id)
    assert refused.value.constraint_name == "job_end"


async def test_a_running_job_names_its_lease_and_only_an_ended_one_has_an_end(connection: Connection) -> None:
    job_id = await insert(connection, JobStatus.RUNNING)
    for change in ("lease_owner = NULL", "finished_at = now()"):
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(f"UPDATE jobs SET {change} WHERE id = $1", job_id)
