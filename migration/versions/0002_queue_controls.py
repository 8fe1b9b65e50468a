"""Operators' decisions about queues, and concurrency limits of jobs.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "queues",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_paused", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_queues")),
    )
    op.add_column("jobs", sa.Column("limit_keys", postgresql.ARRAY(sa.Text()), nullable=True))
    op.add_column("jobs", sa.Column("limit_values", postgresql.ARRAY(sa.Integer()), nullable=True))
    op.create_index(
        "ix_jobs_limits",
        "jobs",
        ["limit_keys"],
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text("limit_keys IS NOT NULL AND status IN ('queued', 'running')"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_jobs_limits",
        table_name="jobs",
        postgresql_using="gin",
        postgresql_where=sa.text("limit_keys IS NOT NULL AND status IN ('queued', 'running')"),
    )
    op.drop_column("jobs", "limit_values")
    op.drop_column("jobs", "limit_keys")
    op.drop_table("queues")
