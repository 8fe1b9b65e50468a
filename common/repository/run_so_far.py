"""What a job has come to before its present attempt: time, tokens, money, calls of tools."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import Integer, Uuid

from common.ports import CallOrigin
from common.repository.sql import AnyExecutor, fetch, statement

TOOL_STEP = "tool:"
"""How the journal's steps of calls of tools begin."""

# A job that its owner retried after its end begins anew: attempts up to that end do not count.
_SO_FAR = statement(
    f"""
    WITH ended AS (
        SELECT coalesce(max(attempt) FILTER (WHERE outcome IN ('failed', 'cancelled')), 0) AS last
        FROM attempts WHERE job_id = :job
    ), before AS (
        SELECT min(started_at) AS begun, sum(finished_at - started_at) AS ran
        FROM attempts, ended WHERE job_id = :job AND attempt > last AND attempt < :attempt
    ), spent AS (
        SELECT sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, sum(cost) AS cost,
               count(*) AS calls
        FROM usage_records AS u, ended
        WHERE u.tenant_id = :tenant AND u.owner_id = :owner AND u.job_id = :job AND u.attempt > last
          AND u.started_at >= (SELECT begun FROM before) - interval '1 minute'
    )
    SELECT coalesce(clock_timestamp() - begun, interval '0'), coalesce(ran, interval '0'),
           coalesce(input_tokens, 0), coalesce(output_tokens, 0), coalesce(cost, 0), calls,
           (SELECT count(*) FROM paid_calls AS p, ended
            WHERE p.job_id = :job AND p.attempt > last AND starts_with(p.step, '{TOOL_STEP}')),
           last
    FROM ended, before, spent
    WHERE EXISTS (SELECT FROM jobs WHERE id = :job AND tenant_id = :tenant)
    """,
    job=Uuid(),
    attempt=Integer(),
    tenant=Uuid(),
    owner=Uuid(),
)


@dataclass(frozen=True, slots=True)
class RunSoFar:
    """What earlier attempts came to. `since` is how long ago the first began, `ran` how long they ran together.

    `round` is the attempt that ended the job before its owner had it done again, 0 when nobody did. Cost is in US
    dollars; `calls` are those of models, `tool_calls` those that the journal holds.
    """

    since: timedelta = timedelta(0)
    ran: timedelta = timedelta(0)
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal = Decimal(0)
    calls: int = 0
    tool_calls: int = 0
    round: int = 0


class RunSoFarRepository:
    """Reads what attempts have left behind."""

    async def read(self, db: AnyExecutor, origin: CallOrigin) -> RunSoFar:
        """What the attempts before this one came to. The first attempt has none and need not ask."""
        names = {"tenant": origin.tenant_id, "owner": origin.owner_id}
        rows = await fetch(db, _SO_FAR, {**names, "job": origin.job_id, "attempt": origin.attempt})
        return RunSoFar(*rows[0]) if rows else RunSoFar()
