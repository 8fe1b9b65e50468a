"""Batches, idempotency keys, unique slots, dependencies, large results, and what retention needs

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None

_QUEUED = sa.text("status = 'queued'")
_READY = sa.text("status = 'queued' AND pending_after = 0")


def upgrade() -> None:
    _create_tables()
    op.add_column("jobs", sa.Column("batch_id", sa.Uuid(), nullable=True))
    op.add_column("jobs", sa.Column("custom_id", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("pending_after", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("jobs", sa.Column("has_dependants", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("jobs", sa.Column("is_result_apart", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    _replace_queue_indexes(_READY)
    op.create_index(
        "ix_jobs_batch", "jobs", ["batch_id"], unique=False, postgresql_where=sa.text("batch_id IS NOT NULL")
    )
    op.create_index(
        "ix_jobs_dependants",
        "jobs",
        ["id"],
        unique=False,
        postgresql_where=sa.text("has_dependants AND finished_at IS NOT NULL"),
    )
    op.create_index(
        "ix_jobs_retention",
        "jobs",
        ["kind", "finished_at"],
        unique=False,
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )


def downgrade() -> None:
    for name in ("ix_jobs_retention", "ix_jobs_dependants", "ix_jobs_batch"):
        op.drop_index(name, table_name="jobs")
    _replace_queue_indexes(_QUEUED)
    # The release before this one shows results from the row alone.
    op.execute("ALTER TABLE jobs DISABLE TRIGGER guard_job_transition")
    op.execute("UPDATE jobs SET result = job_results.result FROM job_results WHERE job_results.job_id = jobs.id")
    op.execute("ALTER TABLE jobs ENABLE TRIGGER guard_job_transition")
    for name in ("is_result_apart", "has_dependants", "pending_after", "custom_id", "batch_id"):
        op.drop_column("jobs", name)
    for name in ("purged_jobs", "job_results", "job_dependencies", "unique_slots", "idempotency_keys", "batches"):
        op.drop_table(name)


def _replace_queue_indexes(where: sa.TextClause) -> None:
    op.drop_index("ix_jobs_claim", table_name="jobs")
    op.drop_index("ix_jobs_dispatch", table_name="jobs")
    op.create_index("ix_jobs_claim", "jobs", ["queue", "rank_at"], unique=False, postgresql_where=where)
    op.create_index("ix_jobs_dispatch", "jobs", ["next_dispatch_at"], unique=False, postgresql_where=where)


def _create_tables() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("metadata", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
    )
    op.create_index("ix_batches_created_at", "batches", ["created_at"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("batch_id", sa.Uuid(), nullable=True),
        sa.Column("items", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "owner_id", "route", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_expires_at", "idempotency_keys", ["expires_at"], unique=False)
    op.create_table(
        "unique_slots",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("behind_id", sa.Uuid(), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("keep_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "owner_id", "kind", "key", name=op.f("pk_unique_slots")),
    )
    op.create_index("ix_unique_slots_keep_until", "unique_slots", ["keep_until"], unique=False)
    op.create_table(
        "job_dependencies",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("depends_on_id", sa.Uuid(), nullable=False),
        sa.Column("on_failure", sa.Text(), nullable=False),
        sa.CheckConstraint("on_failure IN ('fail', 'run', 'cancel')", name=op.f("ck_job_dependencies_on_failure")),
        sa.ForeignKeyConstraint(["depends_on_id"], ["jobs.id"], name=op.f("fk_job_dependencies_depends_on_id_jobs")),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_job_dependencies_job_id_jobs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "depends_on_id", name=op.f("pk_job_dependencies")),
    )
    op.create_index("ix_job_dependencies_depends_on_id", "job_dependencies", ["depends_on_id"], unique=False)
    op.create_table(
        "job_results",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("result", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_results_job_id_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_results")),
    )
    op.create_table(
        "purged_jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("purged_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purged_jobs")),
    )
    op.create_index("ix_purged_jobs_purged_at", "purged_jobs", ["purged_at"], unique=False)
