"""Webhooks of what happens before the end: a trigger that writes deliveries of starts, progress, retries and cancels

Revision ID: 0017
Revises: 0016
"""

from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: str | None = None
depends_on: str | None = None

# Progress that nobody took yet gives way to what is newer, and to whatever else happens to its job. `id = message_id`
# leaves replays alone.
_FUNCTION = """
CREATE FUNCTION write_webhook_steps() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    step text := CASE
        WHEN NEW.finished_at IS NOT NULL THEN 'job.ended'
        WHEN OLD.status = 'queued' AND NEW.status = 'running' THEN 'job.started'
        WHEN OLD.status = 'running' AND NEW.status = 'queued' THEN 'job.retrying'
        WHEN OLD.cancel_requested_at IS NULL AND NEW.cancel_requested_at IS NOT NULL THEN 'job.cancelling'
        WHEN NEW.progress IS NOT NULL AND NEW.progress IS DISTINCT FROM OLD.progress THEN 'job.progress'
    END;
    said jsonb;
BEGIN
    IF step IS NULL OR NOT EXISTS (
        SELECT FROM webhook_endpoints e
        WHERE e.tenant_id = NEW.tenant_id AND e.owner_id = NEW.owner_id AND e.disabled_at IS NULL
          AND e.events && ARRAY[step, 'job.progress']) THEN
        RETURN NULL;
    END IF;
    said := jsonb_build_object(
        'job_id', NEW.id, 'kind', NEW.kind, 'status', NEW.status, 'attempt', NEW.attempt, 'custom_id', NEW.custom_id,
        'batch_id', NEW.batch_id, 'tags', to_jsonb(NEW.tags), 'error', NEW.error, 'progress', NEW.progress,
        'run_at', NEW.run_at, 'created_at', NEW.created_at, 'finished_at', NULL, 'job_url', '/api/v1/jobs/' || NEW.id);
    IF step = 'job.progress' THEN
        UPDATE webhook_deliveries d SET data = said, occurred_at = clock_timestamp()
        WHERE d.job_id = NEW.id AND d.type = step AND d.queued_at IS NULL AND d.id = d.message_id;
    ELSE
        DELETE FROM webhook_deliveries d
        WHERE d.job_id = NEW.id AND d.type = 'job.progress' AND d.queued_at IS NULL AND d.id = d.message_id;
    END IF;
    INSERT INTO webhook_deliveries (id, message_id, endpoint_id, tenant_id, job_id, type, data, occurred_at)
    SELECT made.id, made.id, made.endpoint_id, NEW.tenant_id, NEW.id, step, said, clock_timestamp()
    FROM (SELECT new_delivery_id() AS id, e.id AS endpoint_id
          FROM webhook_endpoints e
          WHERE e.tenant_id = NEW.tenant_id AND e.owner_id = NEW.owner_id AND e.disabled_at IS NULL
            AND step = ANY(e.events)
            AND NOT EXISTS (SELECT FROM webhook_deliveries d
                            WHERE step = 'job.progress' AND d.job_id = NEW.id AND d.endpoint_id = e.id
                              AND d.type = step AND d.queued_at IS NULL AND d.id = d.message_id)) AS made;
    RETURN NULL;
END
$$
"""

_TRIGGER = """
CREATE TRIGGER write_webhook_steps AFTER UPDATE ON jobs FOR EACH ROW
WHEN (NEW.kind <> 'webhook.deliver' AND OLD.finished_at IS NULL
      AND (OLD.status <> NEW.status OR OLD.progress IS DISTINCT FROM NEW.progress
           OR (OLD.cancel_requested_at IS NULL AND NEW.cancel_requested_at IS NOT NULL)))
EXECUTE FUNCTION write_webhook_steps()
"""


def upgrade() -> None:
    op.create_index("ix_webhook_deliveries_job", "webhook_deliveries", ["job_id", "endpoint_id"], unique=False)
    op.execute(_FUNCTION)
    op.execute(_TRIGGER)


def downgrade() -> None:
    op.execute("DROP TRIGGER write_webhook_steps ON jobs")
    op.execute("DROP FUNCTION write_webhook_steps")
    op.drop_index("ix_webhook_deliveries_job", table_name="webhook_deliveries")
