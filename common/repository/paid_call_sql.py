"""The statements behind `PaidCallRepository`."""

from sqlalchemy import Integer

from common.repository.sql import INTS, TEXTS, UUIDS, statement

FIND = statement(
    """
    SELECT wanted.number, paid_calls.response::text
    FROM unnest(:job_ids, :steps, :hashes, :ordinals) WITH ORDINALITY AS wanted(job_id, step, hash, ordinal, number)
    JOIN paid_calls ON paid_calls.job_id = wanted.job_id AND paid_calls.step = wanted.step
                       AND paid_calls.input_hash = wanted.hash AND paid_calls.ordinal = wanted.ordinal
    """,
    job_ids=UUIDS,
    steps=TEXTS,
    hashes=TEXTS,
    ordinals=INTS,
)

# Budgets are locked in the order of their ids, here and wherever they are changed; they name models in any case. Calls
# of one statement are counted one after the other, refused ones too: what that refuses wrongly comes back soon. The
# window of a budget that nobody used since it turned is turned here. What is free has room in any budget of money.
RESERVE = statement(
    """
    WITH wanted AS MATERIALIZED (
        SELECT row_number() OVER () AS number, v.*
        FROM jsonb_to_recordset(CAST(:calls AS jsonb))
             AS v(call_id uuid, job_id uuid, attempt int, tenant_id uuid, model text, cost numeric, tokens bigint)
        JOIN jobs ON jobs.id = v.job_id AND jobs.attempt = v.attempt AND jobs.status || '' = 'running'
    ), locked AS MATERIALIZED (
        SELECT * FROM budgets AS b
        WHERE EXISTS (SELECT FROM wanted AS w
                      WHERE w.tenant_id = b.tenant_id AND (b.model IS NULL OR lower(b.model) = lower(w.model)))
        ORDER BY id FOR UPDATE
    ), turned AS MATERIALIZED (
        SELECT id, tenant_id, model, max_cost, max_tokens, opened,
               opened + ('1 ' || period)::interval - clock_timestamp() AS left_over,
               CASE WHEN window_start >= opened THEN spent_cost ELSE 0 END AS spent_cost,
               CASE WHEN window_start >= opened THEN spent_tokens ELSE 0 END AS spent_tokens,
               CASE WHEN window_start >= opened THEN reserved_cost ELSE 0 END AS reserved_cost,
               CASE WHEN window_start >= opened THEN reserved_tokens ELSE 0 END AS reserved_tokens
        FROM locked CROSS JOIN LATERAL (
            SELECT greatest(window_start, date_trunc(period, clock_timestamp(), 'UTC')) AS opened) AS w
    ), pair AS (
        SELECT w.*, t.id AS budget_id, t.opened, t.left_over,
               coalesce(w.cost > t.max_cost, false) OR coalesce(w.tokens > t.max_tokens, false) AS is_never,
               coalesce(w.cost > 0 AND t.spent_cost + w.cost > t.max_cost, false)
                 OR coalesce(t.spent_tokens + w.tokens > t.max_tokens, false) AS is_spent,
               coalesce(w.cost > 0 AND t.spent_cost + t.reserved_cost + sum(w.cost) OVER line > t.max_cost, false)
                 OR coalesce(t.spent_tokens + t.reserved_tokens + sum(w.tokens) OVER line > t.max_tokens, false)
                 AS is_over
        FROM wanted AS w
        JOIN turned AS t ON t.tenant_id = w.tenant_id AND (t.model IS NULL OR lower(t.model) = lower(w.model))
        WINDOW line AS (PARTITION BY t.id ORDER BY w.number)
    ), judged AS (
        SELECT call_id, bool_or(is_over) AS is_over, bool_or(is_over AND is_spent) AS is_spent,
               bool_or(is_over AND is_never) AS is_never, max(left_over) FILTER (WHERE is_over) AS wait
        FROM pair GROUP BY call_id
    ), kept AS (
        INSERT INTO budget_reservations (call_id, budget_id, job_id, attempt, window_start, cost, tokens)
        SELECT call_id, budget_id, job_id, attempt, opened, cost, tokens FROM pair JOIN judged USING (call_id)
        WHERE NOT judged.is_over
        ON CONFLICT DO NOTHING
        RETURNING budget_id, cost, tokens
    ), added AS (
        SELECT budget_id, sum(cost) AS cost, sum(tokens) AS tokens FROM kept GROUP BY budget_id
    ), changed AS (
        UPDATE budgets SET window_start = turned.opened, spent_cost = turned.spent_cost,
                           spent_tokens = turned.spent_tokens,
                           reserved_cost = turned.reserved_cost + added.cost,
                           reserved_tokens = turned.reserved_tokens + added.tokens
        FROM added JOIN turned ON turned.id = added.budget_id
        WHERE budgets.id = added.budget_id
    )
    SELECT wanted.call_id, coalesce(judged.is_over, false), judged.wait, judged.is_spent, judged.is_never
    FROM wanted LEFT JOIN judged USING (call_id)
    """
)

