"""Mails: the intent before, the outcome after; and who wants a mail about the end of a job

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "mails",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=True),
        sa.Column("response", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status IN ('sending', 'sent', 'deferred', 'failed', 'unknown')", name=op.f("ck_mails_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
    )
    op.create_index("ix_mails_created_at", "mails", ["created_at"], unique=False)
    op.create_index("ix_mails_owner_id", "mails", ["owner_id", "created_at"], unique=False)
    op.create_index("ix_mails_tenant_id", "mails", ["tenant_id", "id"], unique=False)
    op.create_table(
        "job_notices",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("notify", sa.Text(), server_default=sa.text("'both'"), nullable=False),
        sa.CheckConstraint("notify IN ('success', 'failure', 'both')", name=op.f("ck_job_notices_notify")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_notices_job_id_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_notices")),
    )


def downgrade() -> None:
    op.drop_table("job_notices")
    op.drop_table("mails")
