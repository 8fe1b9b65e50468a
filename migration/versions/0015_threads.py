"""Threads of agents: their runs, messages and checkpoints

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | None = None
depends_on: str | None = None

_NOW = sa.text("now()")
_ZERO = sa.text("0")


def _json() -> postgresql.JSONB:
    return postgresql.JSONB(none_as_null=True, astext_type=sa.Text())


def upgrade() -> None:
    op.create_table(
        "threads",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("collection_id", sa.Uuid(), nullable=True),
        sa.Column("metadata", _json(), nullable=True),
        sa.Column("fence", sa.BigInteger(), server_default=_ZERO, nullable=False),
        sa.Column("run_job_id", sa.Uuid(), nullable=True),
        sa.Column("checkpoint_id", sa.Uuid(), nullable=True),
        sa.Column("state", _json(), nullable=True),
        sa.Column("message_count", sa.Integer(), server_default=_ZERO, nullable=False),
        sa.Column("interrupt", _json(), nullable=True),
        sa.Column("forked_from", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_threads")),
    )
    op.create_index("ix_threads_owner", "threads", ["tenant_id", "owner_id", "id"])
    _create_part(
        "thread_runs",
        ["job_id"],
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=True),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("rolled_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_index("ix_thread_runs_thread", "thread_runs", ["thread_id", "position"])
    op.create_index(
        "ix_thread_runs_undo",
        "thread_runs",
        ["thread_id"],
        postgresql_where=sa.text("rolled_back_at IS NOT NULL AND undone_at IS NULL"),
    )
    _create_part(
        "thread_messages",
        ["thread_id", "seq"],
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("citations", _json(), nullable=True),
        sa.Column("job_id", sa.Uuid(), nullable=True),
    )
    _create_part(
        "thread_checkpoints",
        ["thread_id", "checkpoint_id"],
        sa.Column("checkpoint_id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("next", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("state", _json(), nullable=False),
        sa.Column("message_count", sa.Integer(), nullable=False),
        sa.Column("interrupt", _json(), nullable=True),
    )


def _create_part(name: str, key: list[str], *columns: sa.Column[object]) -> None:
    """A table of what belongs to a thread and goes with it."""
    op.create_table(
        name,
        sa.Column("thread_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        *columns,
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["threads.id"], name=op.f(f"fk_{name}_thread_id_threads"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{name}")),
    )


def downgrade() -> None:
    for table in ("thread_checkpoints", "thread_messages", "thread_runs", "threads"):
        op.drop_table(table)
