"""Webhooks of what happens before the end: a trigger that writes deliveries of starts, progress, retries and cancels

Revision ID: 0017
Revises: 0016
"""

from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: str | None = None
depends_on: str | None = None

# Once a statement: claims and ends move hundreds of rows, and mostly nobody wants to hear of them.
# Progress that nobody took yet gives way to what is newer, and to whatever else happens to its job. `id = message_id`
# leaves replays alone.
_FUNCTION = """
CREATE FUNCTION write_webhook_steps() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    steps CONSTANT text[] := ARRAY['job.started', 'job.progress', 'job.retrying', 'job.cancelling'];
    job record;
    said jsonb;
BEGIN
    IF NOT EXISTS (SELECT FROM webhook_endpoints e WHERE e.disabled_at IS NULL AND e.events && steps) THEN
        RETURN NULL;
    END IF;
    FOR job IN
        SELECT n.*, CASE
            WHEN n.finished_at IS NOT NULL THEN 'job.ended'
            WHEN o.status = 'queued' AND n.status = 'running' THEN 'job.started'
            WHEN o.status = 'running' AND n.status = 'queued' THEN 'job.retrying'
            WHEN o.cancel_requested_at IS NULL AND n.cancel_requested_at IS NOT NULL THEN 'job.cancelling'
            ELSE 'job.progress'
        END AS step
        FROM jobs_after n JOIN jobs_before o ON o.id = n.id
        WHERE n.kind <> 'webhook.deliver' AND o.finished_at IS NULL
          AND (o.status <> n.status OR (n.progress IS NOT NULL AND o.progress IS DISTINCT FROM n.progress)
               OR (o.cancel_requested_at IS NULL AND n.cancel_requested_at IS NOT NULL))
          AND EXISTS (SELECT FROM webhook_endpoints e
                      WHERE e.tenant_id = n.tenant_id AND e.owner_id = n.owner_id AND e.disabled_at IS NULL
                        AND e.events && steps)
    LOOP
        said := jsonb_build_object(
            'job_id', job.id, 'kind', job.kind, 'status', job.status, 'attempt', job.attempt,
            'custom_id', job.custom_id, 'batch_id', job.batch_id, 'tags', to_jsonb(job.tags), 'error', job.error,
            'progress', job.progress, 'run_at', job.run_at, 'created_at', job.created_at, 'finished_at', NULL,
            'job_url', '/api/v1/jobs/' || job.id);
        IF job.step = 'job.progress' THEN
            UPDATE webhook_deliveries d SET data = said, occurred_at = clock_timestamp()
            WHERE d.job_id = job.id AND d.type = job.step AND d.queued_at IS NULL AND d.id = d.message_id;
        ELSE
            DELETE FROM webhook_deliveries d
            WHERE d.job_id = job.id AND d.type = 'job.progress' AND d.queued_at IS NULL AND d.id = d.message_id;
        END IF;
        INSERT INTO webhook_deliveries (id, message_id, endpoint_id, tenant_id, job_id, type, data, occurred_at)
        SELECT made.id, made.id, made.endpoint_id, job.tenant_id, job.id, job.step, said, clock_timestamp()
        FROM (SELECT new_delivery_id() AS id, e.id AS endpoint_id
              FROM webhook_endpoints e
              WHERE e.tenant_id = job.tenant_id AND e.owner_id = job.owner_id AND e.disabled_at IS NULL
                AND job.step = ANY(e.events)
                AND NOT EXISTS (SELECT FROM webhook_deliveries d
                                WHERE job.step = 'job.progress' AND d.job_id = job.id AND d.endpoint_id = e.id
                                  AND d.type = job.step AND d.queued_at IS NULL AND d.id = d.message_id)) AS made;
    END LOOP;
    RETURN NULL;
END
$$
"""

_TRIGGER = """
CREATE TRIGGER write_webhook_steps AFTER UPDATE ON jobs
REFERENCING OLD TABLE AS jobs_before NEW TABLE AS jobs_after
FOR EACH STATEMENT EXECUTE FUNCTION write_webhook_steps()
"""


def upgrade() -> None:
    op.create_index("ix_webhook_deliveries_job", "webhook_deliveries", ["job_id", "endpoint_id"], unique=False)
    op.execute(_FUNCTION)
    op.execute(_TRIGGER)


def downgrade() -> None:
    op.execute("DROP TRIGGER write_webhook_steps ON jobs")
    op.execute("DROP FUNCTION write_webhook_steps")
    op.drop_index("ix_webhook_deliveries_job", table_name="webhook_deliveries")
