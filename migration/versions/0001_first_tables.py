"""The first tables: tenants, users, jobs, attempts, workers; and the trigger that guards a job's state

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

# What `common/queue/status.py` allows, enforced where nothing can go round it. A test compares the two.
_GUARD = """
CREATE FUNCTION guard_job_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.attempt < OLD.attempt THEN
        RAISE EXCEPTION 'job %: attempt % may not go back to %', OLD.id, OLD.attempt, NEW.attempt
            USING ERRCODE = 'check_violation', CONSTRAINT = 'job_attempt';
    END IF;
    IF OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (
        ('queued', 'running'), ('queued', 'cancelled'), ('queued', 'expired'), ('queued', 'failed'),
        ('running', 'succeeded'), ('running', 'failed'), ('running', 'cancelled'), ('running', 'expired'),
        ('running', 'queued'),
        ('failed', 'queued'), ('cancelled', 'queued'), ('expired', 'queued')
    ) THEN
        RAISE EXCEPTION 'job %: % may not become %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'job_transition';
    END IF;
    IF NEW.status = 'running' AND OLD.status = 'queued' AND NEW.attempt <> OLD.attempt + 1 THEN
        RAISE EXCEPTION 'job %: a claim raises the attempt by one', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'job_attempt';
    END IF;
    IF NEW.status = 'succeeded' AND NEW.cancel_requested_at IS NOT NULL THEN
        RAISE EXCEPTION 'job %: it was cancelled and may not succeed', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'job_cancel';
    END IF;
    IF OLD.status = NEW.status AND OLD.finished_at IS NOT NULL THEN
        RAISE EXCEPTION 'job %: its end is written and does not change', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'job_end';
    END IF;
    RETURN NEW;
END $$
"""

_TRIGGER = """
CREATE TRIGGER guard_job_transition BEFORE UPDATE ON jobs FOR EACH ROW
WHEN (OLD.status IS DISTINCT FROM NEW.status OR NEW.attempt < OLD.attempt
      OR (OLD.finished_at IS NOT NULL
          AND (OLD.result IS DISTINCT FROM NEW.result OR OLD.error IS DISTINCT FROM NEW.error
               OR OLD.finished_at IS DISTINCT FROM NEW.finished_at OR OLD.attempt <> NEW.attempt)))
EXECUTE FUNCTION guard_job_transition()
"""


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'queued'"), nullable=False),
        sa.Column("priority", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("payload", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("result", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("error", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("progress", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("crashes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("timeout", sa.Interval(), nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rank_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("waiting", sa.Text(), nullable=True),
        sa.Column("lease_owner", sa.Uuid(), nullable=True),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dispatch_no", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_dispatch_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("metadata", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(status = 'running') = (lease_owner IS NOT NULL)", name=op.f("ck_jobs_lease")),
        sa.CheckConstraint("(status IN ('queued', 'running')) = (finished_at IS NULL)", name=op.f("ck_jobs_finished")),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'expired')",
            name=op.f("ck_jobs_status"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_jobs_claim", "jobs", ["queue", "rank_at"], unique=False, postgresql_where=sa.text("status = 'queued'")
    )
    op.create_index(
        "ix_jobs_dispatch", "jobs", ["next_dispatch_at"], unique=False, postgresql_where=sa.text("status = 'queued'")
    )
    op.create_index(
        "ix_jobs_expiry",
        "jobs",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("status = 'queued' AND expires_at IS NOT NULL"),
    )
    op.create_index(
        "ix_jobs_lease", "jobs", ["lease_owner"], unique=False, postgresql_where=sa.text("status = 'running'")
    )
    op.create_index("ix_jobs_owner", "jobs", ["tenant_id", "owner_id", "id"], unique=False)
    op.execute(_GUARD)
    op.execute(_TRIGGER)
    op.create_table(
        "tenants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("queues", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("is_draining", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_index("ix_workers_lease_expires_at", "workers", ["lease_expires_at"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("error", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_attempts_job_id_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "attempt", name=op.f("pk_attempts")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), server_default=sa.text("'user'"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("token_version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("role IN ('user', 'operator', 'admin')", name=op.f("ck_users_role")),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_users_email_lower")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_users_tenant_id_tenants"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_index("ix_users_tenant_id", "users", ["tenant_id"], unique=False)
    op.create_index("uq_users_email", "users", ["email"], unique=True)


def downgrade() -> None:
    op.execute("DROP TRIGGER guard_job_transition ON jobs")
    op.execute("DROP FUNCTION guard_job_transition")
    op.drop_index("uq_users_email", table_name="users")
    op.drop_index("ix_users_tenant_id", table_name="users")
    op.drop_table("users")
    op.drop_table("attempts")
    op.drop_index("ix_workers_lease_expires_at", table_name="workers")
    op.drop_table("workers")
    op.drop_table("tenants")
    op.drop_index("ix_jobs_owner", table_name="jobs")
    op.drop_index("ix_jobs_lease", table_name="jobs", postgresql_where=sa.text("status = 'running'"))
    op.drop_index(
        "ix_jobs_expiry", table_name="jobs", postgresql_where=sa.text("status = 'queued' AND expires_at IS NOT NULL")
    )
    op.drop_index("ix_jobs_dispatch", table_name="jobs", postgresql_where=sa.text("status = 'queued'"))
    op.drop_index("ix_jobs_claim", table_name="jobs", postgresql_where=sa.text("status = 'queued'"))
    op.drop_table("jobs")