_CHANGE_BUDGETS = """
    UPDATE budgets AS b SET
        window_start = total.window_start,
        spent_cost = total.cost + same * b.spent_cost,
        spent_tokens = total.tokens + same * b.spent_tokens,
        reserved_cost = greatest(same * (b.reserved_cost - total.reserved_cost), 0),
        reserved_tokens = greatest(same * (b.reserved_tokens - total.reserved_tokens), 0)
    FROM total JOIN locked ON locked.id = total.budget_id
    CROSS JOIN LATERAL (SELECT (locked.window_start = total.window_start)::int AS same) AS w
    WHERE b.id = total.budget_id AND b.window_start <= total.window_start
"""
_TOTAL = """
    total AS MATERIALIZED (
        SELECT DISTINCT ON (budget_id) budget_id, window_start, sum(cost) AS cost, sum(tokens) AS tokens,
               sum(reserved_cost) AS reserved_cost, sum(reserved_tokens) AS reserved_tokens
        FROM change GROUP BY budget_id, window_start ORDER BY budget_id, window_start DESC
    ), locked AS MATERIALIZED (
        SELECT id, window_start FROM budgets WHERE id IN (SELECT budget_id FROM total) ORDER BY id FOR UPDATE
    )
"""

# Money counts in the window where it was reserved, whoever lost the fence since; the answer is only kept under it.
# Each part can be repeated after a lost reply: the ids of calls and reservations count once.
SETTLE = statement(
    f"""
    WITH ended AS MATERIALIZED (
        SELECT v.*, jobs.kind AS kind,
               coalesce(jobs.attempt = v.attempt AND jobs.status || '' = 'running', false) AS is_current
        FROM jsonb_to_recordset(CAST(:calls AS jsonb))
             AS v(call_id uuid, job_id uuid, attempt int, tenant_id uuid, owner_id uuid, seconds float8, model text,
                  input_tokens bigint, output_tokens bigint, cached_tokens bigint, cost numeric, is_cached boolean,
                  is_estimated boolean, step text, input_hash text, ordinal int, response jsonb)
        LEFT JOIN jobs ON jobs.id = v.job_id
    ), kept AS (
        INSERT INTO paid_calls (job_id, step, input_hash, ordinal, attempt, response)
        SELECT job_id, step, input_hash, ordinal, attempt, coalesce(response, 'null') FROM ended
        WHERE is_current AND input_hash IS NOT NULL
        ON CONFLICT DO NOTHING
    ), used AS (
        INSERT INTO usage_records (id, tenant_id, owner_id, job_id, attempt, kind, model, input_tokens, output_tokens,
                                   cached_tokens, cost, is_cached, is_estimated, started_at)
        SELECT call_id, tenant_id, owner_id, job_id, attempt, coalesce(kind, ''), model, input_tokens, output_tokens,
               cached_tokens, cost, is_cached, is_estimated, clock_timestamp() - seconds * interval '1 second'
        FROM ended WHERE model IS NOT NULL
        ON CONFLICT DO NOTHING
        RETURNING id, tenant_id, model, cost, input_tokens + output_tokens AS tokens, started_at, is_cached
    ), freed AS (
        DELETE FROM budget_reservations AS r USING ended WHERE r.call_id = ended.call_id
        RETURNING r.call_id, r.budget_id, r.window_start, r.cost, r.tokens
    ), change AS (
        SELECT budget_id, window_start, 0 AS cost, 0 AS tokens, cost AS reserved_cost, tokens AS reserved_tokens
        FROM freed
        UNION ALL
        SELECT b.id, coalesce(freed.window_start, date_trunc(b.period, used.started_at, 'UTC')), used.cost, used.tokens,
               0, 0
        FROM used JOIN budgets AS b ON b.tenant_id = used.tenant_id
                                       AND (b.model IS NULL OR lower(b.model) = lower(used.model))
        LEFT JOIN freed ON freed.call_id = used.id AND freed.budget_id = b.id
        WHERE NOT used.is_cached
    ), {_TOTAL}, changed AS ({_CHANGE_BUDGETS})
    SELECT call_id FROM ended WHERE is_current
    """
)

RELEASE_DEAD = statement(
    f"""
    WITH dead AS MATERIALIZED (
        SELECT call_id, budget_id FROM budget_reservations AS r
        WHERE NOT EXISTS (SELECT FROM jobs WHERE jobs.id = r.job_id AND jobs.attempt = r.attempt
                                             AND jobs.status || '' = 'running')
        LIMIT :limit FOR UPDATE SKIP LOCKED
    ), freed AS (
        DELETE FROM budget_reservations AS r USING dead WHERE r.call_id = dead.call_id AND r.budget_id = dead.budget_id
        RETURNING r.call_id, r.budget_id, r.window_start, r.cost, r.tokens
    ), change AS (
        SELECT budget_id, window_start, 0 AS cost, 0 AS tokens, cost AS reserved_cost, tokens AS reserved_tokens
        FROM freed
    ), {_TOTAL}, changed AS ({_CHANGE_BUDGETS})
    SELECT count(DISTINCT call_id) FROM freed
    """,
    limit=Integer(),
)
